import { kindCode } from '../kinds/kinds.ts'
import type { Instant } from '../instant.ts'
import { OUT_OF_TOUCH_MS } from '../limits.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import { hasBit } from '../placement/partition-copies.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import { partitionNumber } from '../wire/partition-numbers.ts'
import type { PartitionName } from '../wire/block.ts'
import type { CoHolders } from './co-holders.ts'
import type { LostPartitions, PartitionsOf } from './lost-partitions.ts'

/** What this peer has of one partitioned collection. */
export interface ReportedShare {
  readonly name: string
  readonly kind: string
  readonly partitions: number
  readonly owners: number | undefined
  readonly owned: number
  readonly whole: number
  /** As those of all collections together, below. */
  readonly former: number
  readonly formerBytes: number
  readonly underReplicated: number
}

type Counts = Pick<ReportedShare, 'owned' | 'whole' | 'former' | 'formerBytes' | 'underReplicated'>

/** Partitioned collections as one peer sees them. Partitions of all collections are counted together. */
export interface ReportedPartitions {
  readonly collections: number
  readonly partitions: number
  /** Those that this peer owns. */
  readonly owned: number
  /** Owned ones of which this peer has a whole copy: it answers for them. */
  readonly whole: number
  /** Copies of partitions that others own, until those have all of it. */
  readonly former: number
  /** Bytes of the encoded values of these copies. */
  readonly formerBytes: number
  /**
   * Of the copies here that are whole: those of which an owner has no whole copy by its own word, is out of reach, or has been
   * different for more than 10 s.
   */
  readonly underReplicated: number
  /** No peer in reach has a whole copy. */
  readonly unreachable: number
  /** No registered peer has a whole copy. */
  readonly lost: readonly PartitionsOf[]
  /** Writes that wait for the owners of their partitions. */
  readonly hints: number
  /** This peer hands over what it has. */
  readonly leaving: boolean
  /** Each collection. */
  readonly shares: readonly ReportedShare[]
}

export interface PartitionReportDeps {
  readonly coHolders: CoHolders
  readonly collections: Collections
  readonly lost: LostPartitions
  readonly neighbours: NeighbourTable
  readonly placement: Rendezvous
}

/** Looks at every partition of every collection: for status and metrics, and not for each step. */
export function reportPartitions(
  deps: PartitionReportDeps,
  state: Pick<ReportedPartitions, 'hints' | 'leaving'>,
  now: Instant,
): ReportedPartitions {
  const { coHolders, collections, lost, neighbours, placement } = deps
  const counts = { collections: 0, partitions: 0, unreachable: 0 }
  const shares: ReportedShare[] = []
  const isLevel = (peer: PeerId): boolean =>
    peer === placement.peerId || (neighbours.has(peer) && coHolders.behindMs(peer, now) <= OUT_OF_TOUCH_MS)
  for (const collection of placement.collections) {
    const { name: title, partitions, owners: ownersMax } = collection.descriptor
    const share = { owned: 0, whole: 0, former: 0, formerBytes: 0, underReplicated: 0 }
    const inReach = placement.wholeSomewhere(collection, (peer) => neighbours.has(peer))
    counts.collections += 1
    counts.partitions += partitions
    for (let index = 0; index < partitions; index++) {
      const kind = kindCode(collection.descriptor)
      const name: PartitionName = { collection: title, kind, partition: partitionNumber(partitions, index) }
      const owners = placement.owners(name) as ReadonlySet<PeerId>
      const isOwned = owners.has(placement.peerId)
      const isWhole = placement.isWhole(name)
      if (!hasBit(inReach, index)) counts.unreachable += 1
      if (isOwned) share.owned += 1
      if (isOwned && isWhole) share.whole += 1
      if (!isOwned && placement.holds(name)) {
        share.former += 1
        share.formerBytes += collections.find(name)?.replica.table.valueBytes ?? 0
      }
      if (isWhole && !(placement.isHandedOver(name) && [...owners].every(isLevel))) share.underReplicated += 1
    }
    shares.push({ name: title, kind: collection.descriptor.kind, partitions, owners: ownersMax, ...share })
  }
  return { ...counts, ...sumOf(shares), shares, lost: lost.settled(now.monotonicMs), ...state }
}

function sumOf(shares: readonly Counts[]): Counts {
  const sum = { owned: 0, whole: 0, former: 0, formerBytes: 0, underReplicated: 0 }
  for (const share of shares) {
    sum.owned += share.owned
    sum.whole += share.whole
    sum.former += share.former
    sum.formerBytes += share.formerBytes
    sum.underReplicated += share.underReplicated
  }
  return sum
}
