import type { Instant } from '../instant.ts'
import { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import { Ownership } from './ownership.ts'
import type { OwnershipDeps } from './ownership.ts'

/** What a peer is opened with to take part in partitioned collections. Who does not use it does not load it. */
export interface Partitioning {
  /** A peer without a directory owns partitions as well, while too few with one are there. */
  readonly ownsInMemory: boolean
  placement(peerId: PeerId): Rendezvous
  ownership(deps: Omit<OwnershipDeps, 'joins' | 'ownsInMemory'>, now: Instant): Ownership
}

export interface PartitioningOptions {
  /** The peer is to join a grid that exists, so it registers no collection before it has met that grid. */
  readonly joins: boolean
  /** It may own partitions without a directory; false when left out. */
  readonly ownsInMemory?: boolean
}

export function partitioning({ joins, ownsInMemory = false }: PartitioningOptions): Partitioning {
  return {
    ownsInMemory,
    placement: (peerId) => new Rendezvous(peerId),
    ownership: (deps, now) => new Ownership({ ...deps, joins, ownsInMemory }, now),
  }
}
