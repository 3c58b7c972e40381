import { expect, test } from 'vitest'
import { encodeValue, decodeValue } from '../bytes/cbor.ts'
import {
  BROADCASTS_IN_FLIGHT_MAX,
  FRAME_GAP_MS,
  TOPIC_BACKLOG_MAX_BYTES,
  TOPIC_BURST_BYTES,
  TOPIC_BYTES_PER_SECOND,
  TOPIC_MESSAGE_MAX_BYTES,
} from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

function publish(peers: WiredPeers, name: string, value: unknown, topic = 'chat'): number {
  const number = peers.peer(name).signals.topics.publish({ topic, value: encodeValue(value, TOPIC_MESSAGE_MAX_BYTES) })
  peers.give(name, { type: 'tick' })
  return number
}

/** What a peer has heard: topic, from whom, and the value. */
function heard(peers: WiredPeers, name: string): unknown[] {
  return peers.events(name, 'topic-messages').flatMap(({ from, messages }) => {
    return messages.map(({ topic, value }) => [topic, from, decodeValue(value)])
  })
}

test('a message reaches all peers that gossip reaches, the publisher among them, and no peer keeps it', () => {
  const peers = new WiredPeers()
  for (const name of ['a', 'b', 'c']) peers.open(name)
  peers.link('a', 'b')
  peers.link('b', 'c')
  peers.advance(1000)
  publish(peers, 'a', { text: 'hi' })
  peers.run()
  for (const name of ['a', 'b', 'c']) expect(heard(peers, name)).toEqual([['chat', 'a', { text: 'hi' }]])
  expect([...peers.peer('b').collections]).toEqual([])
  peers.open('d')
  peers.link('c', 'd')
  peers.advance(60_000)
  expect(heard(peers, 'd')).toEqual([])
})

test('a lone message leaves at once, a stream of them shares messages', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(1000)
  publish(peers, 'a', 0)
  expect(peers.sent('publish').length).toBe(1)
  for (let i = 1; i < 100; i++) publish(peers, 'a', i)
  peers.advance(FRAME_GAP_MS)
  expect(peers.sent('publish').map(({ messages }) => messages.length)).toEqual([1, 99])
  expect(heard(peers, 'b').map((each) => (each as unknown[])[2])).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test('publish resolves when the message has left, or says that no peer is there to receive it', () => {
  const peers = new WiredPeers()
  peers.open('a')
  const number = publish(peers, 'a', 1)
  expect(peers.events('a', 'published')).toEqual([{ type: 'published', number }])
  expect(peers.passed).toEqual([])
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(1000)
  const numbers = [2, 3, 4].map((value) => publish(peers, 'a', value))
  peers.advance(FRAME_GAP_MS)
  expect(peers.events('a', 'published').at(-1)).toEqual({ type: 'published', number: numbers.at(-1) })
  expect(peers.peer('a').signals.topics.backlogBytes).toBe(0)
})

test('messages leave a place of the broadcast to writes, and wait while the network is slow', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.passed.length = 0
  const large = 'x'.repeat(60_000)
  // The network takes what it is given, and does not say that it has room again.
  const broadcasts = (): number => {
    return a!.step({ type: 'tick' }, peers.now).filter(({ type }) => type === 'broadcast').length
  }
  for (let i = 0; i < 8; i++) a!.signals.topics.publish({ topic: 't', value: encodeValue(large, 1e6) })
  expect(broadcasts()).toBe(BROADCASTS_IN_FLIGHT_MAX - 1)
  expect(broadcasts()).toBe(0)
  expect(a!.signals.topics.backlogBytes).toBeGreaterThan(4 * 60_000)
  peers.write('a', 'key', 1)
  expect(peers.sent('frame').length).toBe(1)
  peers.give('a', { type: 'broadcasted' })
  expect(peers.sent('publish').length).toBe(0)
  peers.give('a', { type: 'broadcasted' })
  expect(peers.sent('publish').length).toBe(1)
})

test('past 1 MiB of backlog publishing is refused, with nothing sent', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.advance(1000)
  const value = encodeValue('x'.repeat(1000), 1e6)
  const fill = (): void => {
    for (let i = 0; i < 2000; i++) a!.signals.topics.publish({ topic: 't', value })
  }
  expect(fill).toThrow(expect.objectContaining({ code: 'BACKLOG_FULL' }))
  expect(a!.signals.topics.backlogBytes).toBeLessThanOrEqual(TOPIC_BACKLOG_MAX_BYTES)
  expect(a!.signals.topics.counts.refused).toBe(1)
  peers.advance(5000)
  expect(a!.signals.topics.backlogBytes).toBe(0)
  expect(heard(peers, 'b').length).toBe(a!.signals.topics.counts.published)
  a!.signals.topics.publish({ topic: 't', value })
})

test('an honest publisher is slowed down before the others would drop any of its messages', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  const value = encodeValue('x'.repeat(10_000), 1e6)
  const startMs = peers.monotonicMs
  for (let published = 0; published < 400;) {
    try {
      a!.signals.topics.publish({ topic: 't', value })
      published += 1
    } catch {
      peers.advance(20)
    }
  }
  peers.advance(5000)
  expect(heard(peers, 'b').length).toBe(400)
  expect(b!.signals.topics.counts).toMatchObject({ received: 400, dropped: 0 })
  const seconds = (peers.monotonicMs - 5000 - startMs) / 1000
  expect(seconds * TOPIC_BYTES_PER_SECOND + TOPIC_BURST_BYTES + TOPIC_BACKLOG_MAX_BYTES).toBeGreaterThan(400 * 10_000)
})

test('what a flood brings is dropped and counted, is no offence, and leaves the others their share', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.advance(1000)
  const value = encodeValue('x'.repeat(1000), 1e6)
  const bytes = encodeMessage({ type: 'publish', messages: Array.from({ length: 500 }, () => ({ topic: 't', value })) })
  for (let i = 0; i < 20; i++) peers.give('a', { type: 'broadcast', from: 'x', bytes })
  const { received, dropped } = a!.signals.topics.counts
  expect(received + dropped).toBe(10_000)
  expect(received * 1100).toBeLessThan(2.5 * TOPIC_BURST_BYTES)
  expect(received).toBeGreaterThan(500)
  expect(a!.offences.total).toBe(0)
  publish(peers, 'b', 'still heard')
  peers.run()
  expect(heard(peers, 'a').at(-1)).toEqual(['chat', 'b', 'still heard'])
  peers.advance(1000)
  peers.give('a', { type: 'broadcast', from: 'x', bytes })
  expect(a!.signals.topics.counts.received).toBe(received + 501)
})

test('malformed messages count as offences, and nothing of them is heard', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  const good = { topic: 'chat', value: Uint8Array.of(1) }
  for (const bad of [
    { topic: 'chat', value: Uint8Array.of(0xc2, 0x41, 0x01) },
    { topic: 'chat', value: encodeValue(new Uint8Array(TOPIC_MESSAGE_MAX_BYTES), 1e6) },
    { topic: '', value: Uint8Array.of(1) },
  ]) {
    peers.give('a', { type: 'broadcast', from: 'x', bytes: encodeMessage({ type: 'publish', messages: [good, bad] }) })
  }
  peers.give('a', { type: 'message', from: 'b', bytes: encodeMessage({ type: 'publish', messages: [good] }) })
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(Array(4).fill('MESSAGE_MALFORMED'))
  expect(heard(peers, 'a')).toEqual([])
  expect(a!.offences.total).toBe(4)
})

test('what was published just before closing still leaves', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.advance(1000)
  for (let i = 0; i < 3; i++) publish(peers, 'a', i)
  peers.perform('a', a!.goodbye(false, peers.now))
  peers.run()
  expect(heard(peers, 'b').length).toBe(3)
})
