import type { PartitionName } from '../wire/block.ts'
import type { PeerId } from '../ports.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'

/** Stands for every peer of the grid, so that no list of them has to be made. */
export const EVERYONE = 'everyone'

/** Some peers, or all of them. */
export type Audience = typeof EVERYONE | ReadonlySet<PeerId>

/** What two peers have in common: says of each partition whether both have a copy. */
export type SharedPartitions = (partition: PartitionName) => boolean

/**
 * Which peers hold which partitions, as one peer sees it. All answers are cheap enough to be asked for each row: a set is
 * the same object until it changes. Every peer stores the grid's own collections.
 */
export interface Placement {
  /** This peer holds the partition: it takes rows of it, keeps them and compares them. */
  holds(partition: PartitionName): boolean
  /** The peers responsible for the partition, all equal: their copies count. */
  owners(partition: PartitionName): Audience
  /** This peer and `peer` both hold the partition. They compare it and send each other its rows. */
  shares(partition: PartitionName, peer: PeerId): boolean
  /** Every peer that holds the partition: the owners, and peers that have not dropped their copy yet. */
  audience(partition: PartitionName): Audience
  /**
   * All that this peer has ever written to the partition under its replica id is here. Where it is not, no dot may be given
   * out, and a dot of this peer that others show is no sign of another peer that uses its replica id.
   */
  hasAllOwn(partition: PartitionName): boolean
  /** What this peer says of its copies in a session; undefined if there is nothing to say. */
  publishes(): readonly CopyGroup[] | undefined
  /** What to compare in a session with a peer that says this of its copies there. The set does not change afterwards. */
  sharedWith(peer: PeerId, published: readonly CopyGroup[] | undefined): SharedPartitions
}

export function includes(audience: Audience, peer: PeerId): boolean {
  return audience === EVERYONE || audience.has(peer)
}
