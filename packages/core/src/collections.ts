import type { PartitionName } from './block.ts'
import { GridError } from './errors.ts'
import type { GridErrorCode } from './errors.ts'
import { fold32, foldHigh32, hashHex, hashText, mix32, addHash } from './hash.ts'
import type { Hash64 } from './hash.ts'
import { checkName, describeKind, descriptorOf, kindCode } from './kinds.ts'
import type { CollectionDescriptor } from './kinds.ts'
import { COLLECTIONS_MAX } from './limits.ts'
import type { ReplicaIds } from './replica-ids.ts'
import { Replica } from './replica.ts'

/** One partition of a collection as this peer holds it. */
export interface Partition {
  readonly name: PartitionName
  readonly replica: Replica
}

/** A collection as this peer holds it. */
export interface Collection {
  readonly descriptor: CollectionDescriptor
  readonly partitions: readonly Partition[]
}

/** Why there is no such partition. */
export interface Unavailable {
  readonly code: GridErrorCode
  readonly reason: string
}

/** All collections of one peer, by name. Replicated collections of other peers appear here with their first row. */
export class Collections {
  /** Numbers the replica ids of all entries and vectors. */
  readonly ids: ReplicaIds
  readonly #byName = new Map<string, Collection>()
  readonly #seed: number
  /** Told of every partition that comes into being. */
  created: ((partition: Partition) => void) | undefined

  /** `seed` keys all fingerprints; peers of one grid share it. */
  constructor(ids: ReplicaIds, seed: number) {
    this.ids = ids
    this.#seed = seed
  }

  get size(): number {
    return this.#byName.size
  }

  get(name: string): Collection | undefined {
    return this.#byName.get(name)
  }

  [Symbol.iterator](): IterableIterator<Collection> {
    return this.#byName.values()
  }

  *partitions(): Generator<Partition, void, undefined> {
    for (const collection of this.#byName.values()) yield* collection.partitions
  }

  /**
   * The collection of that name, created on first sight. Throws `INVALID_NAME`, `COLLECTION_MISMATCH` when the name is
   * in use with another identity, `COLLECTION_LIMIT` past 4,096 collections.
   */
  open(descriptor: CollectionDescriptor): Collection {
    const known = this.#byName.get(descriptor.name)
    if (known === undefined) return this.#create(descriptor)
    const { descriptor: held } = known
    if (kindCode(held) !== kindCode(descriptor) || held.partitions !== descriptor.partitions) {
      throw new GridError(
        'COLLECTION_MISMATCH',
        `'${descriptor.name}' is a ${describeKind(held)} collection here and cannot be a ${describeKind(descriptor)} one`,
      )
    }
    return known
  }

  /**
   * The partition a peer means, created on first sight; or why there is none, also for a kind of a later version. Throws
   * nothing but `INVALID_NAME`: thousands of errors for one message would take seconds.
   */
  locate(name: PartitionName): Partition | Unavailable {
    const { collection, kind, partition } = name
    const known = this.#byName.get(collection)
    const found = known?.partitions[partition]
    if (found !== undefined && found.name.kind === kind) return found
    const descriptor = descriptorOf(collection, kind)
    if (descriptor === undefined || (known !== undefined && kindCode(known.descriptor) !== kind)) {
      return { code: 'COLLECTION_MISMATCH', reason: `'${collection}' is of kind ${kind} elsewhere, and not here` }
    }
    if (partition >= descriptor.partitions) {
      return { code: 'COLLECTION_MISMATCH', reason: `'${collection}' has no partition ${partition}` }
    }
    if (known === undefined && this.#byName.size >= COLLECTIONS_MAX) {
      return { code: 'COLLECTION_LIMIT', reason: `'${collection}' would be one collection too many` }
    }
    return this.open(descriptor).partitions[partition]!
  }

  /** As `locate`, for a name that must be good: throws `COLLECTION_MISMATCH` or `COLLECTION_LIMIT`. */
  partition(name: PartitionName): Partition {
    const located = this.locate(name)
    if ('replica' in located) return located
    throw new GridError(located.code, located.reason)
  }

  /** One hash over everything held: equal roots mean equal vectors and equal entries in every collection. */
  root(): string {
    const sum: Hash64 = { high: 0, low: 0 }
    for (const { name, replica } of this.partitions()) {
      const vector = replica.vector.hash(this.ids)
      // A collection that was opened and never written to is no difference.
      if (vector.high === 0 && vector.low === 0) continue
      let low = hashText(name.collection, this.#seed)
      let high = mix32(low)
      const { fingerprint } = replica
      for (const word of [name.kind, name.partition, vector.high, vector.low, fingerprint.high, fingerprint.low]) {
        low = fold32(low, word)
        high = foldHigh32(high, word)
      }
      addHash(sum, { low: mix32(low), high: mix32(high) })
    }
    return hashHex(sum)
  }

  #create(descriptor: CollectionDescriptor): Collection {
    checkName(descriptor.name, 'collection')
    if (this.#byName.size >= COLLECTIONS_MAX) {
      throw new GridError('COLLECTION_LIMIT', `this grid holds ${COLLECTIONS_MAX} collections already`)
    }
    const kind = kindCode(descriptor)
    const partitions: Partition[] = []
    for (let partition = 0; partition < descriptor.partitions; partition++) {
      const name = { collection: descriptor.name, kind, partition }
      partitions.push({ name, replica: new Replica(this.ids, this.#seed) })
    }
    const collection = { descriptor, partitions }
    this.#byName.set(descriptor.name, collection)
    for (const partition of partitions) this.created?.(partition)
    return collection
  }
}
