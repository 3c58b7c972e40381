import type { CollectionDescriptor } from '../kinds/kinds.ts'
import type { PartitionedCollection } from '../placement/rendezvous.ts'
import type { Housekeeping } from '../purging/housekeeping.ts'
import type { Collections } from '../replica/collections.ts'
import type { ReplicaIdentity } from '../writes/replica-identity.ts'

export interface NewCollectionsDeps {
  readonly collections: Collections
  readonly housekeeping: Housekeeping
  readonly identity: ReplicaIdentity
}

/** Partitioned collections that the application has opened and that no peer has registered yet. */
export class NewCollections {
  readonly #deps: NewCollectionsDeps

  constructor(deps: NewCollectionsDeps) {
    this.#deps = deps
  }

  /** Those that are not among the registered ones. */
  unregistered(registered: readonly PartitionedCollection[]): CollectionDescriptor[] {
    const open = this.#deps.collections.openedPartitioned
    if (open.length === 0) return []
    const names = new Set(registered.map(({ descriptor }) => descriptor.name))
    return open.map(({ descriptor }) => descriptor).filter(({ name }) => !names.has(name))
  }

  /** Registers them. Returns what this peer is the origin of now. */
  register(registered: readonly PartitionedCollection[]): PartitionedCollection[] {
    const { housekeeping, identity } = this.#deps
    return this.unregistered(registered).map((descriptor) => {
      housekeeping.names.register(descriptor, identity.id)
      return { descriptor, origin: identity.id }
    })
  }
}
