import { expect, test } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import {
  BROADCASTS_IN_FLIGHT_MAX,
  FRAME_BURST_MAX,
  FRAME_GAP_MS,
  FRAME_MAX_BYTES,
  FRAME_WRITES_MAX,
  UNDURABLE_MAX_BYTES,
  UNDURABLE_WRITE_COST_BYTES,
} from '../limits.ts'
import { encodeMessage } from '../wire/messages.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

test('a write spreads to all peers that gossip reaches', () => {
  const peers = new WiredPeers()
  const all = ['a', 'b', 'c'].map((name) => peers.open(name))
  peers.link('a', 'b')
  peers.link('b', 'c')
  peers.advance(1000)
  peers.write('a', 'k', { age: 36 })
  peers.run()
  for (const name of ['a', 'b', 'c']) expect(peers.value(name, 'k')).toEqual({ age: 36 })
  for (const peer of all) expect(stateOf(peer)).toEqual(stateOf(all[0]!))
})

test('frames that come twice and in any order end in the same state', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.passed.length = 0
  peers.deliver = ({ message }) => message.type !== 'frame'
  for (let i = 0; i < 20; i++) {
    peers.write('a', `key ${i % 7}`, i % 5 === 0 ? undefined : i)
    peers.advance(FRAME_GAP_MS)
  }
  const frames = peers.sent('frame').toReversed()
  expect(frames.length).toBe(20)
  for (const frame of [...frames, ...frames]) {
    peers.give('b', { type: 'broadcast', from: 'a', bytes: encodeMessage(frame) })
  }
  expect(stateOf(b!)).toEqual(stateOf(a!))
})

test('lone writes leave at once, a stream of them in frames', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(1000)
  peers.passed.length = 0
  peers.write('a', 'first', 1)
  expect(peers.sent('frame').length).toBe(1)
  for (let i = 0; i < 1000; i++) peers.write('a', `key ${i}`, i)
  peers.advance(FRAME_GAP_MS)
  expect(peers.sent('frame').length).toBeLessThanOrEqual(BROADCASTS_IN_FLIGHT_MAX + Math.ceil(1000 / FRAME_WRITES_MAX))
  expect(partitionOf(peers.open('c'), 'users').replica.table.slotCount).toBe(0)
  expect(peers.value('b', 'key 999')).toBe(999)
})

test('frames have a budget: some leave without a gap, then one in ten milliseconds, and silence saves up for the next', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(1000)
  for (let round = 0; round < 2; round++) {
    peers.passed.length = 0
    const writes = 4 * FRAME_BURST_MAX
    for (let i = 0; i < writes; i++) {
      peers.write('a', `key ${i}`, i)
      peers.advance(1)
      if (i < FRAME_BURST_MAX) expect(peers.sent('frame', 'a')).toHaveLength(i + 1)
    }
    const rest = (writes - FRAME_BURST_MAX) / FRAME_GAP_MS
    expect(peers.sent('frame', 'a').length - FRAME_BURST_MAX).toBeGreaterThanOrEqual(Math.floor(rest))
    expect(peers.sent('frame', 'a').length - FRAME_BURST_MAX).toBeLessThanOrEqual(Math.ceil(rest) + 4)
    peers.advance(FRAME_BURST_MAX * FRAME_GAP_MS)
    expect(peers.value('b', `key ${writes - 1}`)).toBe(writes - 1)
  }
})

test('frames stay within 256 writes and 64 KiB', () => {
  const peers = new WiredPeers()
  const [, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.passed.length = 0
  for (let i = 0; i < 150; i++) peers.write('a', `key ${i}`, 'x'.repeat(1000))
  peers.advance(100)
  const frames = peers.sent('frame')
  expect(frames.length).toBeGreaterThan(2)
  for (const frame of frames) expect(frame.block.length).toBeLessThan(FRAME_MAX_BYTES + 1100)
  expect(partitionOf(b!).replica.table.liveCount).toBe(150)
})

test('past a backlog of 256 KiB the peer announces its vector, and sessions carry the bulk', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.advance(1000)
  peers.passed.length = 0
  const value = encodeValue('x'.repeat(1000), 2000)
  for (let i = 0; i < 2000; i++) a!.write(partitionOf(a!), `key ${i}`, value, peers.now)
  peers.give('a', { type: 'tick' })
  peers.run()
  expect(peers.sent('announce', 'a').some((announce) => announce.bulk)).toBe(true)
  expect(peers.sent('frame').length).toBeLessThan(10)
  peers.advance(100)
  expect(partitionOf(b!).replica.table.liveCount).toBe(2000)
  expect(stateOf(b!)).toEqual(stateOf(a!))
})

test('broadcasts that the network has not handed on hold back the next ones', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  a.step({ type: 'connected', neighbour: 'b' }, peers.now)
  let frames = 0
  for (let i = 0; i < 40; i++) {
    peers.monotonicMs += FRAME_GAP_MS
    a.write(partitionOf(a), `key ${i}`, Uint8Array.of(1), peers.now)
    frames += a.step({ type: 'tick' }, peers.now).filter((effect) => effect.type === 'broadcast').length
  }
  expect(frames).toBeLessThanOrEqual(BROADCASTS_IN_FLIGHT_MAX)
  const more = a.step({ type: 'broadcasted' }, peers.now).filter((effect) => effect.type === 'broadcast')
  expect(more.length).toBe(1)
})

test('nothing leaves before the store says stored', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('a', disk)
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(1000)
  disk.paused = true
  const { writeId } = peers.write('a', 'k', 1)
  peers.run()
  expect(peers.value('a', 'k')).toBe(1)
  expect(peers.value('b', 'k')).toBeUndefined()
  expect(peers.events('a', 'durable')).toEqual([])
  peers.answer('a')
  peers.run()
  expect(peers.events('a', 'durable')).toEqual([{ type: 'durable', writeId }])
  expect(peers.value('b', 'k')).toBe(1)
})

test('writes gather while a batch is on its way, and share the next', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('a', disk)
  peers.run()
  disk.paused = true
  disk.batches.length = 0
  for (let i = 0; i < 100; i++) peers.write('a', `key ${i}`, i)
  peers.answer('a')
  peers.run()
  peers.answer('a')
  peers.run()
  expect(disk.batches.length).toBe(2)
  expect(peers.events('a', 'durable').at(-1)?.writeId).toBe(100)
})

test('a store that fails: not durable, not sent, tried again, then durable and broadcast', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(1000)
  disk.failing = true
  const first = peers.write('a', 'k', 1)
  peers.advance(5000)
  const second = peers.write('a', 'l', 2)
  peers.run()
  const failed = peers.events('a', 'not-durable')
  expect(failed[0]?.writeId).toBe(first.writeId)
  expect(failed.at(-1)?.writeId).toBe(second.writeId)
  expect(a.commit.failing).toBe(true)
  expect(peers.value('b', 'k')).toBeUndefined()
  expect(peers.events('a', 'durable')).toEqual([])
  disk.failing = false
  peers.advance(60_000)
  expect(peers.events('a', 'durable').at(-1)?.writeId).toBeGreaterThanOrEqual(second.writeId)
  expect([peers.value('b', 'k'), peers.value('b', 'l')]).toEqual([1, 2])
})

test('retries of a failing store grow apart and are bounded', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.run()
  disk.failing = true
  peers.write('a', 'k', 1)
  let failures = 0
  for (let i = 0; i < 600; i++) {
    const before = a.commit.failing
    peers.advance(1000)
    if (!before || !a.commit.failing) failures += 1
  }
  expect(failures).toBeLessThan(40)
  disk.failing = false
  expect(peers.events('a', 'durable')).toEqual([])
  peers.advance(30_000)
  expect(peers.events('a', 'durable').length).toBeGreaterThan(0)
})

test('small writes that wait for the store count what they cost: far fewer fit than their bytes say', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.run()
  disk.paused = true
  let written = 0
  const fill = (): void => {
    for (; written < 1_000_000; written++) a.write(partitionOf(a), 'k', Uint8Array.of(1), peers.now)
  }
  expect(fill).toThrow(expect.objectContaining({ code: 'BACKLOG_FULL' }))
  expect(written).toBeGreaterThan(UNDURABLE_MAX_BYTES / 600)
  expect(written).toBeLessThanOrEqual(UNDURABLE_MAX_BYTES / UNDURABLE_WRITE_COST_BYTES)
  disk.paused = false
  peers.give('a', { type: 'tick' })
  peers.answer('a')
  peers.run()
  expect(a.commit.backlogBytes).toBe(0)
  expect(() => a.write(partitionOf(a), 'k', Uint8Array.of(2), peers.now)).not.toThrow()
})

test('a peer whose store hangs takes no more rows of others than may wait, and has them all once it works', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const [a, b] = [peers.open('a', new TestDisk()), peers.open('b', disk)]
  peers.link('a', 'b')
  peers.advance(1000)
  disk.paused = true
  let mostBytes = 0
  for (let i = 0; i < 400; i++) {
    // Small enough to be broadcast: sessions wait for the store as it is.
    peers.write('a', `key ${i % 3}`, new Uint8Array(200_000).fill(i))
    peers.advance(20)
    peers.passed.length = 0
    mostBytes = Math.max(mostBytes, b.commit.backlogBytes)
  }
  expect(mostBytes).toBeGreaterThan(UNDURABLE_MAX_BYTES)
  expect(mostBytes).toBeLessThan(UNDURABLE_MAX_BYTES + 4 * 1024 * 1024)
  disk.paused = false
  for (let i = 0; i < 30; i++) {
    peers.answer('b')
    peers.advance(10_000)
  }
  expect(b.commit.backlogBytes).toBe(0)
  expect(b.collections.root()).toBe(a.collections.root())
})

test('past 64 MiB that wait for the store a write is refused, with nothing applied', () => {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.run()
  disk.paused = true
  const value = new Uint8Array(1024 * 1024).fill(1)
  const write = (i: number): unknown => a.write(partitionOf(a), `key ${i}`, value, peers.now)
  let written = 0
  while (written < 100) {
    try {
      write(written)
    } catch (error) {
      expect(error).toMatchObject({ code: 'BACKLOG_FULL' })
      break
    }
    written += 1
  }
  expect(written).toBeGreaterThan(60)
  expect(written).toBeLessThan(70)
  expect(partitionOf(a).replica.table.liveCount).toBe(written)
  disk.paused = false
  peers.give('a', { type: 'tick' })
  peers.answer('a')
  peers.run()
  expect(() => write(1000)).not.toThrow()
})

test('a neighbour whose broadcasts do not come is redialled, not more often than every 30 s', () => {
  const peers = new WiredPeers()
  peers.mesh('a', 'b')
  peers.advance(60_000)
  expect(peers.effects('a', 'redial')).toEqual([])
  peers.deliver = ({ to, from }) => to !== undefined || from === 'a'
  peers.advance(120_000)
  const redials = peers.effects('a', 'redial')
  expect(redials.length).toBeGreaterThanOrEqual(2)
  expect(redials.length).toBeLessThanOrEqual(4)
  expect(redials[0]?.neighbour).toBe('b')
  expect(peers.effects('b', 'redial')).toEqual([])
})
