import type { PartitionName } from '../wire/block.ts'
import { GridError } from '../errors.ts'
import type { GridErrorCode } from '../errors.ts'
import { Expiries } from './expiries.ts'
import { fold32, foldHigh32, hashHex, hashText, mix32, addHash } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { MAP_CODE, describeKind, descriptorOf, isInternal, isReserved, kindCode } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { checkName } from '../kinds/names.ts'
import { COLLECTIONS_MAX } from '../limits.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { Replica } from './replica.ts'

/** One partition of a collection as this peer holds it. */
export interface Partition {
  readonly name: PartitionName
  readonly replica: Replica
  /** Why nothing may be written here: the name was another kind's first. */
  mismatch: string | undefined
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

/**
 * All collections of one peer, by name and kind. Replicated collections of other peers appear here with their first row:
 * two kinds of one name stand side by side, so that peers which opened them while apart still hold the same.
 */
export class Collections {
  /** Numbers the replica ids of all entries and vectors. */
  readonly ids: ReplicaIds
  /** When which entries of all collections expire. */
  readonly expiries: Expiries = new Expiries()
  readonly #all: Collection[] = []
  #limitedCount = 0
  readonly #byName = new Map<string, Collection[]>()
  /** What the application has opened. */
  readonly #opened = new Map<string, Collection>()
  /** What names stand for, as far as all peers know. */
  readonly #settled = new Map<string, CollectionDescriptor>()
  readonly #seed: number
  /** Told of every partition that comes into being. */
  created: ((partition: Partition) => void) | undefined

  /** `seed` keys all fingerprints; peers of one grid share it. */
  constructor(ids: ReplicaIds, seed: number) {
    this.ids = ids
    this.#seed = seed
  }

  get size(): number {
    return this.#all.length
  }

  /** Collections of applications: those of which there may only be so many. */
  get limitedCount(): number {
    return this.#limitedCount
  }

  /** By name and code of the kind; a map when no kind is given. */
  get(name: string, kind: number = MAP_CODE): Collection | undefined {
    const named = this.#byName.get(name)
    if (named !== undefined) for (const each of named) if (each.partitions[0]?.name.kind === kind) return each
    return undefined
  }

  /** The partition of that name, if it is here. */
  find({ collection, kind, partition }: PartitionName): Partition | undefined {
    return this.get(collection, kind)?.partitions[partition]
  }

  [Symbol.iterator](): IterableIterator<Collection> {
    return this.#all.values()
  }

  *partitions(): Generator<Partition, void, undefined> {
    for (const collection of this.#all) yield* collection.partitions
  }

  /**
   * The collection of that name and kind for the application, created on first sight. Throws `INVALID_NAME`,
   * `COLLECTION_MISMATCH` when the name is in use for another kind, `COLLECTION_LIMIT` past 4,096 collections.
   */
  open(descriptor: CollectionDescriptor): Collection {
    const opened = this.#opened.get(descriptor.name)?.descriptor
    const other = opened ?? this.#settled.get(descriptor.name) ?? this.#inUse(descriptor)
    if (other !== undefined && kindCode(other) !== kindCode(descriptor)) {
      throw new GridError('COLLECTION_MISMATCH', mismatchOf(other, descriptor))
    }
    const collection = this.get(descriptor.name, kindCode(descriptor)) ?? this.#create(descriptor)
    this.#opened.set(descriptor.name, collection)
    return collection
  }

  /** Whether the application has opened it. */
  isOpen(collection: Collection): boolean {
    return this.#opened.get(collection.descriptor.name) === collection
  }

  /** All peers have agreed on what a name stands for. */
  settle(descriptor: CollectionDescriptor): void {
    this.#settled.set(descriptor.name, descriptor)
  }

  /** The partition of a collection that is the grid's own: there is a place for it, whatever applications open. */
  internal(descriptor: CollectionDescriptor): Partition {
    const known = this.get(descriptor.name, kindCode(descriptor)) ?? this.#create(descriptor)
    return known.partitions[0]!
  }

  /**
   * The partition a peer means, created on first sight; or why there is none, also for a kind of a later version. Throws
   * nothing but `INVALID_NAME`: thousands of errors for one message would take seconds.
   */
  locate(name: PartitionName): Partition | Unavailable {
    const { collection, kind, partition } = name
    const found = this.find(name)
    if (found !== undefined) return found
    const descriptor = descriptorOf(collection, kind)
    if (descriptor === undefined) {
      return {
        code: 'COLLECTION_MISMATCH',
        reason: `'${collection}' is of kind ${kind} elsewhere, which is not known here`,
      }
    }
    if (partition >= descriptor.partitions) {
      return { code: 'COLLECTION_MISMATCH', reason: `'${collection}' has no partition ${partition}` }
    }
    if (!this.#hasRoom(descriptor)) {
      return { code: 'COLLECTION_LIMIT', reason: `'${collection}' would be one collection too many` }
    }
    return this.#create(descriptor).partitions[partition]!
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
      // A collection that was opened and never written to is no difference.
      if (replica.vector.isEmpty) continue
      const vector = replica.vector.hash(this.ids)
      let low = hashText(name.collection, this.#seed)
      let high = mix32(low)
      const { fingerprint } = replica
      for (const word of [name.kind, name.partition, vector.high, vector.low, fingerprint.high, fingerprint.low]) {
        low = fold32(low, word)
        high = foldHigh32(high, word)
      }
      if (!replica.floor.isEmpty) {
        low = hashText(replica.floor.hash, low)
        high = hashText(replica.floor.hash, high)
      }
      addHash(sum, { low: mix32(low), high: mix32(high) })
    }
    return hashHex(sum)
  }

  /** A collection of the same name and another kind that holds something. */
  #inUse(descriptor: CollectionDescriptor): CollectionDescriptor | undefined {
    if (this.get(descriptor.name, kindCode(descriptor)) !== undefined) return undefined
    for (const collection of this) {
      if (collection.descriptor.name !== descriptor.name || isInternal(collection.descriptor.kind)) continue
      if (collection.partitions.some(({ replica }) => !replica.vector.isEmpty)) return collection.descriptor
    }
    return undefined
  }

  /** One hash over all purge floors; '' where there are none. */
  floors(): string {
    let floors = ''
    for (const { name, replica } of this.partitions()) {
      if (!replica.floor.isEmpty) floors += `${name.kind} ${name.partition} ${name.collection} ${replica.floor.hash}\n`
    }
    if (floors === '') return ''
    const sorted = floors.split('\n').toSorted().join('\n')
    return hashHex({ low: hashText(sorted, this.#seed), high: hashText(sorted, ~this.#seed) })
  }

  #hasRoom(descriptor: CollectionDescriptor): boolean {
    return this.#limitedCount < COLLECTIONS_MAX || isReserved(descriptor)
  }

  #create(descriptor: CollectionDescriptor): Collection {
    checkName(descriptor.name, 'collection')
    if (!this.#hasRoom(descriptor)) {
      const held = `this grid holds ${COLLECTIONS_MAX} collections already, and '${descriptor.name}' would be one more`
      throw new GridError('COLLECTION_LIMIT', `${held}: use keys of one collection instead of a collection for each`)
    }
    if (!isReserved(descriptor)) this.#limitedCount += 1
    const kind = kindCode(descriptor)
    const partitions: Partition[] = []
    for (let partition = 0; partition < descriptor.partitions; partition++) {
      const name = { collection: descriptor.name, kind, partition }
      partitions.push({
        name,
        mismatch: undefined,
        replica: new Replica(this.ids, this.#seed, descriptor.kind, this.expiries),
      })
    }
    const collection = { descriptor, partitions }
    this.#all.push(collection)
    const named = this.#byName.get(descriptor.name)
    if (named === undefined) this.#byName.set(descriptor.name, [collection])
    else named.push(collection)
    for (const partition of partitions) this.created?.(partition)
    return collection
  }
}

/** That one name is meant for two kinds, with both. */
export function mismatchOf(first: CollectionDescriptor, later: CollectionDescriptor): string {
  return `'${first.name}' is a ${describeKind(first)} collection and cannot be a ${describeKind(later)} one too: take another name`
}
