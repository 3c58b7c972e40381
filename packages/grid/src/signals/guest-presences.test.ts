import { encodeValue } from '@gossipgrid/core'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { GridPresence } from './grid-presence.ts'
import { GuestPresences, guestStateMessages } from './guest-presences.ts'
import type { GuestState } from './guest-presences.ts'

const shown = new Map<string, Uint8Array>()
let guests: GuestPresences

beforeEach(() => {
  vi.useFakeTimers()
  shown.clear()
  guests = new GuestPresences({
    report: (peerId: string, value: Uint8Array | undefined) =>
      value === undefined ? shown.delete(peerId) : shown.set(peerId, value),
  } as unknown as GridPresence<unknown>)
})

afterEach(() => {
  guests.close()
  vi.useRealTimers()
})

function say(member: string, states: readonly GuestState[]): void {
  for (const bytes of guestStateMessages(states)) guests.take(member, bytes)
}

const stateOf = (peerId: string, value: Uint8Array | undefined = encodeValue('here', 100)): GuestState => {
  return { peerId, subject: 'ada', value }
}

it('a guest that went on to another member stays when the one that it left notices', () => {
  say('first', [stateOf('a')])
  say('second', [stateOf('a')])
  say('first', [{ ...stateOf('a'), value: undefined }])
  expect(shown.has('a')).toBe(true)
  say('second', [{ ...stateOf('a'), value: undefined }])
  expect(shown.has('a')).toBe(false)
})

it('the guests of a member that says nothing any more are gone after 30 s, and others stay', () => {
  say('first', [stateOf('a')])
  say('second', [stateOf('b')])
  for (let seconds = 0; seconds < 40; seconds += 10) {
    vi.advanceTimersByTime(10_000)
    say('second', [stateOf('b')])
  }
  expect([...shown.keys()]).toEqual(['b'])
})

it('many states are said in messages that fit into a topic, and all arrive', () => {
  const states = Array.from({ length: 500 }, (_, i) => stateOf(`guest ${i}`, encodeValue('x'.repeat(1000), 2000)))
  const messages = guestStateMessages(states)
  expect(Math.max(...messages.map(({ length }) => length))).toBeLessThanOrEqual(64 * 1024)
  say('first', states)
  expect(shown.size).toBe(500)
})

it('what is no state is left out, and no more than 10,000 guests are kept', () => {
  const bad = [
    5,
    null,
    ['a'],
    ['a', ''],
    ['', 'x', encodeValue(1, 9)],
    ['a', 'x', 'text'],
    ['a', 'x', Uint8Array.of(0x82, 1)],
  ]
  guests.take('first', encodeValue([...bad, ['b', 'x', new Uint8Array(5000)]], 64 * 1024))
  guests.take('first', encodeValue('none', 100))
  expect(shown.size).toBe(0)
  for (let i = 0; i < 10_100; i++) say('first', [stateOf(`guest ${i}`)])
  expect(shown.size).toBe(10_000)
})
