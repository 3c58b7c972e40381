import type { PartitionName } from '../wire/block.ts'
import type { PeerId } from '../ports.ts'
import { EVERYONE, includes } from '../placement/placement.ts'
import type { Audience, SharedPartitions, Placement } from '../placement/placement.ts'

/** Some peers hold some partitions, as a test says; owners are those of them that are named first. */
export class RestrictedPlacement implements Placement {
  readonly #peerId: PeerId
  readonly #audienceOf: (partition: PartitionName) => Audience

  /** `audienceOf` must return the same set for the same partition every time. */
  constructor(peerId: PeerId, audienceOf: (partition: PartitionName) => Audience) {
    this.#peerId = peerId
    this.#audienceOf = audienceOf
  }

  holds(partition: PartitionName): boolean {
    return includes(this.audience(partition), this.#peerId)
  }

  owners(partition: PartitionName): Audience {
    return this.audience(partition)
  }

  shares(partition: PartitionName, peer: PeerId): boolean {
    return this.holds(partition) && includes(this.audience(partition), peer)
  }

  audience(partition: PartitionName): Audience {
    return this.#audienceOf(partition)
  }

  hasAllOwn(): boolean {
    return true
  }

  publishes(): undefined {
    return undefined
  }

  sharedWith(peer: PeerId): SharedPartitions {
    return (partition) => this.shares(partition, peer)
  }
}

/** The placement of a peer where each named collection is stored by the peers named with it. */
export function ownedBy(peerId: PeerId, holders: Readonly<Record<string, ReadonlySet<PeerId>>>): RestrictedPlacement {
  return new RestrictedPlacement(peerId, ({ collection }) => holders[collection] ?? EVERYONE)
}
