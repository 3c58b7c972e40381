import type { PartitionName } from '../wire/block.ts'
import type { PeerId } from '../ports.ts'

/** Stands for every peer of the grid, so that no list of them has to be made. */
export const EVERYONE = 'everyone'

/** Some peers, or all of them. */
export type Audience = typeof EVERYONE | ReadonlySet<PeerId>

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
}

export function includes(audience: Audience, peer: PeerId): boolean {
  return audience === EVERYONE || audience.has(peer)
}
