import { expect, it } from 'vitest'
import { hlcFromWall } from '../clock/hlc.ts'
import { GRACE_MS } from '../limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { TestDisk } from '../rig/test-disk.ts'

/** Owners in reach, and a peer that has a hint of its former life, of an entry of so long ago. The owners have not got it yet. */
function beforeDelivery(ageMs: number): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(2), 'a', 'b')
  const disk = new TestDisk()
  peers.joinWeightless('w', disk)
  peers.advance(2000)
  peers.deliver = ({ message }) => message.type !== 'write'
  const now = peers.nowOf('w')
  const dateHlc = hlcFromWall(now.wallMs - ageMs)
  peers.peer('w').partitions.write(users(3), keyIn(3), Uint8Array.of(7), now, dateHlc)
  peers.give('w', { type: 'tick' })
  peers.run()
  peers.crash('w')
  peers.joinWeightless('w', disk)
  peers.advance(2000)
  expect(peers.hintCount('w')).toBe(1)
  return peers
}

it('a reader finds what only it has itself', () => {
  expect(beforeDelivery(GRACE_MS / 4).readNow('w', 3)).toEqual([7])
})

it('a reader finds nothing of its own that is so old that owners may have purged its delete, until they have it', () => {
  const peers = beforeDelivery(GRACE_MS)
  expect(peers.readNow('w', 3)).toEqual(['nothing'])
  const all: unknown[] = []
  peers.peer('w').partitions.readAll({ name: users(3), key: keyIn(3) }, peers.nowOf('w'), ({ rows }) => all.push(rows))
  peers.give('w', { type: 'tick' })
  peers.run()
  expect(all).toEqual([[]])
  // By itself it knows the row all the same.
  expect(peers.peer('w').partitions.known(users(3), keyIn(3))).toHaveLength(1)
  peers.deliver = () => true
  peers.advance(30_000)
  expect(peers.hintCount('w')).toBe(0)
  expect(peers.readNow('w', 3)).toEqual([7])
})
