import { expect, test } from 'vitest'
import { Collections } from '../replica/collections.ts'
import { hashHex } from '../bytes/hash.ts'
import type { SeenPart } from './part-digests.ts'
import { LagTable } from './lag.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { VersionVector } from '../versions/version-vector.ts'
import { partitionOf } from '../rig/peer-state.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const USERS = { collection: 'users', kind: 1, partition: 0 }
const NONE = { behind: 0, ahead: 0, unequal: 0 }

/** A collection with three writes of one replica id, and what another peer says of it. */
function table(): {
  collections: Collections
  lag: LagTable
  part: (head: number, change?: Partial<SeenPart>) => SeenPart
} {
  const ids = new ReplicaIds()
  const collections = new Collections(ids, 7)
  const { replica } = collections.open({ name: 'users', kind: 'map', mode: 'replicated', partitions: 1 }).partitions[0]!
  const writer = ids.intern('aaaaaaaaaaaaaaaa')
  for (let sequence = 1; sequence <= 3; sequence++) {
    const row = { key: `key ${sequence}`, hlc: sequence, writer, sequence, replaced: 0, start: 0, end: 1 }
    replica.merge({ ...row, bytes: Uint8Array.of(1) })
  }
  const part = (head: number, change: Partial<SeenPart> = {}): SeenPart => {
    const seen = new VersionVector()
    if (head > 0) seen.addRange(writer, 1, head)
    const fingerprint = hashHex(replica.fingerprint)
    return { ...USERS, fingerprint, vector: new Uint8Array(0), seen, otherFloor: undefined, ...change }
  }
  return { collections, lag: new LagTable(collections), part }
}

test('writes that only one of the two has seen are counted both ways', () => {
  const { lag, part } = table()
  lag.recordVectors('ben', [part(3)], 10)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 10, ...NONE }])
  lag.recordVectors('ben', [part(1)], 20)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 20, ...NONE, ahead: 2 }])
  lag.recordVectors('ben', [part(8)], 30)
  expect(lag.of('users')).toEqual([{ peerId: 'ben', reportedAtMs: 30, ...NONE, behind: 5 }])
})

test('after the same writes another fingerprint is reported, after other writes it means nothing', () => {
  const { lag, part } = table()
  lag.recordVectors('ben', [part(3, { fingerprint: '0'.repeat(16) })], 10)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 10, ...NONE, unequal: 1 }])
  lag.recordVectors('ben', [part(2, { fingerprint: '0'.repeat(16) })], 20)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 20, ...NONE, ahead: 1 }])
})

test('writes to a collection that is not here count in the total', () => {
  const { lag, part } = table()
  lag.recordVectors('ben', [part(3), part(4, { collection: 'orders' })], 10)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 10, ...NONE, behind: 4 }])
  expect(lag.of('users')).toEqual([{ peerId: 'ben', reportedAtMs: 10, ...NONE }])
})

test('an equal root says equal without any vector, until something is written here', () => {
  const { collections, lag, part } = table()
  lag.recordRoot('ben', 'another root', 10)
  expect(lag.totals()).toEqual([])
  lag.recordRoot('ben', collections.root(), 20)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 20, ...NONE }])
  collections.restore(USERS).replica.vector.add(0, 4)
  expect(lag.totals()).toEqual([])
  lag.recordRoot('ben', collections.root(), 30)
  // The later report counts, whatever the root said before.
  lag.recordVectors('ben', [part(6)], 40)
  expect(lag.totals()).toEqual([{ peerId: 'ben', reportedAtMs: 40, ...NONE, behind: 2 }])
})

test('a peer that is forgotten is no longer compared with', () => {
  const { lag, part } = table()
  lag.recordVectors('ben', [part(3)], 10)
  lag.forget('ben')
  expect(lag.totals()).toEqual([])
})

test('of peers without end only so many are remembered, whatever they tell', () => {
  const { collections, lag, part } = table()
  for (let i = 0; i < 3000; i++) {
    if (i % 2 === 0) lag.recordRoot(`peer ${i}`, collections.root(), i)
    else lag.recordVectors(`peer ${i}`, [part(3)], i)
  }
  expect(lag.totals().length).toBe(1000)
  expect(lag.totals().at(-1)).toEqual({ peerId: 'peer 2999', reportedAtMs: 2999, ...NONE })
})

test('heartbeats tell of fingerprints that differ after the same writes', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(5000)
  expect(b!.lag.totals()).toMatchObject([{ peerId: 'a', ...NONE }])
  // A bit of the value flips in memory: it shows only when the entries are compared.
  peers.deliver = ({ message }) => message.type === 'announce'
  const { replica } = partitionOf(a!)
  Object.assign(replica.fingerprint, { low: (replica.fingerprint.low ^ 1) >>> 0 })
  peers.advance(5000)
  expect(b!.lag.totals()).toMatchObject([{ peerId: 'a', ...NONE, unequal: 1 }])
})

test('rows are counted by the way they came and by what became of them', () => {
  const peers = new WiredPeers()
  const [, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  const appeared: number[] = []
  b!.inbound.appeared = (hlc) => appeared.push(hlc)
  const { hlc } = peers.write('a', 'k', 1)
  peers.advance(1000)
  expect(b!.inbound.rows.broadcast).toEqual({ applied: 1, superseded: 0, repeated: 0 })
  expect(appeared).toEqual([hlc])
  peers.deliver = ({ message }) => message.type !== 'frame'
  peers.write('a', 'k', 2)
  peers.write('a', 'l', 3)
  peers.advance(10_000)
  expect(b!.inbound.rows.session.applied).toBe(2)
  // What a session brings may be old: it is no measure of how fast writes travel.
  expect(appeared).toEqual([hlc])
})
