import { describe, expect, it } from 'vitest'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { NeighbourTable } from '../members/neighbour-table.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import { Rendezvous } from '../placement/rendezvous.ts'
import { FullResyncs } from '../replication/full-resync.ts'
import type { Session } from '../replication/sessions.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { OwnCopies } from './own-copies.ts'

const USERS: CollectionDescriptor = { name: 'users', kind: 'map', mode: 'partitioned', partitions: 16, owners: 2 }

function users(index: number): PartitionName {
  return { collection: 'users', kind: 1, partition: 16 + index }
}

describe('after a session with a peer whose copies are whole', () => {
  const ORIGIN = '00000000000000aa'
  const theirs = new PartitionCopies()
  for (const index of [3, 4]) {
    theirs.begin(users(index), ORIGIN)
    theirs.complete(users(index), ORIGIN)
  }
  const session: Session = {
    neighbour: 'b',
    id: 1,
    started: true,
    source: undefined,
    outgoing: undefined,
    received: true,
    rowsReceived: 0,
    bytesReceived: 0,
    bulkAtMs: -Infinity,
    isSupersededBarred: false,
    startedAtMs: 5000,
    progressAtMs: 5000,
    isShared: () => true,
    published: theirs.groups(),
    floorsDiffer: false,
    named: undefined,
    resyncs: new FullResyncs(),
  }

  /** Which of its copies, of partitions 3 and 4, are whole after a session, if it published them at 4000. */
  function wholeAfter(changes: Partial<Session>, publishedAtMs = 4000): number[] {
    const neighbours = new NeighbourTable()
    neighbours.connected('b', { wallMs: 0, monotonicMs: 0 })
    const placement = new Rendezvous('a')
    const record = { weight: 1, zone: '', durable: true, draining: false, away: false }
    const owners = [
      { ...record, peerId: 'a', copies: new PartitionCopies() },
      { ...record, peerId: 'b', copies: theirs },
    ]
    placement.update({ collections: [{ descriptor: USERS, origin: ORIGIN }], owners })
    const own = new OwnCopies({ neighbours, peerId: 'a', placement })
    own.look(0)
    own.published(PartitionCopies.of(placement.copies.groups()), publishedAtMs)
    own.completed({ ...session, ...changes })
    return [3, 4].filter((index) => placement.copies.isWhole(users(index), ORIGIN))
  }

  it('a copy is whole if both were compared from after it was published', () => {
    expect(wholeAfter({})).toEqual([3, 4])
    expect(wholeAfter({}, 5001)).toEqual([])
  })

  it('a copy is not whole if it was not compared, for want of room or because the other had none when it began', () => {
    expect(wholeAfter({ named: new Set([nameKey(users(4))]) })).toEqual([4])
    expect(wholeAfter({ isShared: ({ partition }) => partition === 19 })).toEqual([3])
    expect(wholeAfter({ isShared: undefined })).toEqual([])
    expect(wholeAfter({ published: undefined })).toEqual([])
    expect(wholeAfter({ published: [] })).toEqual([])
  })

  it('a copy is not whole while the two stand on different purge floors', () => {
    expect(wholeAfter({ floorsDiffer: true })).toEqual([])
  })

  it('a copy is not whole by the word of a peer whose history began with another registration', () => {
    const published = theirs.groups().map((group) => ({
      ...group,
      collections: group.collections.map((each) => ({ ...each, origin: '00000000000000bb' })),
    }))
    expect(wholeAfter({ published })).toEqual([])
  })

  it('a copy of a peer that owned the partition no more, and owns it again, is whole once it has met all others again', () => {
    const neighbours = new NeighbourTable()
    const placement = new Rendezvous('a')
    const own = new OwnCopies({ neighbours, peerId: 'a', placement })
    const record = { weight: 1, zone: '', durable: true, draining: false, away: false }
    const look = (isAway: boolean, nowMs: number): void => {
      const owners = ['a', 'b', 'c'].map((peerId) => {
        const copies = peerId === 'a' ? new PartitionCopies() : theirs
        return { ...record, peerId, copies, away: isAway && peerId === 'a' }
      })
      placement.update({ collections: [{ descriptor: { ...USERS, owners: 3 }, origin: ORIGIN }], owners })
      own.look(nowMs)
    }
    const isWhole = (): boolean => placement.copies.isWhole(users(3), ORIGIN)
    for (const peer of ['b', 'c']) neighbours.connected(peer, { wallMs: 0, monotonicMs: 0 })
    look(false, 4000)
    own.published(PartitionCopies.of(placement.copies.groups()), 4000)
    own.completed({ ...session, neighbour: 'b', startedAtMs: 5000 })
    // Writers take only the others for owners now.
    look(true, 6000)
    look(false, 7000)
    own.completed({ ...session, neighbour: 'c', startedAtMs: 8000 })
    expect(isWhole()).toBe(false)
    own.completed({ ...session, neighbour: 'b', startedAtMs: 6999 })
    expect(isWhole()).toBe(false)
    own.completed({ ...session, neighbour: 'b', startedAtMs: 8000 })
    expect(isWhole()).toBe(true)
  })
})
