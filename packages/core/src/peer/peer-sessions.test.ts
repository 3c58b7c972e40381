import { expect, test } from 'vitest'
import { ANTI_ENTROPY_MAX_MS, CHUNKS_IN_FLIGHT_MAX, CHUNK_MAX_BYTES } from '../limits.ts'
import type { Peer } from './peer.ts'
import { claimsFalsely, partitionOf, stateOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

function expectEqual(...peers: Peer[]): void {
  for (const peer of peers.slice(1)) expect(stateOf(peer)).toEqual(stateOf(peers[0]!))
}

test('a lost frame is repaired by a session soon after the next frame shows the gap', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.deliver = ({ message }) => message.type !== 'frame'
  peers.write('a', 'lost', 1)
  peers.advance(100)
  peers.deliver = () => true
  expect(peers.value('b', 'lost')).toBeUndefined()
  peers.write('a', 'next', 2)
  peers.advance(1000)
  expect(peers.value('b', 'lost')).toBe(1)
  expectEqual(a!, b!)
})

test('a lost last frame is repaired once the next heartbeat tells of it', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.deliver = ({ message }) => message.type !== 'frame'
  peers.write('a', 'lost', 1)
  peers.advance(5000)
  expectEqual(a!, b!)
  expect(peers.value('b', 'lost')).toBe(1)
})

test('with broadcast broken for good, sessions alone carry everything', () => {
  const peers = new WiredPeers()
  const [a, b, c] = peers.mesh('a', 'b', 'c')
  peers.deliver = ({ to }) => to !== undefined
  for (let i = 0; i < 50; i++) {
    peers.write('a', `key ${i}`, i)
    peers.write('b', `key ${i + 25}`, i)
    peers.advance(10)
  }
  peers.advance(4 * ANTI_ENTROPY_MAX_MS)
  expectEqual(a!, b!, c!)
  expect(peers.value('c', 'key 74')).toBe(49)
})

test('a peer that joins gets everything, deletes included', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  for (let i = 0; i < 3000; i++) peers.write('a', `key ${i % 1000}`, i % 7 === 0 ? undefined : { i }, `map ${i % 3}`)
  const b = peers.open('b')
  peers.link('a', 'b')
  peers.run()
  expectEqual(a, b)
  expect(partitionOf(b, 'map 1').replica.table.tombstoneCount).toBeGreaterThan(0)
})

test('one session repairs both ways', () => {
  const peers = new WiredPeers()
  const [a, b] = [peers.open('a'), peers.open('b')]
  for (let i = 0; i < 100; i++) {
    peers.write('a', `a ${i}`, i)
    peers.write('b', `b ${i}`, i)
    peers.write(i % 2 === 0 ? 'a' : 'b', 'both', i)
  }
  peers.link('a', 'b')
  peers.run()
  expectEqual(a, b)
  expect(partitionOf(a).replica.table.liveCount).toBe(201)
  for (const name of ['a', 'b']) expect(peers.events(name, 'session')[0]).toMatchObject({ complete: true })
})

test('a row travels once when two peers meet, although both would start a session', () => {
  const peers = new WiredPeers()
  peers.open('a')
  peers.open('b')
  for (let i = 0; i < 500; i++) peers.write('a', `key ${i}`, i)
  for (let i = 0; i < 300; i++) peers.write('b', `other ${i}`, i)
  peers.link('a', 'b')
  peers.advance(1000)
  const rows = (name: string): number => peers.events(name, 'session').reduce((sum, event) => sum + event.rowsSent, 0)
  expect([rows('a'), rows('b')]).toEqual([500, 300])
})

test('equal peers are done in one round trip', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  for (let i = 0; i < 100; i++) peers.write('a', `key ${i}`, i)
  peers.advance(1000)
  expectEqual(a!, b!)
  peers.passed.length = 0
  peers.advance(ANTI_ENTROPY_MAX_MS)
  const digests = peers.sent('digest')
  expect(digests.length).toBeGreaterThan(0)
  expect(peers.sent('equal').length).toBe(digests.length)
  expect(peers.passed.filter(({ to }) => to !== undefined).length).toBe(2 * digests.length)
})

test('collections that were opened and never written to are no difference', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(1000)
  partitionOf(a!, 'empty')
  partitionOf(b!, 'other')
  peers.passed.length = 0
  peers.advance(ANTI_ENTROPY_MAX_MS)
  expect(peers.sent('vectors')).toEqual([])
})

test('cost follows the difference: one missing row among thousands is all that is sent', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  for (let i = 0; i < 5000; i++) peers.write('a', `key ${i}`, i)
  peers.advance(2000)
  expectEqual(a!, b!)
  peers.cut('a', 'b')
  peers.write('a', 'one more', 1)
  peers.passed.length = 0
  peers.link('a', 'b')
  peers.run()
  expectEqual(a!, b!)
  const bytes = peers.sent('chunk').reduce((sum, chunk) => sum + chunk.block.length, 0)
  expect(bytes).toBeLessThan(200)
})

/** A peer with more than a few chunks to send, many of whose dots are superseded. */
function filled(peers: WiredPeers, name: string): Peer {
  const peer = peers.open(name)
  const value = 'x'.repeat(4000)
  for (let i = 0; i < 1000; i++) peers.write(name, `key ${(i * 3) % 700}`, value)
  return peer
}

test('no more than four chunks travel unacknowledged', () => {
  const peers = new WiredPeers()
  const [a, b] = [filled(peers, 'a'), peers.open('b')]
  let inFlight = 0
  let most = 0
  let seen = 0
  peers.deliver = ({ message }) => {
    for (; seen < peers.passed.length; seen++) if (peers.passed[seen]!.message.type === 'chunk') inFlight += 1
    most = Math.max(most, inFlight)
    if (message.type === 'chunk-ack') inFlight -= 1
    return true
  }
  peers.link('a', 'b')
  peers.run()
  expectEqual(a, b)
  expect(peers.sent('chunk', 'a').length).toBeGreaterThan(8)
  // The other side sends one empty chunk of its own.
  expect(most).toBeLessThanOrEqual(CHUNKS_IN_FLIGHT_MAX + 1)
  for (const { block } of peers.sent('chunk')) expect(block.length).toBeLessThan(CHUNK_MAX_BYTES + 5000)
})

test('a peer that does not acknowledge gets four chunks and no more, until the session is given up', () => {
  const peers = new WiredPeers()
  const [a, b] = [filled(peers, 'a'), peers.open('b')]
  peers.deliver = ({ message }) => message.type !== 'chunk-ack'
  peers.link('a', 'b')
  peers.run()
  const sessions = new Set(peers.sent('chunk', 'a').map((chunk) => chunk.session)).size
  expect(peers.sent('chunk', 'a').length).toBe(CHUNKS_IN_FLIGHT_MAX * sessions)
  peers.advance(20_000)
  expect(peers.sent('stop').length).toBeGreaterThan(0)
  expect(peers.events('a', 'session').some((event) => !event.complete)).toBe(true)
  peers.deliver = () => true
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  expectEqual(a, b)
})

test('superseded dots are sent with or after the last rows of their partition, never before', () => {
  const peers = new WiredPeers()
  const [a, b] = [filled(peers, 'a'), peers.open('b')]
  const heads: number[] = []
  peers.deliver = ({ message }) => {
    const { vector } = partitionOf(b).replica
    const id = b.collections.ids.indexOf(a.replicaId)
    if (message.type === 'chunk' && id !== undefined) heads.push(vector.head(id))
    return true
  }
  peers.link('a', 'b')
  peers.run()
  expect(Math.max(...heads)).toBeLessThan(1000)
  expectEqual(a, b)
  expect(partitionOf(b).replica.vector.head(b.collections.ids.indexOf(a.replicaId)!)).toBe(1000)
})

test('a session cut anywhere leaves no claim to what did not come, and the next one goes on from there', () => {
  for (const cutAt of [1, 3, 9, 12]) {
    const peers = new WiredPeers()
    const [a, b] = [filled(peers, 'a'), peers.open('b')]
    let chunks = 0
    peers.deliver = ({ message, to }) => {
      if (message.type === 'chunk' && to === 'b') chunks += 1
      return chunks < cutAt
    }
    peers.link('a', 'b')
    peers.run()
    peers.cut('a', 'b')
    expect(claimsFalsely(b, a)).toBe(false)
    const before = partitionOf(b).replica.table.slotCount
    peers.deliver = () => true
    peers.passed.length = 0
    peers.link('a', 'b')
    peers.run()
    expectEqual(a, b)
    const bytes = peers.sent('chunk', 'a').reduce((sum, chunk) => sum + chunk.block.length, 0)
    expect(bytes).toBeLessThan((700 - before) * 4100 + 10_000)
  }
})

test('writes that go on during a session leave no claim either, wherever it is cut', () => {
  for (const cutAt of [1, 6, 12]) {
    const peers = new WiredPeers()
    const [a, b] = [filled(peers, 'a'), peers.open('b')]
    let chunks = 0
    peers.deliver = ({ message, to }) => {
      if (to !== 'b' || message.type === 'frame') return message.type !== 'frame'
      if (message.type === 'chunk') {
        chunks += 1
        for (let i = 0; i < 20; i++) peers.write('a', `key ${(chunks * 37 + i * 11) % 700}`, `rewritten ${chunks}`)
      }
      return chunks < cutAt
    }
    peers.link('a', 'b')
    peers.run()
    expect(claimsFalsely(b, a)).toBe(false)
    peers.cut('a', 'b')
    peers.deliver = () => true
    peers.link('a', 'b')
    peers.run()
    expect(claimsFalsely(b, a)).toBe(false)
    peers.advance(3 * ANTI_ENTROPY_MAX_MS)
    expectEqual(a, b)
  }
})

test('what was superseded tens of thousands of times over is caught up with in one session', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  const { replica } = partitionOf(a)
  for (let i = 0; i < 140_000; i++) {
    const key = i % 2 === 0 ? 'hot' : `key ${i}`
    a.write(partitionOf(a), key, Uint8Array.of(1), peers.now)
    if (i % 1000 === 0) peers.give('a', { type: 'tick' })
  }
  const b = peers.open('b')
  peers.link('a', 'b')
  peers.run()
  expect(partitionOf(b).replica.table.slotCount).toBe(replica.table.slotCount)
  expect(peers.events('b', 'session')[0]?.complete).toBe(true)
  expect(stateOf(b)).toEqual(stateOf(a))
})
