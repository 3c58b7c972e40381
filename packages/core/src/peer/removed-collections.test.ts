import { expect, test, vi } from 'vitest'
import { Checkpoint } from '../storage/checkpoint.ts'
import { encodeValue } from '../bytes/cbor.ts'
import { expiring } from '../entries/value-header.ts'
import { claimsFalsely, partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** A durable peer with two collections, of which `users` has segments in the store as well as rows in the log. */
function stored(): { peers: WiredPeers; disk: TestDisk } {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const logMin = vi.spyOn(Checkpoint.prototype, 'logMinBytes', 'get').mockReturnValue(0)
  peers.open('a', disk)
  peers.write('a', 'k', 'stays', 'other')
  for (let i = 0; i < 500; i++) peers.write('a', `key ${i % 50}`, i)
  peers.advance(10)
  logMin.mockRestore()
  peers.write('a', 'key 7', 'late')
  peers.run()
  return { peers, disk }
}

test('a collection that is removed is gone from memory at once, from the store with the next checkpoint, and stays gone', () => {
  const { peers, disk } = stored()
  const a = peers.peer('a')
  const users = a.collections.get('users')!
  expect(disk.keys('part/').length).toBe(2)
  const before = a.collections.root()
  a.collections.remove(users)
  expect(a.collections.get('users')).toBeUndefined()
  expect(a.collections.root()).not.toBe(before)
  peers.run()
  expect(disk.keys('part/').length).toBe(1)
  expect(disk.keys('seg/').length).toBe(1)
  const again = new WiredPeers()
  const reopened = again.open('a', disk.copy())
  expect(again.events('a', 'damaged')).toEqual([])
  expect(reopened.replicaId).toBe(a.replicaId)
  expect(reopened.collections.get('users')).toBeUndefined()
  expect(again.value('a', 'k', 'other')).toBe('stays')
})

test('a crash on the way brings back all of it or nothing, and never a vector without its entries', () => {
  const { peers, disk } = stored()
  const a = peers.peer('a')
  peers.open('b')
  peers.link('a', 'b')
  peers.advance(5000)
  peers.cut('a', 'b')
  const b = peers.peer('b')
  const from = disk.history.length
  a.collections.remove(a.collections.get('users')!)
  peers.write('a', 'k', 'later', 'other')
  peers.run()
  const found = new Set<boolean>()
  for (const blobs of disk.history.slice(from)) {
    const after = new WiredPeers()
    const reopened = after.open('a', disk.copy(blobs))
    expect(after.events('a', 'damaged')).toEqual([])
    const isThere = reopened.collections.get('users') !== undefined
    found.add(isThere)
    if (isThere) expect(claimsFalsely(reopened, b)).toBe(false)
    if (isThere) expect(partitionOf(reopened).replica.table.liveCount).toBe(50)
  }
  expect(found).toEqual(new Set([true, false]))
})

test('it comes back from other peers only once the store has forgotten it, and then whole', () => {
  const { peers, disk } = stored()
  const a = peers.peer('a')
  const b = peers.open('b')
  peers.link('a', 'b')
  peers.advance(5000)
  disk.paused = true
  a.collections.remove(a.collections.get('users')!)
  peers.write('b', 'new', 'of b')
  peers.advance(100)
  expect(a.collections.get('users')).toBeUndefined()
  expect(peers.events('a', 'refused').map(({ error }) => error.code)).toContain('NOT_HELD')
  disk.paused = false
  peers.answer('a')
  peers.advance(120_000)
  expect(stateOf(a)).toEqual(stateOf(b))
  expect(peers.value('a', 'new')).toBe('of b')
  const again = new WiredPeers()
  expect(stateOf(again.open('a', disk.copy()))).toEqual(stateOf(a))
})

test('a memory-only peer forgets at once, and nothing of it expires any more', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  const value = expiring(encodeValue(1, 100), peers.wallMs + 1000)
  for (let i = 0; i < 5; i++) a.write(partitionOf(a, i % 2 === 0 ? 'users' : 'other'), `key ${i}`, value, peers.now)
  const { replica } = partitionOf(a)
  const expired = vi.spyOn(replica, 'expire')
  expect(a.collections.expiries.nextMs).toBeLessThan(Infinity)
  a.collections.remove(a.collections.get('users')!)
  peers.advance(2000)
  expect(expired).not.toHaveBeenCalled()
  expect(partitionOf(a, 'other').replica.table.tombstoneCount).toBe(2)
  expect(a.collections.expiries.nextMs).toBe(Infinity)
  expect(partitionOf(a).replica).not.toBe(replica)
})

test('removing gives back its place among the collections that there may be', () => {
  const peers = new WiredPeers()
  const a = peers.open('a')
  partitionOf(a, 'one')
  expect(a.collections.limitedCount).toBe(1)
  const one = a.collections.get('one')!
  a.collections.remove(one)
  a.collections.remove(one)
  expect(a.collections.limitedCount).toBe(0)
  expect(a.collections.size).toBe(0)
  expect(a.open({ name: 'one', kind: 'set', mode: 'replicated', partitions: 1 }).partitions.length).toBe(1)
})
