import { describe, expect, it } from 'vitest'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import type { PartitionName } from '../wire/block.ts'
import { PartitionCopies } from './partition-copies.ts'
import { EligibleMembers } from './eligible-members.ts'
import { EVERYONE } from './placement.ts'
import { Rendezvous } from './rendezvous.ts'
import type { OwnerRecord, PartitionedCollection } from './rendezvous.ts'

const ORIGIN = '00000000000000aa'
const USERS: CollectionDescriptor = { name: 'users', kind: 'map', mode: 'partitioned', partitions: 16, owners: 2 }
const ORDERS: CollectionDescriptor = { ...USERS, name: 'orders' }
const REGISTERED: readonly PartitionedCollection[] = [USERS, ORDERS].map((descriptor) => ({
  descriptor,
  origin: ORIGIN,
}))
const PEERS = ['a', 'b', 'c', 'd', 'e']

function record(peerId: string, changes: Partial<OwnerRecord> = {}): OwnerRecord {
  return {
    peerId,
    weight: 1,
    zone: '',
    durable: true,
    draining: false,
    away: false,
    copies: new PartitionCopies(),
    ...changes,
  }
}

function users(index: number): PartitionName {
  return { collection: 'users', kind: 1, partition: 16 + index }
}

/** PartitionCopies of partition 3 of the users, whole or not. */
function copyOf3(whole: boolean): PartitionCopies {
  const copies = new PartitionCopies()
  copies.begin(users(3), ORIGIN)
  if (whole) copies.complete(users(3), ORIGIN)
  return copies
}

function placed(records: readonly OwnerRecord[], peerId = 'a'): Rendezvous {
  const placement = new Rendezvous(peerId)
  placement.update({ collections: REGISTERED, owners: records })
  return placement
}

function ownersOf(records: readonly OwnerRecord[], index = 3): string[] {
  return [...(placed(records).owners(users(index)) as ReadonlySet<string>)].toSorted()
}

/** Who owns by the rule alone. */
function chosen(peers: readonly string[], index = 3): string[] {
  const eligible = new EligibleMembers(peers.map((peerId) => ({ peerId, weight: 1, zone: '' })))
  return eligible
    .ownersOf(16 + index, 2)
    .map(({ peerId }) => peerId)
    .toSorted()
}

describe('owners', () => {
  it('come from the registered members: those that are away or drain do not count, nor those of weight 0', () => {
    expect(ownersOf(PEERS.map((peerId) => record(peerId)))).toEqual(chosen(PEERS))
    const [first] = chosen(PEERS)
    const rest = PEERS.filter((peerId) => peerId !== first)
    for (const change of [{ away: true }, { draining: true }, { weight: 0 }]) {
      const records = PEERS.map((peerId) => record(peerId, peerId === first ? change : {}))
      expect(ownersOf(records)).toEqual(chosen(rest))
    }
  })

  it('are as many as there are, if there are fewer than wanted', () => {
    expect(ownersOf([])).toEqual([])
    expect(ownersOf([record('b')])).toEqual(['b'])
  })

  it('are chosen among those that are away when no other is left: after a split each side has marked the other', () => {
    const away = PEERS.map((peerId) => record(peerId, { away: true }))
    expect(ownersOf(away)).toEqual(chosen(PEERS))
  })

  it('are chosen among those that drain when no other is left: the last one keeps what it has', () => {
    expect(ownersOf(PEERS.map((peerId) => record(peerId, { draining: true })))).toEqual(chosen(PEERS))
  })

  it('are the same for all collections of one shape, and the same set until something changes', () => {
    const placement = placed(PEERS.map((peerId) => record(peerId)))
    const owners = placement.owners(users(3))
    expect(placement.owners({ ...users(3), collection: 'orders' })).toBe(owners)
    expect(placement.owners(users(3))).toBe(owners)
    expect(placement.audience(users(3))).toBe(placement.audience(users(3)))
    placement.update({ collections: REGISTERED, owners: [record('e')] })
    expect(placement.owners(users(3))).toEqual(new Set(['e']))
  })

  it('of what is not registered are not known, and what is replicated belongs to everyone', () => {
    const placement = placed(PEERS.map((peerId) => record(peerId)))
    expect(placement.owners({ ...users(3), collection: 'unknown' })).toEqual(new Set())
    expect(placement.owners({ ...users(3), kind: 4 })).toEqual(new Set())
    expect(placement.owners({ ...users(3), partition: 64 })).toEqual(new Set())
    const replicated = { collection: 'users', kind: 1, partition: 0 }
    expect(placement.owners(replicated)).toBe(EVERYONE)
    expect(placement.audience(replicated)).toBe(EVERYONE)
    expect(placement.holds(replicated)).toBe(true)
    expect(placement.shares(replicated, 'z')).toBe(true)
  })
})

describe('the audience of a partition', () => {
  const owners = chosen(PEERS)
  const former = PEERS.find((peerId) => !owners.includes(peerId))!
  const audience = (whole: readonly string[], present: readonly string[] = whole): string[] => {
    const records = PEERS.map((peerId) =>
      record(peerId, present.includes(peerId) ? { copies: copyOf3(whole.includes(peerId)) } : {}),
    )
    // Seen by a peer that has nothing to do with it.
    return [...(placed(records, 'z').audience(users(3)) as ReadonlySet<string>)].toSorted()
  }

  it('is its owners and every peer that publishes a copy', () => {
    expect(audience([])).toEqual(owners)
    expect(audience([former])).toEqual([...owners, former].toSorted())
    expect(audience([former], [former, ...owners])).toEqual([...owners, former].toSorted())
  })

  it('is its owners alone once all of them are whole', () => {
    expect(audience([former, owners[0]!])).toEqual([...owners, former].toSorted())
    expect(audience([former, ...owners])).toEqual(owners)
  })

  it('knows owners that are whole by an older registration for peers that are not', () => {
    const copies = new PartitionCopies()
    copies.begin(users(3), '00000000000000bb')
    copies.complete(users(3), '00000000000000bb')
    const records = PEERS.map((peerId) => record(peerId, { copies: peerId === former ? copyOf3(true) : copies }))
    expect(placed(records, 'z').audience(users(3))).toContain(former)
  })

  it('includes copies that a peer has shown in a session before its row in the registry came', () => {
    const placement = placed(
      PEERS.map((peerId) => record(peerId)),
      'z',
    )
    const { changes } = placement
    placement.shown(former, copyOf3(true))
    expect(placement.audience(users(3))).toEqual(new Set([...owners, former]))
    // The registry says the same as before: no partition has another owner.
    expect(placement.changes).toBe(changes)
    placement.update({ collections: REGISTERED, owners: PEERS.map((peerId) => record(peerId)) })
    expect(placement.audience(users(3))).toEqual(new Set(owners))
  })
})

describe('what a peer holds', () => {
  it('is what it has begun to copy, not what it should own', () => {
    const placement = placed(
      PEERS.map((peerId) => record(peerId)),
      chosen(PEERS)[0]!,
    )
    expect(placement.holds(users(3))).toBe(false)
    placement.copies.begin(users(3), ORIGIN)
    expect(placement.holds(users(3))).toBe(true)
    expect(placement.holds(users(4))).toBe(false)
    placement.copies.drop(users(3))
    expect(placement.holds(users(3))).toBe(false)
  })

  it('is shared with a peer that publishes a copy too', () => {
    const placement = placed([record('b', { copies: copyOf3(false) })])
    expect(placement.shares(users(3), 'b')).toBe(false)
    placement.copies.begin(users(3), ORIGIN)
    expect(placement.shares(users(3), 'b')).toBe(true)
    expect(placement.shares(users(3), 'c')).toBe(false)
  })
})
