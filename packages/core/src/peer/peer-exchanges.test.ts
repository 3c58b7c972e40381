import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { encodeValue } from '../bytes/cbor.ts'
import { hashHex } from '../bytes/hash.ts'
import { ANTI_ENTROPY_MAX_MS } from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { Peer } from './peer.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

function expectEqual(...peers: Peer[]): void {
  for (const peer of peers.slice(1)) expect(stateOf(peer)).toEqual(stateOf(peers[0]!))
}

test('an acknowledgement waits for the disk', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const [a, b] = [peers.open('a'), peers.open('b', disk)]
  peers.write('a', 'k', 1)
  peers.run()
  disk.paused = true
  peers.link('a', 'b')
  peers.run()
  expect(peers.sent('chunk', 'a').length).toBeGreaterThan(0)
  expect(peers.sent('chunk-ack', 'b')).toEqual([])
  disk.paused = false
  peers.answer('b')
  peers.run()
  expect(peers.sent('chunk-ack', 'b').length).toBeGreaterThan(0)
  expectEqual(a, b)
})

test('while a session is under way, a peer does not ask to be woken for the next one', () => {
  const peers = new WiredPeers()
  const [a] = [peers.open('a'), peers.open('b')]
  peers.write('a', 'k', 1)
  peers.deliver = ({ message }) => message.type !== 'chunk-ack'
  peers.link('a', 'b')
  peers.run()
  a.antiEntropy.wantFrom('b', peers.now, 0)
  expect(a.wakeAtMs).toBeGreaterThan(peers.monotonicMs)
})

test('a chunk waits until the writes in it are durable', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const [a, b] = [peers.open('a', disk), peers.open('b')]
  peers.run()
  disk.paused = true
  peers.write('a', 'k', 1)
  peers.link('a', 'b')
  peers.advance(5000)
  expect(peers.sent('chunk', 'a')).toEqual([])
  expect(peers.sent('frame', 'a')).toEqual([])
  disk.paused = false
  peers.answer('a')
  peers.advance(1000)
  expect(peers.value('b', 'k')).toBe(1)
  expectEqual(a, b)
})

/** Two peers whose vectors are equal and whose entries are not, in several collections and in both directions. */
function damaged(peers: WiredPeers): [Peer, Peer] {
  const [a, b] = [peers.open('a'), peers.open('b')]
  const ids = ['a', 'b'].map((letter) => letter.repeat(16))
  for (const [peer, order] of [
    [a, ['one', 'two']],
    [b, ['two', 'one']],
  ] as const) {
    for (const collection of order) {
      const { replica } = partitionOf(peer, collection)
      for (const [i, id] of ids.entries()) {
        const bytes = encodeValue(i, 10)
        // Each peer lacks one of the two entries of one collection, and has the dot of it all the same.
        const lacks = (collection === 'one') === (peer === a) && i === 0
        const row = { key: `k${i}`, hlc: 5, writer: peer.collections.ids.intern(id), sequence: 1, replaced: 0 }
        if (lacks) replica.vector.add(row.writer, 1)
        else replica.merge({ ...row, bytes, start: 0, end: bytes.length })
      }
    }
  }
  return [a, b]
}

test('equal vectors and unequal fingerprints: the partitions are exchanged whole, and heal', () => {
  const peers = new WiredPeers()
  const [a, b] = damaged(peers)
  for (const collection of ['one', 'two']) {
    const [x, y] = [partitionOf(a, collection).replica, partitionOf(b, collection).replica]
    expect(x.vector.hash(a.collections.ids)).toEqual(y.vector.hash(b.collections.ids))
    expect(hashHex(x.fingerprint)).not.toBe(hashHex(y.fingerprint))
  }
  peers.link('a', 'b')
  peers.run()
  expectEqual(a, b)
  expect([peers.value('a', 'k0', 'one'), peers.value('b', 'k0', 'two')]).toEqual([0, 0])
})

test('a whole exchange is not repeated within seconds', () => {
  const peers = new WiredPeers()
  const [a, b] = damaged(peers)
  peers.deliver = ({ message }) => message.type !== 'chunk'
  peers.link('a', 'b')
  peers.run()
  peers.passed.length = 0
  for (let i = 0; i < 3; i++) {
    a.antiEntropy.wantFrom('b', peers.now, 0)
    peers.advance(500)
  }
  expect(peers.sent('chunk').every((chunk) => chunk.block.length === 0)).toBe(true)
  peers.deliver = () => true
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  expectEqual(a, b)
})

test('rows of a collection of another kind are refused, reported, and count as no offence', () => {
  const peers = new WiredPeers()
  const [a] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(1000)
  const before = stateOf(a!)
  const ids = new ReplicaIds()
  const writer = new BlockWriter(ids)
  const row = { key: 'k', hlc: 5, writer: ids.intern('c'.repeat(16)), sequence: 1, replaced: 0 }
  for (const kind of [99, 1]) {
    writer.row({ collection: 'users', kind, partition: 5 }, { ...row, bytes: Uint8Array.of(1), start: 0, end: 1 })
  }
  writer.superseded({ collection: 'later', kind: 99, partition: 0 }, row.writer, [1, 2])
  peers.give('a', { type: 'broadcast', from: 'b', bytes: encodeMessage({ type: 'frame', block: writer.take() }) })
  peers.run()
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(['COLLECTION_MISMATCH'])
  expect(peers.events('a', 'refused')[0]?.error.message).toContain('and 1 more')
  expect(a!.offences.total).toBe(0)
  expect(stateOf(a!)).toEqual(before)
})

test('a collection is sent also where the other holds one of the same name and another kind: they stand side by side', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  peers.write('a', 'k', 1, 'other')
  const ids = new ReplicaIds()
  const vector = new VersionVector()
  vector.add(ids.intern('c'.repeat(16)), 1)
  const part = {
    collection: 'users',
    kind: 9,
    partition: 0,
    fingerprint: '1'.repeat(16),
    vector: encodeVector(vector, ids),
  }
  const message = encodeMessage({ type: 'digest', session: 1, root: '2'.repeat(16) })
  peers.give('a', { type: 'message', from: 'b', bytes: message })
  const vectors = encodeMessage({ type: 'vectors', session: 1, ask: false, parts: [part] })
  peers.give('a', { type: 'message', from: 'b', bytes: vectors })
  const blocks = peers.sent('chunk', 'a').map((chunk) => new TextDecoder().decode(chunk.block))
  expect(blocks.join().includes('other')).toBe(true)
  expect(blocks.join().includes('users')).toBe(true)
  expect(a.offences.total).toBe(0)
})

test('rows that are refused again and again do not cause a session for every heartbeat', () => {
  const peers = new WiredPeers()
  peers.open('a')
  peers.open('author')
  // No peer is left that could redate it.
  for (const name of ['a', 'author']) peers.skewMs.set(name, 3_600_000)
  peers.link('a', 'author')
  peers.write('author', 'k', 1)
  peers.run()
  peers.crash('author')
  peers.skewMs.set('a', 0)
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(300_000)
  expect(peers.value('a', 'k')).toBe(1)
  expect(peers.value('b', 'k')).toBeUndefined()
  expect(peers.sent('digest').length).toBeLessThan(40)
})

test('a session with a peer that forgets all about it ends, and its messages are answered with stop', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  const { block } = { block: new Uint8Array(0) }
  for (const message of [
    { type: 'chunk', session: 9, index: 0, last: true, block },
    { type: 'vectors', session: 9, ask: true, parts: [] },
    { type: 'chunk-ack', session: 9, index: 0 },
    { type: 'equal', session: 9 },
    { type: 'stop', session: 9, reason: '' },
  ] as const) {
    peers.give('a', { type: 'message', from: 'b', bytes: encodeMessage(message) })
  }
  expect(peers.sent('stop', 'a').length).toBe(2)
  expect(a.offences.total).toBe(0)
  expect(a.antiEntropy.sessionCount).toBe(0)
})

test('sessions that others open are bounded', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  for (let session = 0; session < 1000; session++) {
    const bytes = encodeMessage({ type: 'digest', session, root: '2'.repeat(16) })
    peers.give('a', { type: 'message', from: `b${session % 20}`, bytes })
  }
  expect(a.antiEntropy.sessionCount).toBe(64)
  expect(peers.sent('stop', 'a').length).toBe(936)
  peers.advance(20_000)
  expect(a.antiEntropy.sessionCount).toBe(0)
})
