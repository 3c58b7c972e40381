import { plainName } from '@gossipgrid/core'
import type { ReportedPartitions } from '@gossipgrid/core'

/** The partitions of all partitioned collections together, as this peer sees them. */
export interface GridPartitions {
  /** Partitioned collections that are registered. */
  readonly collections: number
  /** All their partitions. */
  readonly total: number
  /** Those that this peer owns. */
  readonly owned: number
  /** Owned ones of which this peer has a whole copy: it answers for them. The rest is on its way here. */
  readonly whole: number
  /** Copies of partitions that others own, which this peer hands over and then drops. */
  readonly handingOver: number
  /** Bytes of the encoded values of these copies. */
  readonly handingOverBytes: number
  /**
   * Of the whole copies here, those of which an owner has no whole copy by its own word, is out of reach, or has differed for more
   * than 10 s.
   */
  readonly underReplicated: number
  /** Partitions of which no peer in reach has a whole copy: reads of them reject with `OWNERS_UNREACHABLE`. */
  readonly unreachable: number
  /** Partitions of which no registered peer has a whole copy. */
  readonly lost: number
  /** Writes of this peer, and those that it passes on, that wait for their owners. */
  readonly hints: number
}

const NONE: GridPartitions = {
  collections: 0,
  total: 0,
  owned: 0,
  whole: 0,
  handingOver: 0,
  handingOverBytes: 0,
  underReplicated: 0,
  unreachable: 0,
  lost: 0,
  hints: 0,
}

export function partitionsOf(reported: ReportedPartitions | undefined): GridPartitions {
  if (reported === undefined) return NONE
  const { collections, partitions, owned, whole, former, formerBytes, underReplicated, unreachable, hints } = reported
  const lost = reported.lost.reduce((sum, { indexes }) => sum + indexes.length, 0)
  const moving = { handingOver: former, handingOverBytes: formerBytes }
  return { collections, total: partitions, owned, whole, ...moving, underReplicated, unreachable, lost, hints }
}

/** What this peer has of a collection, if that is partitioned. */
export function shareOf(
  reported: ReportedPartitions | undefined,
  { name, kind }: { readonly name: string; readonly kind: string },
): CollectionShare | undefined {
  const share = reported?.shares.find((each) => plainName(each.name) === name && each.kind === kind)
  if (share === undefined) return undefined
  const { former, formerBytes, owned, owners, partitions, underReplicated, whole } = share
  return { partitions, owners, owned, whole, handingOver: former, handingOverBytes: formerBytes, underReplicated }
}

interface CollectionShare {
  readonly partitions: number
  readonly owners: number | undefined
  readonly owned: number
  readonly whole: number
  readonly handingOver: number
  readonly handingOverBytes: number
  readonly underReplicated: number
}
