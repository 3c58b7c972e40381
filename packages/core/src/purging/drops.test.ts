import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { DROPS } from '../kinds/kinds.ts'
import { COLLECTIONS_MAX, DROPPED_NAMES_MAX, DROPPED_PER_STEP_MAX, GENERATION_MAX } from '../limits.ts'
import type { Peer } from '../peer/peer.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'
import { Checkpoint } from '../storage/checkpoint.ts'
import { BlockWriter } from '../wire/block.ts'
import { encodeMessage } from '../wire/messages.ts'

function drop(peers: WiredPeers, name: string, collection = 'users'): boolean {
  const written = peers.peer(name).housekeeping.drops!.drop(collection, peers.nowOf(name))
  peers.give(name, { type: 'tick' })
  return written !== undefined
}

function expectEqual(...peers: Peer[]): void {
  for (const peer of peers.slice(1)) {
    expect(stateOf(peer)).toEqual(stateOf(peers[0]!))
    expect(peer.collections.root()).toBe(peers[0]!.collections.root())
  }
}

function names({ collections }: Peer): string[] {
  return [...collections].filter(({ descriptor }) => descriptor.kind === 'map').map(({ title }) => title)
}

test('a dropped collection is gone on all peers, and one of that name is a new one', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  peers.write('a', 'k', 1)
  peers.advance(1000)
  const [old, there] = [partitionOf(a), partitionOf(b)]
  expect(drop(peers, 'a')).toBe(true)
  expect(old.replica.table.size).toBe(0)
  peers.advance(1000)
  expect(names(b)).toEqual([])
  expect(there.replica.table.size).toBe(0)
  expect(peers.events('b', 'dropped')).toEqual([
    { type: 'dropped', name: 'users', kind: 'map', local: false, lostWrites: 0, lost: [] },
  ])
  expect(drop(peers, 'a')).toBe(false)
  const mine = partitionOf(b)
  expect(mine).not.toBe(there)
  expect(() => b.write(there, 'k', undefined, peers.now)).toThrow(
    expect.objectContaining({ code: 'COLLECTION_DROPPED' }),
  )
  peers.write('b', 'new', 2)
  peers.advance(1000)
  expect([peers.value('a', 'k'), peers.value('a', 'new')]).toEqual([undefined, 2])
  expect(peers.events('a', 'refused')).toEqual([])
  expectEqual(a, b)
})

test('a peer that was away learns of it, and gets to know which of its writes were lost', () => {
  const peers = new WiredPeers()
  const [a, b, c] = [peers.open('a', new TestDisk()), peers.open('b', new TestDisk()), peers.open('c')]
  for (const [one, other] of [
    ['a', 'b'],
    ['b', 'c'],
    ['a', 'c'],
  ] as const)
    peers.link(one, other)
  peers.write('b', 'seen', 1)
  peers.advance(1000)
  for (const other of ['a', 'c']) peers.cut('b', other)
  drop(peers, 'a')
  peers.write('a', 'new', 'of a')
  peers.write('b', 'unseen', 2)
  peers.write('b', 'seen', 3)
  peers.advance(1000)
  peers.link('b', 'c')
  peers.advance(60_000)
  const [event] = peers.events('b', 'dropped')
  expect(event).toMatchObject({ local: false, lostWrites: 2 })
  expect(event!.lost).toEqual([
    { key: 'seen', value: 3 },
    { key: 'unseen', value: 2 },
  ])
  for (const name of ['a', 'b', 'c']) {
    expect([peers.value(name, 'seen'), peers.value(name, 'new')]).toEqual([undefined, 'of a'])
    expect(peers.events(name, 'refused')).toEqual([])
    expect(peers.events(name, 'replica-id').slice(1)).toEqual([])
  }
  expectEqual(a, b, c)
})

test('two peers that drop it at once, and start over, share the new one', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  peers.write('a', 'k', 1)
  peers.advance(1000)
  peers.cut('a', 'b')
  for (const name of ['a', 'b']) {
    drop(peers, name)
    peers.write(name, `of ${name}`, name)
  }
  peers.link('a', 'b')
  peers.advance(60_000)
  for (const name of ['a', 'b']) expect([peers.value(name, 'of a'), peers.value(name, 'of b')]).toEqual(['a', 'b'])
  expect(peers.events('a', 'dropped').length).toBe(1)
  expectEqual(a, b)
})

test('a drop that was made without knowing of an earlier one does not drop what was started over', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  peers.write('a', 'k', 1)
  peers.advance(1000)
  peers.cut('a', 'b')
  drop(peers, 'a')
  peers.write('a', 'new', 'stays')
  peers.advance(5000)
  drop(peers, 'b')
  peers.link('a', 'b')
  peers.advance(60_000)
  for (const name of ['a', 'b']) expect(peers.value(name, 'new')).toBe('stays')
  expectEqual(a, b)
})

test('it leaves the store, a crash brings back all of it or nothing, and only what no drop was stored for', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const logMin = vi.spyOn(Checkpoint.prototype, 'logMinBytes', 'get').mockReturnValue(0)
  peers.open('a', disk)
  for (let i = 0; i < 50; i++) peers.write('a', `key ${i}`, i)
  peers.advance(10)
  logMin.mockRestore()
  peers.write('a', 'key 7', 'late')
  peers.run()
  const from = disk.history.length
  drop(peers, 'a')
  peers.write('a', 'new', 'of a')
  peers.advance(20_000)
  const found = disk.history.slice(from).map((blobs) => {
    const after = new WiredPeers()
    const again = after.open('a', disk.copy(blobs))
    expect(after.events('a', 'damaged')).toEqual([])
    const sizes = [...again.collections].flatMap(({ descriptor, partitions }) => {
      return descriptor.kind === 'map' ? [`${descriptor.name} ${partitions[0]!.replica.table.size}`] : []
    })
    return sizes.join()
  })
  expect(new Set(found)).toEqual(new Set(['', 'users\uE0001 1']))
  expect(disk.keys('part/').length).toBeLessThanOrEqual(3)
  const before = new WiredPeers()
  before.open('a', disk.copy(disk.history[from - 1]))
  expect(before.value('a', 'key 7')).toBe('late')
})

test('its place among the collections that there may be comes back, and its name leaves the registry', () => {
  const peers = new WiredPeers()
  const a = peers.open('a', new TestDisk())
  for (let i = 0; i < COLLECTIONS_MAX; i++) partitionOf(a, `collection ${i}`)
  expect(() => partitionOf(a, 'more')).toThrow(expect.objectContaining({ code: 'COLLECTION_LIMIT' }))
  peers.write('a', 'k', 1, 'collection 0')
  peers.advance(60_000)
  expect(a.housekeeping.names.all().map(({ name }) => name)).toEqual(['collection 0'])
  drop(peers, 'a', 'collection 0')
  peers.write('a', 'k', 1, 'more')
  peers.advance(60_000)
  expect(a.housekeeping.names.all().map(({ name }) => name)).toEqual(['more'])
})

test('a name may become another kind, and is dropped again and again', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  peers.write('a', 'k', 1)
  peers.advance(1000)
  for (let turn = 0; turn < 5; turn++) {
    drop(peers, turn % 2 === 0 ? 'a' : 'b')
    peers.advance(1000)
    const set = b.open({ name: 'users', kind: 'set', mode: 'replicated', partitions: 1 })
    b.write(set.partitions[0]!, `"e"\u0000${b.slotId}`, Uint8Array.of(0xf5), peers.now)
    peers.give('b', { type: 'tick' })
    peers.advance(1000)
  }
  expect(a.report(peers.now).collectionNames).toEqual([{ name: 'users', kind: 'set', drops: 5 }])
  expectEqual(a, b)
})

test('of several drops of a name a durable peer keeps the last, and still knows all of them after a restart', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  for (let turn = 0; turn < 4; turn++) {
    peers.write('a', 'k', turn)
    drop(peers, 'a')
  }
  peers.write('a', 'k', 'last')
  peers.advance(60_000)
  const drops = a.collections.get('drops', 9)!.partitions[0]!.replica.table
  expect([drops.liveCount, drops.tombstoneCount]).toEqual([1, 3])
  const after = new WiredPeers()
  const again = after.open('a', disk.copy())
  expect(after.value('a', 'k')).toBe('last')
  expect(again.collections.dropped.generationOf('users')).toBe(4)
})

test('the generation of a name never falls, in whatever order drops and their tombstones come, with restarts', () => {
  const peers = new WiredPeers()
  const a = peers.open('a', new TestDisk())
  const frames = new Map<string, Uint8Array>()
  const collect = (): void => {
    const { name, replica } = a.collections.internal(DROPS)
    for (const slot of replica.table.slots()) {
      const row = replica.row(slot)
      const bytes = row.bytes?.slice(row.start, row.end)
      const block = new BlockWriter(a.collections.ids)
      block.row(name, { ...row, bytes, start: 0, end: bytes?.length ?? 0 })
      frames.set(`${row.key} ${row.sequence}`, encodeMessage({ type: 'frame', block: block.take() }))
    }
  }
  for (let turn = 0; turn < 4; turn++) {
    peers.write('a', 'k', turn)
    drop(peers, 'a')
    collect()
  }
  peers.advance(60_000)
  collect()
  expect(frames.size).toBe(7)
  const order = fc.shuffledSubarray([...frames.values()], { minLength: 7 })
  fc.assert(
    fc.property(order, fc.boolean(), (arriving, isCut) => {
      const others = new WiredPeers()
      if (isCut) vi.spyOn(Checkpoint.prototype, 'logMinBytes', 'get').mockReturnValue(0)
      others.open('c', new TestDisk())
      let before = 0
      for (const bytes of arriving) {
        others.give('c', { type: 'broadcast', from: 'a', bytes })
        others.advance(1000)
        const now = others.peer('c').collections.dropped.generationOf('users')
        const again = others.open('c', others.crash('c'))
        expect(again.collections.dropped.generationOf('users')).toBe(now)
        expect(now).toBeGreaterThanOrEqual(before)
        before = now
      }
      expect(before).toBe(4)
      vi.restoreAllMocks()
    }),
    { numRuns: 40 },
  )
})

test('purging goes on although a proposal is about what was dropped since', () => {
  const peers = new WiredPeers()
  const day = 86_400_000
  const [a, b] = [peers.open('a', new TestDisk()), peers.open('b', new TestDisk())]
  peers.link('a', 'b')
  peers.write('a', 'k', 1)
  peers.write('a', 'k', undefined)
  peers.write('a', 'kept', 1, 'other')
  peers.write('a', 'kept', undefined, 'other')
  peers.advance(60_000)
  peers.cut('a', 'b')
  drop(peers, 'a')
  peers.advance(60_000)
  peers.link('a', 'b')
  for (let i = 0; i < 40; i++) {
    peers.sleep(day / 2)
    peers.advance(40_000)
  }
  for (const peer of [a, b]) expect(partitionOf(peer, 'other').replica.table.size).toBe(0)
  expectEqual(a, b)
})

test('names that were dropped are bounded', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  vi.spyOn(a.collections.dropped, 'size', 'get').mockReturnValue(DROPPED_NAMES_MAX)
  expect(() => drop(peers, 'a')).toThrow(expect.objectContaining({ code: 'COLLECTION_LIMIT' }))
  expect(peers.value('a', 'k')).toBe(1)
})

test.each(['n', 'ü', '漢'])(
  'a name of %s is dropped again and again up to 120 bytes, and not at all beyond',
  (letter) => {
    const peers = new WiredPeers()
    const a = peers.open('a', new TestDisk())
    const longest = letter.repeat(120 / new TextEncoder().encode(letter).length)
    for (const generation of [1, 2]) {
      peers.write('a', 'k', generation, longest)
      drop(peers, 'a', longest)
      expect(a.collections.dropped.generationOf(longest)).toBe(generation)
    }
    // The last number that there may be.
    a.write(a.collections.internal(DROPS), `${longest}\u0000${GENERATION_MAX - 1}`, Uint8Array.of(0xf6), peers.now)
    peers.write('a', 'k', 'new', longest)
    expect(peers.value('a', 'k', longest)).toBe('new')
    peers.write('a', 'k', 1, `${longest}n`)
    expect(() => drop(peers, 'a', `${longest}n`)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
    expect(peers.value('a', 'k', `${longest}n`)).toBe(1)
    expect(drop(peers, 'a', `${letter.repeat(50)} not there`)).toBe(false)
  },
)

test('a name that could be taken for a later generation is refused', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  expect(() => partitionOf(a, 'users\uE0001')).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
})

test('rows of a peer that does not know drops are passed over, again and again, and are no offence', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  peers.write('b', 'k', 1)
  peers.advance(1000)
  const theirs = partitionOf(b)
  const row = theirs.replica.row(theirs.replica.table.slotOf('k')!)
  const block = new BlockWriter(b.collections.ids)
  block.row(theirs.name, { ...row, bytes: row.bytes!.slice(row.start, row.end), start: 0, end: row.end - row.start })
  block.superseded(theirs.name, row.writer, [7, 9])
  const bytes = encodeMessage({ type: 'frame', block: block.take() })
  drop(peers, 'a')
  peers.advance(1000)
  const before = stateOf(a)
  for (let turn = 0; turn < 20; turn++) peers.give('a', { type: 'broadcast', from: 'old', bytes })
  // Not even those of its own replica id.
  peers.give('b', { type: 'broadcast', from: 'old', bytes })
  peers.run()
  expect(stateOf(a)).toEqual(before)
  for (const name of ['a', 'b']) {
    expect(peers.events(name, 'refused')).toEqual([])
    expect(peers.events(name, 'replica-id').slice(1)).toEqual([])
    expect(peers.peer(name).offences.total).toBe(0)
  }
})

test('rows of drops that make no sense drop nothing else', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  peers.write('a', 'k', 1)
  const drops = a.collections.internal(DROPS)
  const keys = [
    'users',
    'users\u0000x',
    'users\u0000-1',
    'users\u00000.5',
    'users\u0000100000',
    '\u00000',
    'other\u00003',
  ]
  for (const key of keys) a.write(drops, key, Uint8Array.of(0xf6), peers.now)
  peers.give('a', { type: 'tick' })
  expect(peers.value('a', 'k')).toBe(1)
  expect(peers.events('a', 'dropped')).toEqual([])
  // A sound key with a value that says nothing of what its peer had seen.
  a.write(drops, 'users\u00000', Uint8Array.of(0xf6), peers.now)
  peers.give('a', { type: 'tick' })
  expect(names(a)).toEqual([])
})

/** What the three peers do, in order. */
type Act =
  | { readonly type: 'write'; readonly by: number; readonly name: string; readonly key: string }
  | { readonly type: 'drop'; readonly by: number; readonly name: string }
  | { readonly type: 'meet'; readonly by: number; readonly with: number }
  | { readonly type: 'restart'; readonly by: number }

const PEERS = ['a', 'b', 'c']
const by = fc.nat(2)
const name = fc.constantFrom('users', 'pages')
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('write' as const), by, name, key: fc.constantFrom('x', 'y') }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('drop' as const), by, name }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('meet' as const), by, with: by }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), by }) },
)

test('whatever order drops and writes arrive in, what was written with knowledge of all drops is there, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40, size: 'max' }), (acts) => {
      const peers = new WiredPeers()
      const disks = PEERS.map(() => new TestDisk())
      PEERS.forEach((each, i) => peers.open(each, disks[i]))
      /** The highest generation that was dropped, as each peer knows it, and what was written to which generation. */
      const known = PEERS.map(() => new Map<string, number>())
      const written: { name: string; generation: number; key: string; value: number }[] = []
      let count = 0
      const generationAt = (i: number, of: string): number => known[i]!.get(of) ?? 0
      for (const each of acts) {
        const who = PEERS[each.by]!
        peers.advance(10)
        if (each.type === 'write') {
          count += 1
          written.push({ name: each.name, generation: generationAt(each.by, each.name), key: each.key, value: count })
          peers.write(who, each.key, count, each.name)
        } else if (each.type === 'drop') {
          if (drop(peers, who, each.name)) known[each.by]!.set(each.name, generationAt(each.by, each.name) + 1)
        } else if (each.type === 'restart') {
          peers.run()
          peers.open(who, peers.crash(who))
        } else if (each.by !== each.with) {
          peers.link(who, PEERS[each.with]!)
          peers.advance(3000)
          peers.cut(who, PEERS[each.with]!)
          for (const of of ['users', 'pages']) {
            const both = Math.max(generationAt(each.by, of), generationAt(each.with, of))
            for (const i of [each.by, each.with]) known[i]!.set(of, both)
          }
        }
      }
      for (const [one, other] of [
        ['a', 'b'],
        ['b', 'c'],
        ['a', 'c'],
      ] as const)
        peers.link(one, other)
      peers.advance(90_000)
      expectEqual(...PEERS.map((each) => peers.peer(each)))
      for (const of of ['users', 'pages']) {
        const generation = Math.max(...PEERS.map((_, i) => generationAt(i, of)))
        for (const key of ['x', 'y']) {
          const last = written.findLast(
            (each) => each.name === of && each.key === key && each.generation === generation,
          )
          expect(peers.value('a', key, of)).toBe(last?.value)
        }
      }
      for (const each of PEERS) expect(peers.events(each, 'refused')).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test('a large collection that is open is emptied in steps, here and where the drop arrives, several within one bound', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b') as [Peer, Peer]
  const count = 2 * DROPPED_PER_STEP_MAX + 10
  for (let i = 0; i < count; i++) peers.write('a', `key ${i}`, i, i % 2 === 0 ? 'users' : 'others')
  peers.advance(5000)
  const names = ['users', 'others']
  const opened = new Map([a, b].map((peer) => [peer, names.map((name) => partitionOf(peer, name).replica.table)]))
  const sizeAt = (peer: Peer): number => opened.get(peer)!.reduce((sum, { size }) => sum + size, 0)
  expect([sizeAt(a), sizeAt(b)]).toEqual([count, count])
  const removed = new Map<Peer, number[]>([
    [a, []],
    [b, []],
  ])
  for (const peer of [a, b]) {
    const step = peer.step.bind(peer)
    vi.spyOn(peer, 'step').mockImplementation((input, now) => {
      const before = sizeAt(peer)
      const effects = step(input, now)
      if (sizeAt(peer) < before) removed.get(peer)!.push(before - sizeAt(peer))
      return effects
    })
  }
  for (const name of names) a.housekeeping.drops!.drop(name, peers.now)
  expect(sizeAt(a)).toBe(DROPPED_PER_STEP_MAX + 10)
  // Nothing of it is left to open.
  expect(a.report(peers.now).collectionNames).toEqual([])
  peers.give('a', { type: 'tick' })
  peers.run()
  expect(removed.get(a)).toEqual([DROPPED_PER_STEP_MAX, 10])
  expect(removed.get(b)).toEqual([DROPPED_PER_STEP_MAX, DROPPED_PER_STEP_MAX, 10])
  expect(peers.events('b', 'dropped').map(({ name }) => name)).toEqual(names)
  expectEqual(a, b)
})

test('what a crash leaves of a drop is let go at the next start, in no step', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  const count = 3 * DROPPED_PER_STEP_MAX
  for (let i = 0; i < count; i++) peers.write('a', `key ${i}`, i)
  peers.run()
  const { table } = partitionOf(a).replica
  drop(peers, 'a')
  expect(table.size).toBeGreaterThan(0)
  // Of the store nothing has gone yet: the log has all that was written, and the drop.
  const after = new WiredPeers()
  const again = after.open('a', peers.crash('a'))
  expect(names(again)).toEqual([])
  expect(again.housekeeping.wakeAtMs).toBeGreaterThan(0)
  expect(after.value('a', 'key 7')).toBeUndefined()
  after.write('a', 'key 7', 'new')
  after.advance(60_000)
  expect(after.value('a', 'key 7')).toBe('new')
  expect(disk.keys('log/').length).toBeLessThan(10)
})
