import { encodeValue } from '@gossipgrid/core'
import { openGuestDialler } from '@gossipgrid/network/guest-dialler'
import type { GuestChannel, GuestDialler } from '@gossipgrid/network/guest-dialler'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { openGrid } from '../../open-grid.ts'
import type { GridSignals } from '../../signals/grid-signals.ts'
import { until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { decodeMemberMessage } from '../messages.ts'
import type { MemberMessage } from '../messages.ts'
import { readPass } from '../pass-text.ts'

const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const GRANTS: readonly Grant[] = [{ topic: 'chat/', may: 'read' }]

let member: Grid
const diallers: GuestDialler[] = []

beforeEach(async () => {
  member = await openGrid({
    ...{ name: 'shop', secret: SECRET, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent },
    guests: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
})

afterEach(async () => {
  await Promise.all(diallers.splice(0).map((dialler) => dialler.stop()))
  await member.close()
})

interface Raw {
  readonly connection: GuestChannel
  readonly peerId: string
  readonly received: MemberMessage[]
  ended: string
  send(message: unknown): Promise<void>
}

const number = (raw: Raw, type: MemberMessage['type']): number =>
  raw.received.filter((message) => message.type === type).length

/** A program that has a pass, and says what it likes. */
async function enter(grants: readonly Grant[], subject: string): Promise<Raw> {
  const pass = await member.issuePass({ subject, expiresInMs: 3_600_000, grants })
  const dialler = await openGuestDialler({ gridName: 'shop' })
  diallers.push(dialler)
  const address = member.status().guests!.addresses[0]!
  const connection = await dialler.dial(address, AbortSignal.timeout(20_000))
  const raw: Raw = {
    connection,
    peerId: dialler.peerId,
    received: [],
    ended: '',
    send: (message) => connection.send(encodeValue({ version: 1, ...(message as object) }, 2 * 1024 * 1024)),
  }
  connection.listen({
    message: (bytes) => raw.received.push(decodeMemberMessage(bytes)),
    ended: (reason) => (raw.ended = reason),
  })
  await raw.send({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
  const guest = Buffer.from(subject.padEnd(16, '.')).toString('hex')
  await raw.send({ type: 'enter', pass, guest, cursors: [] })
  connection.trust()
  await until(() => number(raw, 'caught-up') > 0, 'entry')
  return raw
}

it('a hostile guest publishes nothing that its pass does not cover, and is present nowhere', async () => {
  const heard: unknown[] = []
  for (const topic of ['chat/1', 'secret']) member.topic(topic).on('message', (message) => heard.push(message))
  member.presence().on('change', (change) => heard.push(change))
  const raw = await enter(GRANTS, 'ada')
  const value = encodeValue('bad', 100)
  const topics = ['chat/1', 'secret', 'never opened']
  const messages = topics.map((topic) => ({ topic, value }))
  await raw.send({ type: 'signals', listen: [], messages, presence: { value } })
  await until(() => number(raw, 'taken') === 1, 'the answer')
  const taken = raw.received.flatMap((message) => (message.type === 'taken' ? message.refused : []))
  expect(taken.map(({ code, topic }) => [topic, code])).toEqual([...topics, ''].map((topic) => [topic, 'FORBIDDEN']))
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(heard).toEqual([])
})

it('a hostile guest hears nothing of topics that its pass does not cover, whatever it listens to, and sees no presence', async () => {
  const raw = await enter(GRANTS, 'ada')
  await raw.send({ type: 'signals', listen: ['chat/1', 'secret', 'chat', 'Chat/1'], messages: [] })
  await until(() => number(raw, 'taken') === 1, 'the answer')
  const seen = await enter([{ presence: true }], 'bob')
  await seen.send({ type: 'signals', listen: [], messages: [], presence: { value: encodeValue('hidden', 100) } })
  await until(() => member.presence().get(seen.peerId) === 'hidden', 'a guest that is present')
  member.presence().set('hidden')
  for (const topic of ['secret', 'chat', 'Chat/1']) await member.topic(topic).publish('hidden')
  await member.topic('chat/1').publish('open')
  await until(() => number(raw, 'signals') === 1, 'the message')
  await new Promise((resolve) => setTimeout(resolve, 200))
  const signals = raw.received.filter((message) => message.type === 'signals')
  expect(signals).toMatchObject([{ messages: [{ topic: 'chat/1', from: member.peerId }], presences: [] }])
})

it('a hostile guest speaks for no other one: a subject or a peer that it names counts for nothing', async () => {
  const raw = await enter([{ topic: 'chat/', may: 'write' }, { presence: true }], 'eve')
  const heard: unknown[] = []
  member.topic('chat/1').on('message', ({ from, subject }) => heard.push([from, subject]))
  const value = encodeValue('bad', 100)
  const lies = { subject: 'ada', from: 'ada', peerId: member.peerId }
  await raw.send({
    ...{ type: 'signals', listen: [], ...lies },
    messages: [{ topic: 'chat/1', value, ...lies }],
    presence: { value, ...lies },
  })
  await until(() => heard.length === 1 && member.presence().get(raw.peerId) !== undefined, 'what it said')
  expect(heard).toEqual([[member.peerId, 'eve']])
  expect(member.presence().subjectOf(raw.peerId)).toBe('eve')
  expect(member.presence().get(member.peerId)).toBeUndefined()
})

it('a guest that sends malformed topics, messages or states, or too many, is sent away, and the member goes on', async () => {
  const value = encodeValue('x', 9)
  const all: Record<string, unknown>[] = [
    { listen: ['a\0b'] },
    { listen: [''] },
    { listen: ['\ue000guests'] },
    { listen: [5] },
    { listen: ['x'.repeat(129)] },
    { listen: Array.from({ length: 257 }, (_, i) => `chat/${i}`) },
    { listen: 'chat/1' },
    { messages: [{ topic: '\ue000guests', value }] },
    { messages: [{ topic: 'chat/1', value: 'text' }] },
    { messages: [{ topic: 'chat/1', value: Uint8Array.of(0x82, 1) }] },
    { messages: [{ topic: 'chat/1', value: encodeValue('x'.repeat(70_000), 100_000) }] },
    { messages: Array.from({ length: 257 }, () => ({ topic: 'chat/1', value })) },
    { presence: 5 },
    { presence: { value: 'text' } },
    { presence: { value: encodeValue('x'.repeat(2000), 4000) } },
    { presence: { value: Uint8Array.of(0xc2, 0x41, 0x01) } },
  ]
  for (const [i, part] of all.entries()) {
    const raw = await enter([{ topic: 'chat/', may: 'write' }, { presence: true }], 'eve')
    await raw.send({ type: 'signals', listen: [], messages: [], ...part })
    await until(() => raw.ended !== '', `${i}`)
  }
  const more = await enter(GRANTS, 'eve')
  for (const start of [0, 200])
    await more.send({ type: 'signals', listen: Array.from({ length: 200 }, (_, i) => `${start + i}`), messages: [] })
  await until(() => more.ended !== '', 'too many topics')
  await enter(GRANTS, 'ada')
})

it('a guest that reads too slowly misses messages, and the member keeps no more than 1 MiB for it', async () => {
  const raw = await enter(GRANTS, 'ada')
  await raw.send({ type: 'signals', listen: ['chat/1'], messages: [] })
  await until(() => number(raw, 'taken') === 1, 'the answer')
  const list: unknown[] = []
  member.topic('chat/1').on('message', ({ value }) => list.push(value))
  // All in one turn of the event loop, in which nothing can be sent to the guest.
  const { signals } = member as unknown as { signals: GridSignals }
  const value = encodeValue('x'.repeat(60_000), 70_000)
  for (let i = 0; i < 40; i++) signals.receive('some peer', { topic: 'chat/1', value })
  await until(() => number(raw, 'signals') > 0, 'messages')
  await new Promise((resolve) => setTimeout(resolve, 500))
  const messages = raw.received.flatMap((message) => (message.type === 'signals' ? message.messages : []))
  expect(list).toHaveLength(40)
  expect(messages).toHaveLength(17)
})
