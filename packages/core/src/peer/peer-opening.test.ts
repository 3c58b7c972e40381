import { afterEach, expect, test, vi } from 'vitest'
import { Checkpoint } from '../storage/checkpoint.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import type { Peer } from './peer.ts'
import { openPeer } from './open-peer.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { claimsFalsely, partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

afterEach(() => vi.restoreAllMocks())

interface Grid {
  readonly peers: WiredPeers
  readonly disk: TestDisk
  readonly replicaId: string
  readonly b: Peer
}

/** A peer `a` that was closed, whose disk holds segments and more log, and a peer `b` that has seen all of it. */
function closed(): Grid {
  vi.spyOn(Checkpoint.prototype, 'logMinBytes', 'get').mockReturnValue(1000)
  vi.spyOn(Checkpoint.prototype, 'segmentMaxBytes', 'get').mockReturnValue(20_000)
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const [a, b] = [peers.open('a', disk), peers.open('b')]
  peers.link('a', 'b')
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 40; i++) {
      peers.write(i % 4 === 0 ? 'b' : 'a', `key ${i}`, 'x'.repeat(800 + round))
      peers.run()
    }
  }
  // Outgrow the log with one key: what is in the log afterwards concerns few of the segments.
  for (let i = 0; i < 60; i++) {
    peers.write('a', 'hot', 'x'.repeat(800))
    peers.run()
  }
  for (let i = 0; i < 5; i++) {
    peers.write('b', 'hot', i)
    peers.advance(20)
    peers.write('a', 'late', i)
    peers.advance(20)
  }
  vi.restoreAllMocks()
  peers.advance(1000)
  expect(stateOf(a)).toEqual(stateOf(b))
  peers.crash('a')
  return { peers, disk, replicaId: a.replicaId, b }
}

const blobs: Record<string, (disk: TestDisk) => string> = {
  meta: () => 'meta',
  'a part': (disk) => disk.keys('part/')[0]!,
  'the first segment': (disk) => disk.keys('seg/')[0]!,
  'the last segment': (disk) => disk.keys('seg/').at(-1)!,
  'the first log blob': (disk) => disk.keys('log/')[0]!,
  'a log blob in the middle': (disk) => disk.keys('log/').at(-3)!,
  'the last log blob': (disk) => disk.keys('log/').at(-1)!,
}

/** Opens `a` again, checks what it claims, and lets it heal from `b`. */
function expectHeals({ peers, disk, replicaId, b }: Grid): void {
  const a = peers.open('a', disk)
  expect(a.replicaId).not.toBe(replicaId)
  expect(claimsFalsely(a, b)).toBe(false)
  peers.run()
  expect(peers.events('a', 'damaged').length).toBeGreaterThan(0)
  peers.write('a', 'written while damaged', 1)
  peers.link('a', 'b')
  peers.advance(1000)
  expect(stateOf(a)).toEqual(stateOf(b))
}

/** The damage is reported once: it is gone from the store by the next start. */
function expectSound({ peers, disk, b }: Grid): void {
  const { replicaId } = peers.open('a', peers.crash('a'))
  const a = peers.open('a', peers.crash('a'))
  peers.run()
  expect(peers.events('a', 'damaged')).toEqual([])
  expect(a.replicaId).toBe(replicaId)
  peers.link('a', 'b')
  peers.advance(1000)
  expect(stateOf(a)).toEqual(stateOf(b))
  expect(disk.keys('aside/').length).toBeLessThanOrEqual(1)
}

for (const [what, find] of Object.entries(blobs)) {
  test(`${what} damaged: a new replica id, no false claim, and healed from the others`, () => {
    const grid = closed()
    const key = find(grid.disk)
    const bytes = grid.disk.blobs.get(key)!
    bytes.fill(0xff, bytes.length >> 1)
    expectHeals(grid)
    expect(grid.disk.keys('aside/')).toEqual([`aside/${key}`])
    expectSound(grid)
  })

  test(`${what} cut short: likewise`, () => {
    const grid = closed()
    const key = find(grid.disk)
    grid.disk.blobs.set(key, grid.disk.blobs.get(key)!.slice(0, -1))
    expectHeals(grid)
    expectSound(grid)
  })

  test(`${what} missing: likewise, where it can be detected`, () => {
    const grid = closed()
    grid.disk.blobs.delete(find(grid.disk))
    // Nothing tells that a last log blob was there, but that the others know more of this peer than it does itself.
    if (what === 'the last log blob') return
    expectHeals(grid)
    expectSound(grid)
  })
}

test('a second damage while the first one is being repaired: no false claim, wherever the two are', () => {
  let points = 0
  for (const first of Object.values(blobs)) {
    const { peers, disk, b } = closed()
    const key = first(disk)
    disk.blobs.set(key, disk.blobs.get(key)!.slice(0, -1))
    const from = disk.history.length
    peers.open('a', disk)
    peers.run()
    for (const state of disk.history.slice(from)) {
      for (const second of state.keys()) {
        if (second.startsWith('aside/')) continue
        const cut = new Map(state).set(second, state.get(second)!.slice(0, -1))
        const missing = new Map(state)
        missing.delete(second)
        for (const [how, damaged] of Object.entries({ cut, missing })) {
          const again = new WiredPeers().open('a', disk.copy(damaged))
          const point = { key, second, how, claimsFalsely: claimsFalsely(again, b) }
          expect(point).toEqual({ key, second, how, claimsFalsely: false })
          points += 1
        }
      }
    }
  }
  expect(points).toBeGreaterThan(100)
})

test('a last log blob that was lost shows when the others know more of this peer than it does', () => {
  const { peers, disk, replicaId, b } = closed()
  disk.blobs.delete(disk.keys('log/').at(-1)!)
  const a = peers.open('a', disk)
  expect(a.replicaId).toBe(replicaId)
  peers.link('a', 'b')
  peers.advance(1000)
  expect(a.replicaId).not.toBe(replicaId)
  expect(peers.events('a', 'replica-id').length).toBe(1)
  expect(stateOf(a)).toEqual(stateOf(b))
})

test('dots given out twice, because what was lost was written over before anybody could tell, cost the id and converge', () => {
  const { peers, disk, b, replicaId } = closed()
  disk.blobs.delete(disk.keys('log/').at(-1)!)
  const a = peers.open('a', disk)
  peers.write('a', 'written before it is known', 1)
  peers.link('a', 'b')
  peers.advance(100_000)
  expect(stateOf(a)).toEqual(stateOf(b))
  expect(a.replicaId).not.toBe(replicaId)
  expect(peers.events('a', 'replica-id').length).toBe(1)
  expect(peers.value('b', 'written before it is known')).toBe(1)
  expect(peers.value('a', 'late')).toBe(4)
})

test('the entries of a damaged part are kept, although no other peer has them', () => {
  const { peers, disk, b } = closed()
  const before = partitionOf(b).replica.table.liveCount
  const key = disk.keys('part/')[0]!
  disk.blobs.set(key, Uint8Array.of(1, 2, 3))
  const a = peers.open('a', disk)
  expect(partitionOf(a).replica.table.liveCount).toBe(before)
  peers.run()
  const again = peers.open('a', peers.crash('a'))
  expect(partitionOf(again).replica.table.liveCount).toBe(before)
  peers.run()
  expect(peers.events('a', 'damaged')).toEqual([])
})

test('a damaged segment that no peer can heal is reported once and not at every start', () => {
  const { peers, disk } = closed()
  disk.blobs.set(disk.keys('seg/')[0]!, Uint8Array.of(9))
  peers.open('a', disk)
  peers.run()
  expect(peers.events('a', 'damaged').length).toBe(1)
  const a = peers.open('a', peers.crash('a'))
  peers.run()
  expect(peers.events('a', 'damaged')).toEqual([])
  const { replicaId } = a
  expect(peers.open('a', peers.crash('a')).replicaId).toBe(replicaId)
})

test('a store copied to another peer gives that peer a new replica id and all the entries', () => {
  const { peers, disk, replicaId, b } = closed()
  const c = peers.open('c', disk.copy())
  expect(c.replicaId).not.toBe(replicaId)
  expect(peers.open('a', disk).replicaId).toBe(replicaId)
  expect(stateOf(c)).toEqual(stateOf(b))
  peers.write('a', 'from a', 1)
  peers.write('c', 'from c', 1)
  peers.link('a', 'b')
  peers.link('c', 'b')
  peers.advance(1000)
  expect(stateOf(c)).toEqual(stateOf(b))
  expect(peers.value('a', 'from c')).toBe(1)
})

test('a store of a newer format is not touched', () => {
  const meta = encodeValue({ format: 99, anything: 'else' }, 1000)
  const opening = openPeer({
    peerId: 'a',
    gridName: 'test',
    random: new SeededRandom(1),
    persistent: true,
    software: 'test',
  })
  expect(() => opening.offer('meta', meta)).toThrow(expect.objectContaining({ code: 'STORAGE_FORMAT' }))
})

test('a store of format 1, which knew maps alone, is read as it is', () => {
  const { peers, disk, replicaId } = closed()
  const meta = decodeValue(disk.blobs.get('meta')!) as Record<string, unknown>
  expect(meta['format']).toBe(4)
  disk.blobs.set('meta', encodeValue({ ...meta, format: 1, parts: undefined, damaged: undefined }, 1000))
  const again = peers.open('a', disk)
  expect(again.replicaId).toBe(replicaId)
  expect(peers.events('a', 'damaged')).toEqual([])
  expect(peers.value('a', 'key 39')).toBe('x'.repeat(801))
})

test('a first start is no damage', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.run()
  expect(peers.events('a', 'damaged')).toEqual([])
  expect(peers.events('a', 'replica-id').map((event) => event.replicaId)).toEqual([a.replicaId])
  expect(peers.open('a', peers.crash('a')).replicaId).toBe(a.replicaId)
})

test('a stored clock more than a day ahead is not believed', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.wallMs += 3 * 86_400_000
  const { replicaId } = peers.open('a', disk)
  peers.write('a', 'k', 1)
  peers.run()
  peers.crash('a')
  peers.wallMs -= 3 * 86_400_000
  const a = peers.open('a', disk)
  expect(a.replicaId).not.toBe(replicaId)
  peers.write('a', 'other', 2)
  peers.write('a', 'k', 3)
  expect(peers.value('a', 'k')).toBe(3)
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(5000)
  expect(peers.value('b', 'other')).toBe(2)
  peers.run()
  const again = peers.open('a', peers.crash('a'))
  expect(peers.value('a', 'k')).toBe(3)
  expect(again.hlc).toBeDefined()
})
