import { expect, test } from 'vitest'
import { BlockWriter } from '../wire/block.ts'
import { encodeMessage } from '../wire/messages.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { GRACE_MS } from '../limits.ts'
import type { Partition } from '../replica/collections.ts'
import type { Peer } from './peer.ts'
import { ReplicaIds } from '../versions/replica-ids.ts'
import { RestrictedPlacement, ownedBy } from '../rig/restricted-placement.ts'
import { partitionIndex } from '../placement/key-slots.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

const SECRET = 'owned-by-a-and-b'
const HOLDERS = { [SECRET]: new Set(['a', 'b']) }
const DAY_MS = 86_400_000
/** Long enough for sessions and for the registry to be seen to. */
const A_WHILE_MS = 75_000

/** Durable peers, each linked with each: `a` and `b` hold the collection `SECRET`, and all of them hold everything else. */
function grid(...names: string[]): WiredPeers {
  const peers = new WiredPeers()
  for (const name of names) peers.open(name, new TestDisk(), { placement: ownedBy(name, HOLDERS) })
  for (const [i, name] of names.entries()) for (const other of names.slice(0, i)) peers.link(other, name)
  peers.advance(1000)
  return peers
}

/** Whether bytes hold a text, as collections' names stand in messages. */
function contains(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes).includes(text)
}

/** The types of messages that reached a peer, or everyone, and name the collection. */
function naming(peers: WiredPeers, to: string, collection: string): string[] {
  const reached = peers.passed.filter((passed) => passed.to === to || (passed.to === undefined && passed.from !== to))
  return reached
    .filter(({ message }) => contains(encodeMessage(message), collection))
    .map(({ message }) => message.type)
}

test('a frame goes to the peers that hold the partition, on their streams, and to no other', () => {
  const peers = grid('a', 'b', 'c')
  peers.passed.length = 0
  peers.write('a', 'k', 'v', SECRET)
  peers.run()
  expect(peers.sent('frame').length).toBe(1)
  expect(peers.passed.find(({ message }) => message.type === 'frame')).toMatchObject({ from: 'a', to: 'b' })
  expect(peers.value('b', 'k', SECRET)).toBe('v')
  expect(peers.sent('digest')).toEqual([])
  expect(peers.events('b', 'refused')).toEqual([])
  peers.write('a', 'k', 'v')
  peers.run()
  expect(peers.passed.filter(({ message }) => message.type === 'frame').map(({ to }) => to)).toEqual(['b', undefined])
})

test('nothing that reaches another peer names the collection: no frame, digest, announcement, chunk or question', () => {
  const peers = grid('a', 'b', 'c')
  for (let i = 0; i < 300; i++) peers.write('a', `key ${i}`, i, SECRET)
  peers.write('b', 'k', 'v')
  peers.cut('a', 'c')
  peers.cut('a', 'b')
  for (let i = 0; i < 10; i++) peers.write('a', `late ${i}`, i, SECRET)
  peers.link('a', 'c')
  peers.advance(1000)
  peers.link('a', 'b')
  peers.advance(10_000)
  expect(peers.value('b', 'late 9', SECRET)).toBe(9)
  expect(naming(peers, 'c', SECRET)).toEqual([])
  expect(naming(peers, 'b', SECRET)).toContain('vectors')
  expect(naming(peers, 'b', SECRET)).toContain('chunk')
  expect(naming(peers, 'c', 'users')).toContain('frame')
  expect(peers.peer('c').collections.get(SECRET)).toBeUndefined()
})

test('peers that hold different things are equal in what they have in common, and sessions end with that', () => {
  const peers = grid('a', 'b', 'c')
  for (let i = 0; i < 20; i++) peers.write('a', `key ${i}`, i, SECRET)
  peers.write('c', 'k', 'v')
  peers.advance(A_WHILE_MS)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => peers.peer(name)) as [Peer, Peer, Peer]
  expect(a.collections.root()).toBe(c.collections.root())
  expect(a.collections.root('b')).toBe(b.collections.root('a'))
  expect(a.collections.root('b')).not.toBe(a.collections.root('c'))
  expect(stateOf(a)).toEqual(stateOf(b))
  peers.passed.length = 0
  peers.advance(A_WHILE_MS)
  expect(peers.sent('digest').length).toBeGreaterThan(0)
  expect(peers.sent('vectors')).toEqual([])
  expect(peers.sent('equal').length).toBe(peers.sent('digest').length)
})

test('lag is a word on what every peer holds: a collection of some peers makes none of the others seem behind', () => {
  const peers = grid('a', 'b', 'c')
  peers.write('a', 'k', 'v', SECRET)
  peers.write('a', 'k', 'v')
  peers.run()
  peers.cut('a', 'b')
  peers.write('a', 'other', 'v', SECRET)
  peers.link('a', 'b')
  peers.advance(A_WHILE_MS)
  const { collections, lags } = peers.peer('a').report(peers.now)
  expect(collections.find(({ name }) => name === SECRET)).toMatchObject({ rows: 2, lags: [] })
  expect(collections.find(({ name }) => name === 'users')!.lags.length).toBe(2)
  for (const lag of lags) expect(lag).toMatchObject({ ahead: 0, behind: 0, unequal: 0 })
  expect(lags.length).toBe(2)
})

test('only peers that hold a partition are asked to confirm copies of it', () => {
  const peers = grid('a', 'b', 'c')
  const ask = (collection: string): number => {
    const { replicaId, sequence } = peers.write('a', 'k', 1, collection)
    return peers.peer('a').confirmations.request({ collection, partition: 0, replicaId, sequence }, 3)
  }
  const secret = ask(SECRET)
  const users = ask('users')
  peers.advance(30_000)
  const copies = (request: number): number[] =>
    peers.events('a', 'copies').flatMap((event) => (event.request === request ? [event.copies] : []))
  expect(copies(secret)).toEqual([2])
  expect(copies(users)).toEqual([2, 3])
  expect(peers.passed.flatMap(({ to, message }) => (message.type === 'confirm' ? [to] : []))).toEqual(['b', 'b', 'c'])
})

test('a peer does not wait for an answer about a partition that it does not own, and starts no session', () => {
  const peers = grid('a', 'c')
  peers.passed.length = 0
  const dot = { collection: SECRET, partition: 0, replicaId: '0123456789abcdef', sequence: 1 }
  peers.give('c', { type: 'message', from: 'a', bytes: encodeMessage({ type: 'confirm', request: 1, ...dot }) })
  peers.advance(2000)
  expect(peers.sent('confirmed')).toEqual([])
  expect(peers.sent('digest')).toEqual([])
  expect(peers.peer('c').confirmations.wakeAtMs).toBe(Infinity)
})

test('rows of a partition that the peer does not own are refused with the reason, and are no offence', () => {
  const peers = grid('a', 'c')
  const ids = new ReplicaIds()
  const writer = ids.intern('0123456789abcdef')
  const block = new BlockWriter(ids)
  const row = { key: 'k', hlc: 1, writer, sequence: 1, replaced: 0, bytes: undefined, start: 0, end: 0 }
  block.row({ collection: SECRET, kind: 1, partition: 0 }, row)
  peers.give('c', { type: 'message', from: 'a', bytes: encodeMessage({ type: 'frame', block: block.take() }) })
  expect(peers.events('c', 'refused').map(({ error }) => error.code)).toEqual(['NOT_HELD'])
  expect(peers.peer('c').offences.total).toBe(0)
  expect(peers.peer('c').collections.get(SECRET)).toBeUndefined()
})

test('a frame on a stream with rows that everyone holds is malformed, whatever else is in it', () => {
  const peers = grid('a', 'b')
  const ids = new ReplicaIds()
  const row = { key: 'k', hlc: 1, writer: ids.intern('0123456789abcdef'), sequence: 1, replaced: 0, bytes: undefined }
  const block = new BlockWriter(ids)
  block.row({ collection: SECRET, kind: 1, partition: 0 }, { ...row, start: 0, end: 0 })
  block.row({ collection: 'users', kind: 1, partition: 0 }, { ...row, start: 0, end: 0 })
  peers.give('b', { type: 'message', from: 'a', bytes: encodeMessage({ type: 'frame', block: block.take() }) })
  expect(peers.events('b', 'refused').map(({ error }) => error.code)).toEqual(['MESSAGE_MALFORMED'])
  expect(peers.peer('b').collections.get(SECRET)).toBeUndefined()
  expect(peers.peer('b').collections.ids.indexOf('0123456789abcdef')).toBeUndefined()
  peers.give('b', { type: 'message', from: 'a', bytes: encodeMessage({ type: 'frame', block: new Uint8Array(0) }) })
  expect(peers.peer('b').offences.total).toBe(2)
})

test('what is written atomically for several audiences is logged in one piece and sent in one frame for each', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const holders = { one: new Set(['a', 'b']), other: new Set(['a', 'c']) }
  peers.open('a', disk, { placement: ownedBy('a', holders) })
  for (const name of ['b', 'c']) {
    peers.open(name, new TestDisk(), { placement: ownedBy(name, holders) })
    peers.link('a', name)
  }
  peers.advance(1000)
  peers.passed.length = 0
  const a = peers.peer('a')
  const before = new Set(disk.keys('log/'))
  a.atomically(() => {
    for (const [i, collection] of ['one', 'other', 'one', 'users'].entries()) {
      a.write(partitionOf(a, collection), `key ${i}`, Uint8Array.of(0xf5), peers.now)
    }
  })
  peers.give('a', { type: 'tick' })
  peers.run()
  expect(disk.keys('log/').filter((key) => !before.has(key)).length).toBe(1)
  const frames = peers.passed.filter(({ message }) => message.type === 'frame').map(({ to }) => to ?? EVERYONE)
  expect(frames.toSorted()).toEqual(['b', 'b', 'c', EVERYONE])
  expect(peers.value('b', 'key 0', 'one')).toBe(true)
  expect(peers.value('b', 'key 2', 'one')).toBe(true)
  expect(peers.value('c', 'key 1', 'other')).toBe(true)
  expect(peers.value('c', 'key 3')).toBe(true)
  expect(peers.peer('c').collections.get('one')).toBeUndefined()
  const again = new WiredPeers()
  again.open('a', disk.copy(), { placement: ownedBy('a', holders) })
  expect(stateOf(again.peer('a'))).toEqual(stateOf(a))
})

test('purging asks only the peers that hold the partition', () => {
  const purged = (collection: string): { stored: number; left: number } => {
    const peers = grid('a', 'b', 'c')
    peers.advance(A_WHILE_MS)
    peers.crash('c')
    peers.write('a', 'k', 1, collection)
    peers.advance(1000)
    peers.write('a', 'k', undefined, collection)
    const tombstones = (): number => partitionOf(peers.peer('a'), collection).replica.table.tombstoneCount
    const stored = tombstones()
    for (let day = 0; day < GRACE_MS / DAY_MS + 3; day++) {
      peers.sleep(DAY_MS - A_WHILE_MS)
      peers.advance(A_WHILE_MS)
    }
    return { stored, left: tombstones() }
  }
  expect(purged(SECRET)).toEqual({ stored: 1, left: 0 })
  expect(purged('users')).toEqual({ stored: 1, left: 1 })
})

const PARTITIONED: CollectionDescriptor = {
  name: 'orders',
  kind: 'map',
  mode: 'partitioned',
  partitions: 16,
  owners: 2,
}

/** A key of a partition of the orders, so many for each. */
function keyIn(index: number, number = 0): string {
  for (let i = 0, found = 0; ; i++)
    if (partitionIndex(`key ${i}`, 16) === index && found++ === number) return `key ${i}`
}

/** `a` and `b` hold the even partitions, `c` and `a` the odd ones. */
function partitioned(): { peers: WiredPeers; part: (name: string, index: number) => Partition } {
  const sets = [new Set(['a', 'b']), new Set(['a', 'c'])]
  const peers = new WiredPeers()
  for (const name of ['a', 'b', 'c']) {
    const placement = new RestrictedPlacement(name, ({ collection, partition }) =>
      collection === 'orders' && partition >= 16 ? sets[partition % 2]! : EVERYONE,
    )
    peers.open(name, new TestDisk(), { placement })
  }
  peers.link('a', 'b')
  peers.link('a', 'c')
  peers.advance(1000)
  const part = (name: string, index: number): Partition =>
    peers.peer(name).collections.find({ collection: 'orders', kind: 1, partition: 16 + index })!
  return { peers, part }
}

test('what a partitioned collection is comes from the registry: peers that never opened it take their partitions', () => {
  const { peers, part } = partitioned()
  const a = peers.peer('a')
  expect(a.open(PARTITIONED).partitions.length).toBe(16)
  for (let index = 0; index < 16; index++) a.write(part('a', index), keyIn(index), Uint8Array.of(0xf5), peers.now)
  peers.advance(2 * A_WHILE_MS)
  expect(part('b', 4).replica.table.slotOf(keyIn(4))).toBeDefined()
  expect(part('c', 5).replica.table.slotOf(keyIn(5))).toBeDefined()
  expect([part('b', 5), part('c', 4)]).toEqual([undefined, undefined])
  for (const [name, stored] of [
    ['b', 0],
    ['c', 1],
  ] as const) {
    const collection = peers.peer(name).collections.get('orders', 1, 16)!
    expect(collection.descriptor).toEqual(PARTITIONED)
    expect(collection.partitions.map(({ name: { partition } }) => partition % 2)).toEqual(Array(8).fill(stored))
  }
  const key = `collection/1-16-2-${a.replicaId}/orders`
  expect(a.housekeeping.names.all()).toMatchObject([{ key, descriptor: PARTITIONED, origin: a.replicaId }])
})

test('a row whose key belongs to another partition is malformed, and nothing of its frame is applied', () => {
  const { peers, part } = partitioned()
  peers.peer('a').open(PARTITIONED)
  const ids = new ReplicaIds()
  const block = new BlockWriter(ids)
  const row = { hlc: 1, writer: ids.intern('0123456789abcdef'), replaced: 0, bytes: undefined, start: 0, end: 0 }
  const name = { collection: 'orders', kind: 1, partition: 20 }
  block.row(name, { ...row, sequence: 1, key: keyIn(4) })
  block.row(name, { ...row, sequence: 2, key: keyIn(5) })
  peers.give('a', { type: 'message', from: 'b', bytes: encodeMessage({ type: 'frame', block: block.take() }) })
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toEqual(['MESSAGE_MALFORMED'])
  expect(part('a', 4).replica.vector.isEmpty).toBe(true)
})

test('partitions come back from the disk before it is known what collection they belong to', () => {
  const { peers } = partitioned()
  const disk = new TestDisk()
  peers.crash('a')
  const a = peers.open('a', disk)
  a.open(PARTITIONED)
  for (let index = 0; index < 16; index++) {
    a.write(
      a.collections.find({ collection: 'orders', partition: 16 + index })!,
      keyIn(index),
      Uint8Array.of(1),
      peers.now,
    )
  }
  peers.advance(A_WHILE_MS)
  const before = stateOf(a)
  peers.crash('a')
  const again = peers.open('a', disk)
  expect(peers.events('a', 'damaged')).toEqual([])
  expect(stateOf(again)).toEqual(before)
  peers.advance(A_WHILE_MS)
  expect(again.collections.get('orders', 1, 16)!.descriptor).toEqual(PARTITIONED)
  expect(again.open(PARTITIONED).partitions.length).toBe(16)
  expect(() => again.open({ ...PARTITIONED, owners: 3 })).toThrow(
    'cannot be a partitioned map (16 partitions, 3 owners)',
  )
})

test('a partitioned collection can be opened on what the disk has of it, before the registry says how many own it', () => {
  const disk = new TestDisk()
  const peers = new WiredPeers()
  const a = peers.open('a', disk)
  a.open(PARTITIONED)
  a.write(a.collections.find({ collection: 'orders', partition: 20 })!, keyIn(4), Uint8Array.of(1), peers.now)
  peers.run()
  peers.crash('a')
  const again = peers.open('a', disk)
  expect(again.open(PARTITIONED).descriptor).toEqual(PARTITIONED)
  expect(again.collections.find({ collection: 'orders', partition: 20 })!.replica.table.slotOf(keyIn(4))).toBeDefined()
})

test('two shapes of one name stand side by side, the earlier one counts everywhere, and the other takes no writes', () => {
  const { peers, part } = partitioned()
  peers.cut('a', 'b')
  const [a, b] = [peers.peer('a'), peers.peer('b')]
  a.open(PARTITIONED)
  a.write(part('a', 4), keyIn(4), Uint8Array.of(0xf5), peers.now)
  peers.advance(A_WHILE_MS)
  peers.write('b', 'k', 'replicated', 'orders')
  peers.advance(A_WHILE_MS)
  peers.link('a', 'b')
  peers.advance(A_WHILE_MS)
  expect(peers.events('b', 'mismatch')).toMatchObject([{ name: 'orders' }])
  expect(() => peers.write('b', 'k', 'again', 'orders')).toThrow(
    "'orders' is a partitioned map (16 partitions, 2 owners), and cannot be a replicated map as well",
  )
  expect(peers.value('b', 'k', 'orders')).toBe('replicated')
  expect(part('b', 4).replica.table.slotOf(keyIn(4))).toBeDefined()
  expect(a.collections.get('orders')?.partitions[0]?.replica.table.slotOf('k')).toBeDefined()
  a.write(part('a', 4), keyIn(4), Uint8Array.of(0xf6), peers.now)
  expect(() => b.open({ ...PARTITIONED, owners: 3 })).toThrow('cannot be a partitioned map (16 partitions, 3 owners)')
})

test('a registration that makes no sense is passed over', () => {
  const peers = grid('a')
  const a = peers.peer('a')
  const registry = a.collections.internal({ name: 'grid', kind: 'registry', mode: 'replicated', partitions: 1 })
  const origin = '0123456789abcdef'
  const wrong = ['1-15-2', '1-16-0', '1-16-17', '1-8192-2', '99-16-2'].map((shape) => `${shape}-${origin}`)
  for (const shape of [...wrong, '1-16-2', `1-16-${origin}`, `1-16-2-${origin}-1`, 'x']) {
    a.write(registry, `collection/${shape}/users`, Uint8Array.of(0xa0), peers.now)
  }
  expect(a.housekeeping.names.all().map(({ descriptor }) => descriptor)).toEqual(Array(9).fill(undefined))
  peers.advance(A_WHILE_MS)
  peers.write('a', 'k', 1)
  expect(peers.events('a', 'mismatch')).toEqual([])
})

test('what a peer has stored comes back although it no longer holds it', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('a', disk)
  peers.write('a', 'k', 1, SECRET)
  peers.run()
  peers.crash('a')
  const a = peers.open('a', disk, { placement: ownedBy('a', { [SECRET]: new Set(['b', 'c']) }) })
  expect(peers.events('a', 'damaged')).toEqual([])
  expect(a.collections.get(SECRET)!.partitions.length).toBe(1)
})
