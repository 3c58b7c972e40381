import type { NeighbourTable } from '../members/neighbour-table.ts'
import { includes } from '../placement/placement.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { PartitionName } from '../wire/block.ts'

/** A copy that a peer that leaves still has. */
export interface RemainingCopy {
  readonly name: PartitionName
  /** Other owners have no whole copy of it yet. */
  readonly isShort: boolean
  /**
   * What the hand-over waits for, besides bytes: `owner`, no other registered peer may own it; `reach`, an owner is out of reach. It may
   * take any time.
   */
  readonly waitsFor: 'owner' | 'reach' | undefined
}

export interface RemainingCopiesDeps {
  readonly neighbours: NeighbourTable
  readonly placement: Rendezvous
}

/** The copies that a peer that leaves still has, and what they wait for. */
export function remainingOf({ neighbours, placement }: RemainingCopiesDeps): RemainingCopy[] {
  const self = placement.peerId
  // Before the registry says that it leaves, it owns its share still.
  const isDraining = placement.record(self)?.draining === true
  return [...placement.copies.names()].map((name) => {
    const isOwned = includes(placement.owners(name), self)
    const isShort = isOwned || !placement.isHandedOver(name)
    if (isOwned) return { name, isShort, waitsFor: isDraining ? 'owner' : undefined }
    const owners = [...(placement.owners(name) as ReadonlySet<PeerId>)]
    return { name, isShort, waitsFor: owners.every((owner) => neighbours.has(owner)) ? undefined : 'reach' }
  })
}
