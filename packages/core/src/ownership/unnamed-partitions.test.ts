import { expect, it } from 'vitest'
import { OwningPeers, SETTLED_AFTER_MS, users, usersOf } from '../rig/owning-peers.ts'

const INDEXES = Array.from({ length: 16 }, (_, index) => index)

it.each([
  ['a', 'b'],
  ['b', 'a'],
])('a partition of which the vector did not fit is not resynced, since %s sends %s nothing of it', (one, other) => {
  const peers = new OwningPeers().settle(usersOf(2), one, other)
  for (const index of INDEXES) peers.writeTo(one, index, 1)
  peers.advance(SETTLED_AFTER_MS)
  for (const index of INDEXES) expect(peers.get(other, index)).toBe(1)
  peers.cut(one, other)
  for (const index of INDEXES) {
    peers.writeTo(one, index, 2, 1)
    const { replica } = peers.peer(one).collections.find(users(index))!
    const { ids } = peers.peer(one).collections
    const [writer] = [...replica.vector.writers()].filter((each) => replica.vector.head(each) > 0)
    const all = { replicaId: ids.id(writer!), head: replica.vector.head(writer!), ranges: [] }
    replica.raiseFloor(replica.floor.with([all], 1))
  }
  // It has room for the vectors of a few partitions only.
  Object.defineProperty(peers.peer(other).antiEntropy.digests, 'partsMax', { get: () => 3 })
  peers.deliver = () => {
    for (const index of INDEXES) expect(peers.get(other, index), `partition ${index}`).toBe(1)
    return true
  }
  peers.link(one, other)
  peers.advance(20 * SETTLED_AFTER_MS)
  for (const index of INDEXES) expect([peers.get(other, index), peers.get(other, index, 1)]).toEqual([1, 2])
  expect(peers.sent('vectors').some(({ more }) => more === true)).toBe(true)
})
