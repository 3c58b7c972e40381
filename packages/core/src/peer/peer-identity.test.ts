import { expect, test } from 'vitest'
import { ANTI_ENTROPY_MAX_MS } from '../limits.ts'
import { SEQUENCE_MAX } from '../limits.ts'
import { partitionOf, stateOf } from '../rig/peer-state.ts'
import { TestDisk } from '../rig/test-disk.ts'
import { WiredPeers } from '../rig/wired-peers.ts'

/** A backup of `a`'s disk from before its last writes, which `b` has seen. */
function restored(): { peers: WiredPeers; backup: TestDisk; replicaId: string } {
  const peers = new WiredPeers()
  const disk = new TestDisk()
  const a = peers.open('a', disk)
  peers.open('b')
  peers.link('a', 'b')
  for (let i = 0; i < 5; i++) peers.write('a', `key ${i}`, i)
  peers.advance(1000)
  const backup = disk.copy()
  for (let i = 3; i < 9; i++) peers.write('a', `key ${i}`, `after ${i}`)
  peers.advance(1000)
  const { replicaId } = a
  peers.crash('a')
  return { peers, backup, replicaId }
}

test('a restored backup takes a new replica id as soon as it meets somebody who knows better', () => {
  const { peers, backup, replicaId } = restored()
  const a = peers.open('a', backup)
  expect(a.replicaId).toBe(replicaId)
  peers.link('a', 'b')
  peers.advance(1000)
  expect(a.replicaId).not.toBe(replicaId)
  expect(peers.events('a', 'replica-id').length).toBe(1)
  expect(a.membership.self.replicaId).toBe(a.replicaId)
  expect(stateOf(a)).toEqual(stateOf(peers.peer('b')))
  expect(peers.value('a', 'key 8')).toBe('after 8')
  expect(peers.open('a', peers.crash('a')).replicaId).toBe(a.replicaId)
})

test('what it wrote before it knew is issued again, and all converge', () => {
  const { peers, backup } = restored()
  const a = peers.open('a', backup)
  for (let i = 0; i < 4; i++) peers.write('a', `mine ${i}`, i)
  peers.write('a', 'key 4', 'mine')
  peers.run()
  peers.link('a', 'b')
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  peers.open('c')
  peers.link('b', 'c')
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  const states = ['a', 'b', 'c'].map((name) => stateOf(peers.peer(name)))
  expect(states[1]).toEqual(states[0])
  expect(states[2]).toEqual(states[0])
  for (let i = 0; i < 4; i++) expect(peers.value('c', `mine ${i}`)).toBe(i)
  expect(peers.value('c', 'key 4')).toBe('mine')
  expect(peers.value('c', 'key 8')).toBe('after 8')
  const again = peers.open('a', peers.crash('a'))
  expect(again.replicaId).toBe(a.replicaId)
  peers.link('a', 'b')
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  expect(stateOf(again)).toEqual(stateOf(peers.peer('b')))
})

test('what a restored backup wrote in an earlier life heals within some heartbeats', () => {
  const { peers, backup } = restored()
  peers.open('a', backup)
  for (let i = 0; i < 2; i++) peers.write('a', `mine ${i}`, i)
  peers.run()
  const a = peers.open('a', peers.crash('a'))
  peers.link('a', 'b')
  peers.advance(10_000)
  expect(stateOf(a)).toEqual(stateOf(peers.peer('b')))
  expect(peers.value('b', 'mine 1')).toBe(1)
  expect(peers.value('a', 'key 8')).toBe('after 8')
})

test('two peers that go on from one disk at the same time converge, also through a third that knew the original', () => {
  const { peers, backup } = restored()
  peers.open('a', backup.copy())
  peers.open('twin', backup.copy(), { peerId: 'a' })
  for (let i = 0; i < 6; i++) {
    peers.write('a', `a ${i}`, i)
    peers.write('twin', `twin ${i}`, i)
    peers.write('a', 'both', `a ${i}`)
    peers.write('twin', 'both', `twin ${i}`)
  }
  peers.advance(100)
  peers.link('a', 'b')
  peers.link('b', 'twin')
  peers.advance(6 * ANTI_ENTROPY_MAX_MS)
  // The wiring knows the twin by its own name, so that its heartbeats are refused before long: the registry may lag behind.
  const states = ['a', 'b', 'twin'].map((name) => (stateOf(peers.peer(name)) as Record<string, unknown>)['users'])
  expect(states[1]).toEqual(states[0])
  expect(states[2]).toEqual(states[0])
  for (let i = 0; i < 6; i++) {
    expect(peers.value('twin', `a ${i}`)).toBe(i)
    expect(peers.value('a', `twin ${i}`)).toBe(i)
  }
})

test('a memory-only peer that comes back writes under a new replica id', () => {
  const peers = new WiredPeers()
  const first = peers.open('a').replicaId
  peers.crash('a')
  expect(peers.open('a').replicaId).not.toBe(first)
})

test('used up sequence numbers cost the replica id, not the write', () => {
  const peers = new WiredPeers()
  const [a, b] = peers.mesh('a', 'b')
  peers.write('a', 'k', 1)
  peers.advance(1000)
  const { replicaId } = a!
  for (const peer of [a!, b!]) {
    partitionOf(peer).replica.vector.addRange(peer.collections.ids.intern(replicaId), 2, SEQUENCE_MAX)
  }
  peers.write('a', 'k', 2)
  expect(a!.replicaId).not.toBe(replicaId)
  peers.advance(2 * ANTI_ENTROPY_MAX_MS)
  expect(peers.value('b', 'k')).toBe(2)
  expect(stateOf(b!)).toEqual(stateOf(a!))
})
