import { expect, test } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import { REMOTE_GATHERED_MAX_BYTES, REMOTE_GATHER_BATCHES, REMOTE_GATHER_MAX_MS, REMOTE_GATHER_MS } from '../limits.ts'
import { partitionOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** A writer in memory and a peer with a disk, which have met; and how often the disk was written to since. */
function writerAndKeeper(): { peers: WiredPeers; disk: TestDisk; syncs: () => number } {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  peers.open('writer', undefined, { direct: true })
  peers.open('keeper', disk, { direct: true })
  peers.link('writer', 'keeper')
  peers.advance(10_000)
  disk.batches.length = 0
  return { peers, disk, syncs: () => disk.batches.length }
}

test('rows of another peer gather before they are stored', () => {
  const { peers, syncs } = writerAndKeeper()
  for (let i = 0; i < 10; i++) {
    peers.write('writer', `k${i}`, i)
    peers.advance(1)
  }
  expect(peers.value('keeper', 'k9')).toBe(9)
  expect(syncs()).toBe(0)
  peers.advance(REMOTE_GATHER_MS)
  expect(syncs()).toBe(1)
  expect(peers.peer('keeper').commit.undurableBytes).toBe(0)
})

test('the slower the disk, the longer they gather, up to half a second', () => {
  const { peers, disk, syncs } = writerAndKeeper()
  disk.paused = true
  for (let i = 0; i < 20; i++) {
    peers.write('keeper', `own ${i}`, i)
    peers.advance(8)
    peers.answer('keeper')
    peers.run()
  }
  disk.paused = false
  disk.batches.length = 0
  peers.write('writer', 'k', 1)
  peers.advance(REMOTE_GATHER_MS)
  expect(peers.value('keeper', 'k')).toBe(1)
  expect(syncs()).toBe(0)
  peers.advance(8 * REMOTE_GATHER_BATCHES)
  expect(syncs()).toBe(1)
  disk.paused = true
  peers.write('keeper', 'own', 0)
  peers.advance(60_000)
  peers.answer('keeper')
  disk.paused = false
  peers.run()
  disk.batches.length = 0
  peers.write('writer', 'l', 1)
  peers.advance(REMOTE_GATHER_MAX_MS)
  expect(syncs()).toBe(1)
})

test('a write of the peer itself, and a question whether they are durable, do not wait for them', () => {
  const { peers, syncs } = writerAndKeeper()
  peers.write('writer', 'k', 1)
  peers.run()
  expect(peers.value('keeper', 'k')).toBe(1)
  expect(syncs()).toBe(0)
  peers.write('keeper', 'own', 1)
  peers.run()
  expect(syncs()).toBe(1)
  expect(peers.peer('keeper').commit.undurableBytes).toBe(0)
  const { replicaId, sequence } = peers.write('writer', 'l', 1)
  peers.run()
  expect(syncs()).toBe(1)
  const name = partitionOf(peers.peer('writer')).name
  peers.peer('writer').confirmations.request({ ...name, replicaId, sequence }, 2)
  peers.advance(1)
  expect(syncs()).toBe(2)
})

test('many bytes of them are stored at once, and so is what waits when the peer closes', () => {
  const { peers, syncs } = writerAndKeeper()
  const value = encodeValue('x'.repeat(40_000), 100_000)
  const writer = peers.peer('writer')
  for (let i = 0; i * 40_000 < REMOTE_GATHERED_MAX_BYTES; i++) {
    writer.write(partitionOf(writer), `k${i}`, value, peers.now)
    peers.give('writer', { type: 'tick' })
    peers.run()
  }
  expect(syncs()).toBe(1)
  peers.write('writer', 'l', 1)
  peers.run()
  expect(syncs()).toBe(1)
  peers.perform('keeper', peers.peer('keeper').goodbye(false, peers.now))
  peers.run()
  expect(syncs()).toBe(2)
})
