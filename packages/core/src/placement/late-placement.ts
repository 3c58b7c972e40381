import type { PeerId } from '../ports.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import type { PartitionName } from '../wire/block.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import { Everywhere } from './everywhere.ts'
import type { Audience, Placement, SharedPartitions } from './placement.ts'

/**
 * The placement of a peer that has not loaded the code for partitioned collections: it holds what every peer holds, and no
 * partition. Once that is loaded, another placement takes over.
 */
export class LatePlacement implements Placement {
  #placement: Placement = new Everywhere()
  #isAdopted = false

  /** From here on `placement` decides. */
  adopt(placement: Placement): void {
    this.#placement = placement
    this.#isAdopted = true
  }

  holds(name: PartitionName): boolean {
    return this.#isAdopted ? this.#placement.holds(name) : isReplicated(name)
  }

  owners(name: PartitionName): Audience {
    return this.#placement.owners(name)
  }

  shares(name: PartitionName, peer: PeerId): boolean {
    return this.#placement.shares(name, peer)
  }

  audience(name: PartitionName): Audience {
    return this.#placement.audience(name)
  }

  hasAllOwn(name: PartitionName): boolean {
    return this.#placement.hasAllOwn(name)
  }

  publishes(): readonly CopyGroup[] | undefined {
    return this.#placement.publishes()
  }

  sharedWith(peer: PeerId, published: readonly CopyGroup[] | undefined): SharedPartitions {
    return this.#placement.sharedWith(peer, published)
  }
}
