import { expect, test } from 'vitest'
import type { Input } from '@gossipgrid/core'
import { Inbox } from './inbox.ts'

const message = (number: number, sizeBytes: number = 4): Input => {
  const bytes = new Uint8Array(sizeBytes)
  new DataView(bytes.buffer).setUint32(0, number)
  return { type: 'message', from: 'a', bytes }
}

const numberOf = (input: Input): number =>
  'bytes' in input ? new DataView(input.bytes.buffer).getUint32(0) : Number.NaN

function busyFor(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('a lone input is taken at once', () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => taken.push(numberOf(input)))
  inbox.offer(message(1))
  expect(taken).toEqual([1])
})

test('what arrives at once is taken in order, and a timer gets its turn in between', async () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => {
    taken.push(numberOf(input))
    busyFor(5)
  })
  let takenAtTimer = Infinity
  setTimeout(() => (takenAtTimer = taken.length), 0)
  for (let i = 0; i < 20; i++) inbox.offer(message(i))
  expect(taken.length).toBeLessThan(5)
  await until(() => taken.length === 20)
  expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(takenAtTimer).toBeLessThan(20)
})

test('too many bytes waiting are taken at once, so that sockets are not read meanwhile', () => {
  const taken: number[] = []
  const inbox = new Inbox((input) => {
    taken.push(numberOf(input))
    busyFor(10)
  })
  for (let i = 0; i < 12; i++) inbox.offer(message(i, 1024 * 1024 - 512))
  expect(taken).toEqual([0, 1, 2, 3])
})

/** Offers inputs while one is being taken for a turn and longer, and returns the order in which all were taken. */
async function takenOf(inputs: readonly Input[], takeMs: number): Promise<string[]> {
  const taken: string[] = []
  const inbox = new Inbox((input) => {
    taken.push('bytes' in input ? `${input.type} ${numberOf(input)}` : input.type)
    busyFor(takeMs)
  })
  for (const input of [message(0), ...inputs]) inbox.offer(input)
  await until(() => taken.length === inputs.length + 1)
  return taken
}

const live = (type: 'direct' | 'broadcast', number: number): Input => ({ ...message(number), type }) as Input

test('frames go before the chunks that wait, each kind in its order', async () => {
  const chunks = [1, 2, 3, 4].map((number) => message(number, 128 * 1024))
  const taken = await takenOf([...chunks, live('direct', 5), live('broadcast', 6), live('direct', 7)], 10)
  expect(taken).toEqual([
    'message 0',
    'direct 5',
    // A turn that is over takes one message at least.
    'message 1',
    'broadcast 6',
    'message 2',
    'direct 7',
    'message 3',
    'message 4',
  ])
})

test('a frame does not go before the begin or the end of a connection', async () => {
  const ended: Input = { type: 'disconnected', neighbour: 'a' }
  const begun: Input = { type: 'connected', neighbour: 'a' }
  const taken = await takenOf([message(1), ended, begun, live('direct', 2), message(3), live('direct', 4)], 10)
  expect(taken.indexOf('message 1')).toBeLessThan(taken.indexOf('disconnected'))
  expect(taken.indexOf('connected')).toBeLessThan(taken.indexOf('direct 2'))
  expect(taken.indexOf('direct 2')).toBeLessThan(taken.indexOf('direct 4'))
})

test('frames without end leave each turn a message', async () => {
  const taken: string[] = []
  let frames = 0
  const inbox = new Inbox((input) => {
    taken.push(input.type)
    busyFor(3)
    if (input.type === 'direct' && frames++ < 100) inbox.offer(live('direct', frames))
  })
  for (const input of [message(0), message(1), live('direct', 0), message(2)]) inbox.offer(input)
  busyFor(10)
  for (const input of [live('direct', 0), message(3), message(4)]) inbox.offer(input)
  await until(() => taken.filter((type) => type === 'message').length === 5)
  expect(frames).toBeLessThan(30)
})
