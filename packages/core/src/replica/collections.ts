import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { GridError } from '../errors.ts'
import type { GridErrorCode } from '../errors.ts'
import { Expiries } from './expiries.ts'
import { fold32, foldHigh32, hashHex, hashText, mix32, addHash } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { MAP_CODE, descriptorOf, isInternal, isReserved, isSameCollection, kindCode } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { plainName } from '../kinds/generations.ts'
import { checkCollectionName, checkName } from '../kinds/names.ts'
import { COLLECTIONS_MAX } from '../limits.ts'
import { Everywhere } from '../placement/everywhere.ts'
import { partitionCountOf, partitionNumber } from '../wire/partition-numbers.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { SharedPartitions, Placement } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { DroppedNames } from './dropped-names.ts'
import { mismatchOf } from './mismatch.ts'
import { Replica } from './replica.ts'

/** One partition of a collection, as this peer has it. */
export interface Partition {
  readonly name: PartitionName
  readonly replica: Replica
  /** Why writes are refused: the name was registered for another kind first. */
  mismatch: string | undefined
  /** Its collection was dropped: it is being emptied, and takes no rows. */
  dropped: boolean
}

/** A collection, as this peer has it. */
export interface Collection {
  readonly descriptor: CollectionDescriptor
  /** Its name as the application knows it. The descriptor has the name under which it is stored and travels. */
  readonly title: string
  /** Those that this peer holds, in no order. */
  readonly partitions: readonly Partition[]
  /** Why writes to it are refused: the name was registered for another collection first. */
  readonly mismatch: string | undefined
}

/** A collection with a way to its partitions by number. */
interface Known extends Collection {
  descriptor: CollectionDescriptor
  mismatch: string | undefined
  readonly kind: number
  readonly partitions: Partition[]
  readonly byNumber: Map<number, Partition>
}

/** A partition by name; a map's when no kind is given. */
export type PartitionQuery = Omit<PartitionName, 'kind'> & { readonly kind?: number | undefined }

/** Why a partition is not available. */
export interface Unavailable {
  readonly code: GridErrorCode
  readonly reason: string
}

/**
 * All collections of one peer, by name and kind. A replicated collection of another peer appears here with its first row.
 * Collections of two kinds may share a name: peers that opened both during a network split still hold the same.
 */
export class Collections {
  /** The numbers of all replica ids in entries and vectors. */
  readonly ids: ReplicaIds
  /** What was dropped. */
  readonly dropped: DroppedNames = new DroppedNames()
  /** The entries of all collections that expire. */
  readonly expiries: Expiries = new Expiries()
  /** Which peers hold which partitions. */
  readonly placement: Placement
  #all: Known[] = []
  #limitedCount = 0
  readonly #byName = new Map<string, Known[]>()
  /** What the application has opened. */
  readonly #opened = new Map<string, Collection>()
  /** What the application has opened of it is partitioned. */
  #openedPartitioned: readonly Collection[] = []
  /** The kind of each name on which all peers have agreed. */
  readonly #settled = new Map<string, CollectionDescriptor>()
  /** The seed of all fingerprints, which all peers of a grid share. */
  readonly seed: number
  /** Names that the store still has. They cannot be created again yet. */
  readonly #leaving = new Set<string>()
  /** Counts the partitions that were created or let go: another number, other partitions. */
  partitionChanges = 0
  /** Called for every new partition. */
  created: ((partition: Partition) => void) | undefined
  /** Called for every partition that is removed; `forgotten` is to be called once the store does not have it any more. */
  removed: ((partition: Partition, forgotten: () => void) => void) | undefined

  /** `seed` is the seed of all fingerprints. The peers of a grid share it. */
  constructor(ids: ReplicaIds, seed: number, placement: Placement = new Everywhere()) {
    this.ids = ids
    this.placement = placement
    this.seed = seed
  }

  get size(): number {
    return this.#all.length
  }

  /** Number of collections of applications, which is limited. */
  get limitedCount(): number {
    return this.#limitedCount
  }

  /** By name, code of the kind and number of partitions: a replicated map unless said otherwise. */
  get(name: string, kind: number = MAP_CODE, partitions: number = 1): Collection | undefined {
    return this.#get(name, kind, partitions)
  }

  /** The partition of that name, if it is here. */
  find({ collection, kind = MAP_CODE, partition }: PartitionQuery): Partition | undefined {
    return this.#get(collection, kind, partitionCountOf(partition))?.byNumber.get(partition)
  }

  [Symbol.iterator](): IterableIterator<Collection> {
    return this.#all.values()
  }

  *partitions(): Generator<Partition, void, undefined> {
    for (const collection of this.#all) yield* collection.partitions
  }

  /** The partitions that this peer holds in common with another one; without a peer, those that every peer holds. */
  *shared(peer?: PeerId | SharedPartitions): Generator<Partition, void, undefined> {
    const { placement } = this
    const isShared = (name: PartitionName): boolean => {
      if (typeof peer === 'function') return peer(name)
      return peer === undefined ? placement.audience(name) === EVERYONE : placement.shares(name, peer)
    }
    for (const partition of this.partitions()) if (isShared(partition.name)) yield partition
  }

  /**
   * Opens a collection for the application, and creates it if it is not there. Throws `INVALID_NAME`,
   * `COLLECTION_MISMATCH` if the name is in use for another kind, `COLLECTION_LIMIT` past 4,096 collections.
   */
  open(wanted: CollectionDescriptor): Collection {
    checkCollectionName(wanted.name)
    const descriptor = { ...wanted, name: this.dropped.current(wanted.name) }
    const opened = this.#opened.get(descriptor.name)?.descriptor
    const other = opened ?? this.#settled.get(descriptor.name) ?? this.#inUse(descriptor)
    if (other !== undefined && !isSameCollection(other, descriptor)) {
      throw new GridError('COLLECTION_MISMATCH', mismatchOf(other, descriptor))
    }
    const collection = this.#like(descriptor) ?? this.#create(descriptor)
    describeFully(collection, descriptor)
    if (descriptor.mode === 'partitioned' && !this.#openedPartitioned.includes(collection)) {
      this.#openedPartitioned = [...this.#openedPartitioned, collection]
    }
    this.#opened.set(descriptor.name, collection)
    return collection
  }

  /** The partitioned collections that the application has opened. */
  get openedPartitioned(): readonly Collection[] {
    return this.#openedPartitioned
  }

  /** Whether the application has opened it. */
  isOpen(collection: Collection): boolean {
    return this.#opened.get(collection.descriptor.name) === collection
  }

  /** Records the kind of a name on which all peers have agreed. */
  settle(descriptor: CollectionDescriptor): void {
    this.#settled.set(descriptor.name, descriptor)
    const known = this.#like(descriptor)
    if (known !== undefined) describeFully(known, descriptor)
  }

  /** Says why writes to a collection are refused, or that they are not any more. */
  refuse(collection: Collection, reason: string | undefined): void {
    const known = this.#like(collection.descriptor)
    if (known === undefined) return
    known.mismatch = reason
    for (const partition of known.partitions) partition.mismatch = reason
  }

  /** Lets a collection go, with everything in it; here alone: the other peers keep theirs. */
  remove(collection: Collection): void {
    const { name } = collection.descriptor
    const named = (this.#byName.get(name) ?? []).filter((each) => each !== collection)
    if (!this.#all.some((each) => each === collection)) return
    this.#all = this.#all.filter((each) => each !== collection)
    if (named.length > 0) this.#byName.set(name, named)
    else this.#byName.delete(name)
    if (this.isOpen(collection)) this.#opened.delete(name)
    this.#openedPartitioned = this.#openedPartitioned.filter((each) => each !== collection)
    if (!isReserved(collection.descriptor)) this.#limitedCount -= 1
    for (const partition of collection.partitions) this.#release(partition)
  }

  /** Lets one partition go, with everything in it; the other peers keep theirs. */
  drop(name: PartitionName): void {
    const { collection, kind, partition: number } = name
    const known = this.#get(collection, kind, partitionCountOf(number))
    const partition = known?.byNumber.get(number)
    if (known === undefined || partition === undefined) return
    known.byNumber.delete(number)
    known.partitions.splice(known.partitions.indexOf(partition), 1)
    this.#release(partition)
  }

  #release(partition: Partition): void {
    this.partitionChanges += 1
    this.expiries.remove(partition.replica)
    if (this.removed === undefined) return
    const key = nameKey(partition.name)
    this.#leaving.add(key)
    this.removed(partition, () => this.#leaving.delete(key))
  }

  #mayHold(name: PartitionName): boolean {
    if (this.dropped.isDropped(name)) return false
    return this.placement.holds(name) && !(this.#leaving.size > 0 && this.#leaving.has(nameKey(name)))
  }

  /** The partition of an internal collection. It does not count in the limit of collections. */
  internal(descriptor: CollectionDescriptor): Partition {
    const known = this.#like(descriptor) ?? this.#create(descriptor)
    return known.partitions[0]!
  }

  /**
   * The partition that a peer means, created if it is not there; or why it is not available, for example because its kind is
   * of a later version. Throws only `INVALID_NAME`: to throw thousands of errors for one message would take seconds.
   */
  locate(name: PartitionName): Partition | Unavailable {
    const { collection, partition } = name
    const found = this.find(name)
    if (found !== undefined) return found
    if (!this.#mayHold(name)) {
      return { code: 'NOT_HELD', reason: `partition ${partition} of '${collection}' is not stored here` }
    }
    return this.#locate(name)
  }

  /**
   * The partition of that name, created on first sight, whether this peer is to hold it or not: for what it has stored.
   * Throws `COLLECTION_MISMATCH` or `COLLECTION_LIMIT`.
   */
  restore(name: PartitionName): Partition {
    const located = this.find(name) ?? this.#locate(name, true)
    if ('replica' in located) return located
    throw new GridError(located.code, located.reason)
  }

  /** What is stored may be more than the limit: collections that were dropped leave the store later. */
  #locate(name: PartitionName, isStored: boolean = false): Partition | Unavailable {
    const { collection, kind, partition } = name
    const count = partitionCountOf(partition)
    const known = this.#get(collection, kind, count)
    const descriptor = known?.descriptor ?? this.#described(collection, kind, count, isStored)
    if (descriptor === undefined) {
      return {
        code: 'COLLECTION_MISMATCH',
        reason: `'${collection}' is of kind ${kind} on another peer, which this version does not know`,
      }
    }
    if (descriptor.partitions !== count || partition >= partitionNumber(count, count)) {
      return { code: 'COLLECTION_MISMATCH', reason: `'${collection}' has no partition ${partition}` }
    }
    if (known === undefined && !isStored && !this.#hasRoom(descriptor)) {
      return { code: 'COLLECTION_LIMIT', reason: `'${collection}' would be one collection too many` }
    }
    const found = known ?? this.#create(descriptor, isStored)
    return found.byNumber.get(partition) ?? this.#createPartition(found, partition)
  }

  /**
   * What all peers have agreed on for a name; what was never registered is replicated. What the store has says itself that it
   * is partitioned. The registry, which says how many peers own it, is read after it.
   */
  #described(name: string, kind: number, partitions: number, isStored: boolean): CollectionDescriptor | undefined {
    const settled = this.#settled.get(name)
    if (settled !== undefined && kindCode(settled) === kind && settled.partitions === partitions) return settled
    const described = descriptorOf(name, kind)
    return described === undefined || partitions === 1 || !isStored
      ? described
      : { ...described, mode: 'partitioned', partitions }
  }

  #get(name: string, kind: number, partitions: number): Known | undefined {
    const named = this.#byName.get(name)
    if (named === undefined) return undefined
    for (const each of named) if (each.kind === kind && each.descriptor.partitions === partitions) return each
    return undefined
  }

  #like(descriptor: CollectionDescriptor): Known | undefined {
    return this.#get(descriptor.name, kindCode(descriptor), descriptor.partitions)
  }

  /**
   * One hash over everything that this peer holds in common with another one: equal roots mean equal vectors and equal
   * entries in all of it. Without a peer it covers what every peer holds.
   */
  root(peer?: PeerId | SharedPartitions): string {
    const sum: Hash64 = { high: 0, low: 0 }
    for (const { name, replica } of this.shared(peer)) {
      // A collection that was opened and never written to makes no difference.
      if (replica.vector.isEmpty) continue
      const vector = replica.vector.hash(this.ids)
      let low = hashText(name.collection, this.seed)
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

  /** A collection of the same name and another kind that has been written to. */
  #inUse(descriptor: CollectionDescriptor): CollectionDescriptor | undefined {
    if (this.#like(descriptor) !== undefined) return undefined
    for (const collection of this) {
      if (collection.descriptor.name !== descriptor.name || isInternal(collection.descriptor.kind)) continue
      if (collection.partitions.some(({ replica }) => !replica.vector.isEmpty)) return collection.descriptor
    }
    return undefined
  }

  /** One hash over the purge floors of what `root` covers; '' where there are none. */
  floors(peer?: PeerId | SharedPartitions): string {
    let floors = ''
    for (const { name, replica } of this.shared(peer)) {
      if (!replica.floor.isEmpty) floors += `${name.kind} ${name.partition} ${name.collection} ${replica.floor.hash}\n`
    }
    if (floors === '') return ''
    const sorted = floors.split('\n').toSorted().join('\n')
    return hashHex({ low: hashText(sorted, this.seed), high: hashText(sorted, ~this.seed) })
  }

  #hasRoom(descriptor: CollectionDescriptor): boolean {
    return this.#limitedCount < COLLECTIONS_MAX || isReserved(descriptor)
  }

  #create(descriptor: CollectionDescriptor, isStored: boolean = false): Known {
    checkName(descriptor.name, 'collection')
    if (!isStored && !this.#hasRoom(descriptor)) {
      const limit = `this grid holds ${COLLECTIONS_MAX} collections already, and '${descriptor.name}' would be one more`
      throw new GridError(
        'COLLECTION_LIMIT',
        `${limit}: use keys of one map, of counters() or of sets() instead of a collection for each`,
      )
    }
    if (!isReserved(descriptor)) this.#limitedCount += 1
    const { name, partitions: count } = descriptor
    const kind = kindCode(descriptor)
    const title = plainName(name)
    const collection: Known = { descriptor, title, kind, partitions: [], byNumber: new Map(), mismatch: undefined }
    this.#all.push(collection)
    const named = this.#byName.get(name)
    if (named === undefined) this.#byName.set(name, [collection])
    else named.push(collection)
    for (let index = 0; index < count; index++) {
      const partition = partitionNumber(count, index)
      if (this.#mayHold({ collection: name, kind, partition })) this.#createPartition(collection, partition)
    }
    return collection
  }

  #createPartition({ descriptor, kind, mismatch, partitions, byNumber }: Known, number: number): Partition {
    const partition: Partition = {
      name: { collection: descriptor.name, kind, partition: number },
      mismatch,
      dropped: false,
      replica: new Replica(this.ids, this.seed, descriptor.kind, this.expiries),
    }
    partitions.push(partition)
    byNumber.set(number, partition)
    this.partitionChanges += 1
    if (descriptor.kind === 'drops') this.dropped.follow(partition.replica)
    this.created?.(partition)
    return partition
  }
}

/** What was found in the store did not say how many peers own it. */
function describeFully(known: { descriptor: CollectionDescriptor }, descriptor: CollectionDescriptor): void {
  if (known.descriptor.mode === 'partitioned' && known.descriptor.owners === undefined) known.descriptor = descriptor
}
