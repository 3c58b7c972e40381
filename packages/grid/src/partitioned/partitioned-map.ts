import { decodeValue, partitionIndex } from '@gossipgrid/core'
import type { Collection } from '@gossipgrid/core'
import { checkKey, checkKind, requireKind } from '../batches/checks.ts'
import { checkSource } from '../bulk/bulk-source.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import type { LiveQuery } from '../live/live-query.ts'
import { EXPIRY_OPTIONS, checkExpiry, checkTtl } from '../maps/map-options.ts'
import { REACHED_OPTIONS, checkReadOptions } from '../reads/after-token.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { checkChanges, checkWatch } from './changes/partition-changes.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionFeed,
  PartitionWatchOptions,
  PartitionWatched,
} from './changes/partition-changes.ts'
import { covered, openFeed } from './changes/open-feed.ts'
import type { PartitionBatch } from './partition-batch.ts'
import { checkGet, checkPartitionWrite, checkWalk } from './partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionBulkSetOptions,
  PartitionGetOptions,
  PartitionQueries,
  PartitionReceipt,
  PartitionSetOptions,
  PartitionValues,
  PartitionWalk,
  PartitionWalkOptions,
  PartitionWriteOptions,
  PartitionedMapOptions,
} from './partition-options.ts'
import { QueriedMap } from './queried-map.ts'
import type { RoutedEntries } from './routed-entries.ts'
import type { MapWork } from './routed-map.ts'

export interface PartitionedMapDeps<Value> {
  readonly writes: WritePath
  readonly collection: Collection
  readonly options: PartitionedMapOptions<never>
  /** Loads what it does. */
  readonly load: () => Promise<MapWork<Value>>
  /** Loads its queries. */
  readonly queries: (map: MapWork<Value>) => Promise<PartitionQueries<Value>>
  /** Loads its live queries, and opens one. */
  readonly live: <Shown>(map: MapWork<Value>, query: unknown, options: OwnerReadOptions) => Promise<LiveQuery<Shown>>
}

/**
 * A map whose entries are spread over the peers: each is on a few of them, its owners. Every peer reads and writes all of it, so
 * all methods wait for other peers, and what is not known is an error and never `undefined`. From
 * `grid.map(name, { mode: 'partitioned' })`.
 *
 * Reads reject with `OWNERS_UNREACHABLE` if no owner with a whole copy answers within `timeoutMs`, and with `INVALID_KEY`,
 * `INVALID_OPTION`, `COLLECTION_MISMATCH` (other peers had opened the map with other options before), `COLLECTION_DROPPED`,
 * `BACKLOG_FULL` (10,000 reads wait), `ABORTED`, `CLOSED`; at a guest also with `FORBIDDEN` and `NETWORK_NOT_CONNECTED`.
 */
export class PartitionedMap<Value> extends QueriedMap<Value> {
  /** The name that it was opened by. */
  readonly name: string
  /** Number of partitions. */
  readonly partitions: number
  /** Peers that are to have each partition. */
  readonly owners: number
  /** The options that it was opened with. @internal */
  readonly options: PartitionedMapOptions<never>
  readonly #writes: WritePath
  readonly #collection: Collection
  readonly #load: () => Promise<MapWork<Value>>
  readonly #loadQueries: PartitionedMapDeps<Value>['queries']
  readonly #openLive: PartitionedMapDeps<Value>['live']
  #routed: Promise<MapWork<Value>> | undefined
  #queries: Promise<PartitionQueries<Value>> | undefined

  /** @internal */
  constructor({ writes, collection, options, load, queries, live }: PartitionedMapDeps<Value>) {
    super()
    const { partitions, owners } = collection.descriptor
    this.name = collection.title
    this.partitions = partitions
    this.owners = owners!
    this.options = options
    this.#writes = writes
    this.#collection = collection
    this.#load = load
    this.#loadQueries = queries
    this.#openLive = live
  }

  /**
   * The value of `key`. Undefined if its owners say that there is none. With `from: 'all'` it asks all of them that are in reach, and
   * mends those that lack something.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * console.log(await stock.get('tea', { from: 'all' }))
   * ```
   */
  async get(key: string, options: PartitionGetOptions = {}): Promise<Value | undefined> {
    checkGet(options)
    return (await this.#working()).get(key, options)
  }

  /** Whether there is a value. */
  async has(key: string, options: OwnerReadOptions = {}): Promise<boolean> {
    return (await this.#reading(options)).has(key, options)
  }

  /** When the entry of `key` expires. Undefined for never, and if there is no entry. */
  async expiresAt(key: string, options: OwnerReadOptions = {}): Promise<Date | undefined> {
    return (await this.#reading(options)).expiresAt(key, options)
  }

  /**
   * The values of several keys; each owner is asked once for all of its keys. Keys without a value are left out. It does not
   * reject for keys that no owner answered for: `complete` is false then, and `unanswered` names them.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * const values = await stock.getMany(['tea', 'milk'])
   * if (!values.complete) console.log('not known:', values.unanswered)
   * ```
   */
  async getMany(keys: Iterable<string>, options: OwnerReadOptions = {}): Promise<PartitionValues<Value>> {
    checkSource(keys, 'keys')
    return (await this.#reading(options)).getMany(keys, options)
  }

  /**
   * Writes a value, from any peer. The promise resolves when the write is durable at this peer. If this peer has no whole copy of
   * the partition (`hinted` in the receipt), it keeps the write until the owners have confirmed it, also over a restart, and
   * sends it to them at once; so a write needs no owner in reach. Ask for `copies` to wait for owners. A peer without a
   * directory resolves when another peer has taken the write.
   *
   * Nothing is written if it rejects with `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `SCHEMA`, `BATCH_TOO_LARGE`,
   * `BACKLOG_FULL` (64 MiB of writes wait for their owners), `COLLECTION_MISMATCH`, `COLLECTION_DROPPED` or `CLOSED`. With
   * `COPIES_TIMEOUT` and `ABORTED` only the waiting has ended, and with `OWNERS_UNREACHABLE` the write may still arrive.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * const { hinted, copies } = await stock.set('tea', 10, { copies: 'all' })
   * ```
   */
  async set(key: string, value: Value, options: PartitionSetOptions = {}): Promise<PartitionReceipt> {
    checkPartitionWrite(options, EXPIRY_OPTIONS)
    checkExpiry(options)
    return (await this.#working()).set(key, value, options)
  }

  /** Sets when an entry expires, as `GridMap.touch` does. Reads the entry at an owner first, and rejects as reads do. */
  async touch(key: string, ttlMs?: number, options: PartitionWriteOptions = {}): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    checkTtl(ttlMs)
    if (ttlMs === undefined && this.options.ttlMs === undefined) requireKind('ttlMs', ttlMs, 'number')
    return (await this.#working()).touch(key, ttlMs, options)
  }

  /**
   * Deletes an entry. Reads it at an owner first, and resolves to undefined if there is none. If no owner answers, it writes the
   * delete all the same; in a map with fields it rejects with `OWNERS_UNREACHABLE`, since it is not known which there are.
   */
  async delete(key: string, options: PartitionWriteOptions = {}): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    return (await this.#working()).delete(key, options)
  }

  /**
   * Reads the value at an owner, calls `change` with it and writes the result. If `change` returns undefined, the entry is deleted.
   * Updates of one key by this peer run one after another. If another peer writes the key meanwhile, one of the two wins, as with
   * `set`. Rejects as reads and `set` do, and with what `change` throws.
   */
  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options: PartitionSetOptions = {},
  ): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, EXPIRY_OPTIONS)
    checkExpiry(options)
    requireKind('what update is given beside the key', change, 'function')
    return (await this.#working()).update(key, change, options)
  }

  /**
   * Writes several entries in one piece: after a crash of this peer it has all of them or none. `write` is synchronous and only
   * writes: read before. If it throws, nothing is written. Each partition then goes to its owners by itself, so other peers may see the
   * batch in parts, and those of one tag, as `{42}:cart` and `{42}:orders`, mostly together. Resolves to the version of the last write
   * and the fewest `copies` that a write of the batch has, or to undefined if there was none. Rejects as `set` does, and with
   * `BATCH_TOO_LARGE` past 1,000 writes or 512 KiB; in a map with fields also as reads do.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * await stock.transact((batch) => {
   *   batch.set('{berlin}:tea', 10)
   *   batch.delete('{berlin}:milk')
   * })
   * ```
   */
  async transact(
    write: (batch: PartitionBatch<Value>) => void,
    options: PartitionWriteOptions = {},
  ): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    requireKind('what a batch is to do', write, 'function')
    return (await this.#working()).transact(write, options)
  }

  /**
   * Writes any number of entries, as fast as this peer's disk and the owners take them. All entries of an array, a `Map` or another
   * collection are checked before the first one is written; a generator or a stream is read no faster than its entries are stored.
   * Rejects with a `BulkError`, whose `code` is one of `set`, or `INPUT_FAILED` when the source throws. It waits while much
   * is on its way to the owners, and rejects with `BACKLOG_FULL` only if they take nothing for `timeoutMs`. At a guest, each entry is a write
   * of its own. Until the guest has met a member it does not know its grants: then an entry that the pass does not cover is refused
   * in its turn, after others were written.
   */
  async setMany(
    entries: BulkSource<readonly [string, Value]>,
    options: PartitionBulkSetOptions = {},
  ): Promise<PartitionBulkResult> {
    checkSource(entries, 'entries')
    checkPartitionWrite(options, { ...EXPIRY_OPTIONS, onProgress: true })
    checkKind('onProgress', options.onProgress, 'function')
    checkExpiry(options)
    return (await this.#working()).setMany(entries, options)
  }

  /**
   * Deletes all entries that owners have at this time. `complete` is false if a partition was not answered for; its entries stay.
   * Rejects with a `BulkError` as `setMany` does.
   */
  async clear(options: PartitionBulkOptions = {}): Promise<Coverage & { readonly deleted: number }> {
    checkPartitionWrite(options, { onProgress: true })
    checkKind('onProgress', options.onProgress, 'function')
    return (await this.#working()).clear(options)
  }

  /**
   * The number of entries, as the owners count them: writes that no owner has yet do not count, and entries that are hidden by
   * the schema do. `complete` is false if a partition was not answered for.
   */
  async size(options: OwnerReadOptions = {}): Promise<Coverage & { readonly size: number }> {
    return (await this.#reading(options)).size(options)
  }

  /**
   * The keys, partition after partition, and in each in the order of the keys: with a prefix that has a whole tag, as `{42}`, all of
   * them in order. What is written meanwhile may be included or not. At the end it throws `OWNERS_UNREACHABLE` if a
   * partition was not answered for, unless `partial` is true; `complete` and `unanswered` say the same. Rejects as reads do.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * for await (const key of stock.keys({ prefix: '{berlin}' })) console.log(key)
   * ```
   */
  keys(options: PartitionWalkOptions = {}): PartitionWalk<string> {
    return this.#walk(options, (key) => key)
  }

  /** As `keys`, with the value of each key. */
  entries(options: PartitionWalkOptions = {}): PartitionWalk<[string, Value]> {
    return this.#walk(options, (key, content) => [key, decodeValue(content) as Value])
  }

  /**
   * Every change of the map from the first `next` on, as its owners tell it: those of one partition in the order in which they come
   * there. A slow reader misses versions in between, and never the last one. When an owner goes, the next one continues: nothing is
   * left out, and a change may come twice. Partitions whose owners are out of reach come later. The loop ends when the grid closes, and throws `ABORTED`, `COLLECTION_DROPPED`, `COLLECTION_MISMATCH`.
   */
  changes(options: PartitionChangesOptions = {}): PartitionFeed<PartitionChange<Value>> {
    checkChanges(options)
    this.#writes.pump.checkOpen()
    return openFeed((begun) => this.#working().then((routed) => routed.changes(options, begun)))
  }

  /**
   * The current entries and then every change, each with a `cursor` for `since`: later, after a restart or at another peer, that goes
   * on after it. If deletes since then are purged, after weeks, a `reset` of a partition comes and then its entries. Else as
   * `changes`; throws `INVALID_TOKEN` and `CURSOR_EXPIRED` (the map was dropped) as well.
   */
  watch(options: PartitionWatchOptions = {}): PartitionFeed<PartitionChange<Value> & PartitionWatched> {
    checkWatch(options)
    this.#writes.pump.checkOpen()
    const all = { ...options, initial: true }
    return openFeed((begun) => this.#working().then((routed) => routed.changes(all, begun)))
  }

  /** The partition of a key, from 0: a `reset` names one. Throws `INVALID_KEY`. */
  partitionOf(key: string): number {
    checkKey(key)
    return partitionIndex(key, this.partitions)
  }

  /** What `copyCollection` works with. @internal */
  async asCopied(): Promise<{ readonly writes: WritePath; readonly entries: RoutedEntries }> {
    return { writes: this.#writes, entries: (await this.#working()).entries }
  }

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    const { dropped } = this.#writes.pump.peer.collections
    return dropped.current(this.name) !== this.#collection.descriptor.name
  }

  #walk<Shown>(options: PartitionWalkOptions, show: (key: string, content: Uint8Array) => Shown): PartitionWalk<Shown> {
    checkWalk(options)
    let coverage: Coverage = { complete: false, unanswered: [] }
    const working = (): Promise<MapWork<Value>> => this.#working()
    async function* steps(): AsyncGenerator<Shown, void, undefined> {
      yield* (await working()).walk(options, show, (covered) => (coverage = covered))
    }
    return covered(steps(), () => coverage)
  }

  protected async asking(options: OwnerReadOptions): Promise<PartitionQueries<Value>> {
    const routed = await this.#reading(options)
    if (this.#queries === undefined) {
      this.#queries = this.#loadQueries(routed)
      this.#queries.catch(() => (this.#queries = undefined))
    }
    return this.#queries
  }

  protected async openLive<Shown>(query: unknown, options: OwnerReadOptions): Promise<LiveQuery<Shown>> {
    return this.#openLive<Shown>(await this.#reading(options), query, options)
  }

  #reading(options: OwnerReadOptions): Promise<MapWork<Value>> {
    checkReadOptions(options, REACHED_OPTIONS)
    return this.#working()
  }

  #working(): Promise<MapWork<Value>> {
    this.#writes.pump.checkOpen()
    if (this.#routed === undefined) {
      this.#routed = this.#load()
      // A page that could not load it tries again with the next call.
      this.#routed.catch(() => (this.#routed = undefined))
    }
    return this.#routed
  }
}
