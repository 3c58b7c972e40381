import { afterEach, expect, test, vi } from 'vitest'
import { Checkpoint } from '../storage/checkpoint.ts'
import type { Peer } from './peer.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

afterEach(() => vi.restoreAllMocks())

/** Checkpoints start as soon as the log has outgrown the data, and segments are small. */
function shortLogs(): void {
  vi.spyOn(Checkpoint.prototype, 'logMinBytes', 'get').mockReturnValue(1000)
  vi.spyOn(Checkpoint.prototype, 'segmentMaxBytes', 'get').mockReturnValue(20_000)
}

function text(sizeBytes: number, of: number): string {
  return String.fromCharCode(97 + (of % 26)).repeat(sizeBytes)
}

/** A peer with segments, on a disk; values are large enough for several segments. */
function filled(peers: WiredPeers, disk: TestDisk, keys = 200, sizeBytes = 400): Peer {
  const peer = peers.open('a', disk)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < keys; i++) peers.write('a', `key ${i}`, text(sizeBytes, i + round))
    peers.run()
  }
  return peer
}

function reopened(disk: TestDisk): { peers: WiredPeers; peer: Peer } {
  const peers = new WiredPeers()
  const peer = peers.open('a', disk)
  peers.run()
  return { peers, peer }
}

test('a checkpoint cuts the log and a peer opens on what it wrote', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const peer = filled(peers, disk)
  peers.write('a', 'deleted', undefined)
  peers.run()
  expect(disk.keys('seg/').length).toBeGreaterThan(4)
  const first = Number(disk.keys('log/')[0]?.slice(4))
  expect(first).toBeGreaterThan(1)
  const again = reopened(disk.copy())
  expect(stateOf(again.peer)).toEqual(stateOf(peer))
  expect(again.peer.replicaId).toBe(peer.replicaId)
  expect(again.peers.events('a', 'damaged')).toEqual([])
})

test('a checkpoint rewrites only the segments that changed', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const peer = filled(peers, disk)
  // Outgrow the log with one key: everything else is clean by the second checkpoint.
  for (let i = 0; i < 500; i++) peers.write('a', 'key 7', text(400, i))
  peers.run()
  disk.batches.length = 0
  for (let i = 0; i < 500; i++) peers.write('a', 'key 7', text(400, i))
  peers.run()
  const puts = disk.batches.flat().filter((operation) => operation.type === 'put')
  const segments = new Set(puts.map((put) => put.key).filter((key) => key.startsWith('seg/')))
  expect(disk.batches.flat().some((operation) => operation.key.startsWith('part/'))).toBe(true)
  expect(segments.size).toBe(1)
  expect(disk.keys('seg/').length).toBeGreaterThan(4)
  expect(stateOf(reopened(disk.copy()).peer)).toEqual(stateOf(peer))
})

test('a partition that has not changed is not written again', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  filled(peers, disk, 20, 500)
  peers.write('a', 'k', 1, 'quiet')
  for (let i = 0; i < 100; i++) peers.write('a', `key ${i % 20}`, text(500, i))
  peers.run()
  const quiet = disk.keys('part/')[1]!
  disk.batches.length = 0
  for (let i = 0; i < 200; i++) peers.write('a', `key ${i % 20}`, text(500, i))
  peers.run()
  const keys = disk.batches.flat().map((operation) => operation.key)
  expect(keys.some((key) => key.startsWith('part/'))).toBe(true)
  expect(keys).not.toContain(quiet)
  expect(stateOf(reopened(disk.copy()).peer)).toHaveProperty('quiet')
})

test('what opening found in the log only survives the next checkpoint', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  filled(peers, disk, 30, 200)
  shortLogs()
  const again = reopened(disk)
  for (let i = 0; i < 300; i++) again.peers.write('a', 'hot', text(200, i))
  again.peers.run()
  expect(disk.keys('part/').length).toBe(1)
  expect(stateOf(reopened(disk.copy()).peer)).toEqual(stateOf(again.peer))
})

test('reopening after any batch of a checkpoint gives the same state, the same id and no damage', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  // Three generations of segments: none, few, and more once the values are larger.
  shortLogs()
  filled(peers, disk, 60, 200)
  for (const round of [1, 2, 3]) {
    disk.paused = true
    for (let i = 0; i < 120; i++) peers.write('a', `key ${i % 60}`, text(round * 500, i))
    peers.run()
    const from = disk.batches.length
    for (let i = 0; i < 100; i++) {
      peers.answer('a')
      peers.run()
    }
    disk.paused = false
    // From the first segment on, the log is complete.
    const started = disk.batches.findIndex((batch, i) => i >= from && batch.some(({ key }) => key.startsWith('seg/')))
    const states = disk.history.slice(started).map((blobs) => reopened(disk.copy(blobs)))
    const last = states.at(-1)!
    expect(states.length).toBeGreaterThan(2)
    for (const { peer, peers: of } of states) {
      expect(of.events('a', 'damaged')).toEqual([])
      expect(peer.replicaId).toBe(last.peer.replicaId)
      expect(stateOf(peer)).toEqual(stateOf(last.peer))
    }
  }
})

test('reopening after any batch while writes go on loses nothing that was durable', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const random = new SeededRandom(12)
  const peer = filled(peers, disk, 8, 6000)
  disk.paused = true
  const written: { writeId: number; key: string; hlc: number }[] = []
  const points: { blobs: Map<string, Uint8Array>; durable: number }[] = []
  for (let i = 0; i < 60; i++) {
    const key = random.below(2) === 0 ? `key ${random.below(8)}` : `new ${i}`
    const { writeId, hlc } = peers.write('a', key, text(random.below(2) === 0 ? 4000 : 10, i))
    written.push({ writeId, key, hlc })
    peers.answer('a')
    peers.run()
    const durable = peers.events('a', 'durable').at(-1)?.writeId ?? 0
    points.push({ blobs: new Map(disk.blobs), durable })
  }
  expect(points.some(({ blobs }) => [...blobs.keys()].some((key) => key.startsWith('part/')))).toBe(true)
  for (const { blobs, durable } of points) {
    const again = reopened(disk.copy(blobs))
    expect(again.peers.events('a', 'damaged')).toEqual([])
    expect(again.peer.replicaId).toBe(peer.replicaId)
    const { replica } = partitionOf(again.peer)
    for (const { writeId, key, hlc } of written) {
      if (writeId > durable) continue
      expect(replica.table.hlc(replica.table.slotOf(key)!)).toBeGreaterThanOrEqual(hlc)
    }
  }
})

test('entries that come into an empty segment while the segments are being split are not counted as stored', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const peer = peers.open('a', disk)
  disk.paused = true
  for (let i = 0; i < 18; i++) peers.write('a', `key ${i % 6}`, text(8000, i))
  const segmentPending = (): boolean => disk.keys('seg/').length > 0
  for (let i = 0; i < 100 && !segmentPending(); i++) {
    peers.answer('a')
    peers.run()
  }
  expect(disk.keys('part/')).toEqual([])
  for (let i = 0; i < 40; i++) peers.write('a', `new ${i}`, i)
  for (let i = 0; i < 100; i++) {
    peers.answer('a')
    peers.run()
  }
  expect(disk.keys('part/').length).toBe(1)
  const again = reopened(disk.copy())
  expect(again.peers.events('a', 'damaged')).toEqual([])
  expect(stateOf(again.peer)).toEqual(stateOf(peer))
})

test('a memory-only peer never asks to be woken for a checkpoint', () => {
  shortLogs()
  const peers = new WiredPeers()
  const peer = peers.open('a')
  for (let i = 0; i < 100; i++) peers.write('a', `key ${i}`, text(1000, i))
  peers.advance(10)
  expect(peer.wakeAtMs).toBeGreaterThan(peers.monotonicMs)
})

test('a checkpoint waits while the store refuses, and goes on afterwards', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const peer = filled(peers, disk, 20, 1000)
  disk.failing = true
  for (let i = 0; i < 100; i++) peers.write('a', `key ${i % 20}`, text(1000, i))
  peers.advance(10_000)
  disk.failing = false
  peers.advance(60_000)
  expect(peer.commit.failing).toBe(false)
  expect(stateOf(reopened(disk.copy()).peer)).toEqual(stateOf(peer))
})

test('a segment whose entries all went is no damage when it was never written, and does not come back when it was', () => {
  shortLogs()
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const peer = filled(peers, disk, 20, 1000)
  const { replica } = partitionOf(peer, 'gone')
  const checkpoint = (): void => {
    const parts = disk.batches.length
    for (
      let i = 0;
      !disk.batches
        .slice(parts)
        .flat()
        .some(({ key }) => key.startsWith('part/'));
      i++
    ) {
      peers.write('a', 'key 7', text(1000, i))
      peers.run()
    }
  }
  for (const isWritten of [false, true]) {
    peers.write('a', 'k', 1, 'gone')
    peers.run()
    if (isWritten) checkpoint()
    replica.drop(replica.table.slotOf('k')!)
    checkpoint()
    const again = reopened(disk.copy())
    expect(again.peers.events('a', 'damaged')).toEqual([])
    expect(partitionOf(again.peer, 'gone').replica.table.size).toBe(0)
  }
})
