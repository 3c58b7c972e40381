import { GridError } from '@gossipgrid/core'
import type { OwnerShare, OwnerState, ReportedCollection } from '@gossipgrid/core'
import { writeBatch } from '../batches/batch.ts'
import type { Batch } from '../batches/batch.ts'
import { checkKind, requireKind } from '../batches/checks.ts'
import type { GridCounter } from '../counters/grid-counter.ts'
import type { Documents } from '../documents/documents.ts'
import type { DocumentOptions, GridDocument } from '../documents/opened/grid-document.ts'
import type { GridCounters } from '../keyed/grid-counters.ts'
import type { GridSets } from '../keyed/grid-sets.ts'
import type { GridMap } from '../maps/grid-map.ts'
import type { MapOptions } from '../maps/map-options.ts'
import type { PartitionedCounter } from '../partitioned/keyed/partitioned-counter.ts'
import type { PartitionedCounters } from '../partitioned/keyed/partitioned-counters.ts'
import type { PartitionedSet } from '../partitioned/keyed/partitioned-set.ts'
import type { PartitionedSets } from '../partitioned/keyed/partitioned-sets.ts'
import type { PartitionedMap } from '../partitioned/partitioned-map.ts'
import type { PartitionedMapOptions, PartitionedOptions } from '../partitioned/partition-options.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import type { GridSet } from '../sets/grid-set.ts'
import type { GridPresence } from '../signals/grid-presence.ts'
import type { GridSignals } from '../signals/grid-signals.ts'
import type { GridTopic } from '../signals/grid-topic.ts'
import type { CountersAndSets } from './counters-and-sets.ts'
import { EntryCounts } from './entry-counts.ts'
import type { GridBatch, GridMaps } from './grid-maps.ts'
import type { PartitionedCountersAndSets } from './partitioned-counters-and-sets.ts'
import type { PartitionedMaps } from './partitioned-maps.ts'

const REPLICATED_ONLY = 'a guest has no partitioned sets and counters: open a replicated one, without options'

/** The collections of a grid, its documents, and what its peers tell each other, by name. */
export abstract class GridCollections {
  protected abstract readonly writes: WritePath
  protected abstract readonly maps: GridMaps
  protected abstract readonly partitionedMaps: PartitionedMaps
  protected abstract readonly countersAndSets: CountersAndSets
  protected abstract readonly partitionedCountersAndSets: PartitionedCountersAndSets
  protected abstract readonly signals: GridSignals
  /** @internal */
  abstract readonly documents: Documents
  #entryCounts: EntryCounts | undefined

  /**
   * The map of that name; the same object every time. Pass options the first time you open a map, and pass the same ones on
   * every peer. Later calls pass the same options or none. Throws `INVALID_NAME`, `INVALID_OPTION`, `COLLECTION_MISMATCH`,
   * `CLOSED`.
   *
   * @example
   * ```ts
   * const profiles = grid.map<{ name: string; city: string }>('profiles', { merge: 'fields' })
   * await profiles.set('ada', { name: 'Ada', city: 'London' })
   * ```
   */
  map<Value = unknown>(name: string, options?: MapOptions<Value>): GridMap<Value>
  /**
   * The partitioned map of that name: each entry is on a few peers, its owners, and not on all. Throws as above, and
   * `PARTITIONS_INVALID`.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * await stock.set('tea', 10)
   * ```
   */
  map<Value = unknown>(name: string, options: PartitionedMapOptions<Value>): PartitionedMap<Value>
  map<Value>(
    name: string,
    options: MapOptions<Value> | PartitionedMapOptions<Value> = {},
  ): GridMap<Value> | PartitionedMap<Value> {
    if (options?.mode !== 'partitioned') return this.maps.get(name, options)
    return this.partitionedMaps.get(name, options)
  }

  /**
   * The owners of a key of a partitioned collection, as this peer knows them, the first choice first; none if it has heard of no
   * such collection. Rejects with `INVALID_KEY`, `INVALID_OPTION`, `CLOSED`, and with `COLLECTION_MISMATCH` for a replicated one.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * await stock.set('tea', 10)
   * for (const { peerId, zone, state } of await grid.owners('stock', 'tea')) console.log(peerId, zone, state)
   * ```
   */
  owners(name: string, key: string): Promise<readonly OwnerState[]>
  /**
   * All peers that are able to own, with how many partitions of the collection each of them owns, has whole, and hands over. Looks at
   * every partition for each peer: for people, and not for every write. Else as above.
   *
   * @example
   * ```ts
   * const stock = grid.map<number>('stock', { mode: 'partitioned' })
   * await stock.set('tea', 10)
   * for (const { peerId, owned, whole } of await grid.owners('stock')) console.log(peerId, owned, whole)
   * ```
   */
  owners(name: string): Promise<readonly OwnerShare[]>
  async owners(name: string, ...keys: [key?: string]): Promise<readonly (OwnerState | OwnerShare)[]> {
    requireKind('name', name, 'text')
    this.writes.pump.checkOpen()
    this.#forMembers()
    await this.partitionedMaps.takePart()
    const { ownersOf, sharesOf } = await import('../partitioned/owners-of.ts')
    const { peer } = this.writes.pump
    return keys.length === 0 ? sharesOf(peer, name) : ownersOf(peer, name, keys[0]!)
  }

  /**
   * Has the partitions of a collection begin again that no registered peer has whole (`partition-lost`), with what other peers still
   * have of them: what only the lost copies had stays lost. Resolves to their number once that is durable here; 0 if none are
   * lost. Rejects with `BACKLOG_FULL`, `STORAGE_FULL`, `STORAGE_FAILED`, `CLOSED`.
   */
  async beginAgain(name: string): Promise<number> {
    checkKind('name', name, 'text')
    this.writes.pump.checkOpen()
    this.#forMembers()
    await this.partitionedMaps.takePart()
    const { pump } = this.writes
    const count = pump.undisturbed(() => pump.peer.partitions.beginAgain(pump.peer.collections.dropped.current(name)))
    pump.tickSoon()
    await this.writes.idle()
    return count
  }

  /**
   * Writes to several collections in one piece, as `GridMap.transact` does for one map.
   *
   * @example
   * ```ts
   * await grid.transact((batch) => {
   *   batch.map('orders').set('o-17', { item: 'tea' })
   *   batch.map<number>('stock').set('tea', (batch.map<number>('stock').get('tea') ?? 1) - 1)
   * })
   * ```
   */
  transact(write: (batch: GridBatch) => void, options?: WriteOptions): Promise<Receipt | undefined> {
    return writeBatch(this.writes, write, (batch) => this.#inBatch(batch), options)
  }

  /**
   * The counter of that name, which all peers can increment and decrement concurrently; the same object every time. Throws
   * `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`.
   */
  counter(name: string): GridCounter
  /**
   * The partitioned counter of that name: a few peers have it, and all count and read it. It has 16 partitions by default. Throws as
   * above, and `INVALID_OPTION`, `PARTITIONS_INVALID`.
   */
  counter(name: string, options: PartitionedOptions): PartitionedCounter
  counter(name: string, options?: PartitionedOptions): GridCounter | PartitionedCounter {
    if (options === undefined) return this.countersAndSets.counter(name)
    this.#forMembers(REPLICATED_ONLY)
    return this.partitionedCountersAndSets.counter(name, options)
  }

  /** The set of that name; the same object every time. Throws `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`. */
  set<Element = unknown>(name: string): GridSet<Element>
  /** The partitioned set of that name: each element is on a few peers. Throws as above, and `INVALID_OPTION`, `PARTITIONS_INVALID`. */
  set<Element = unknown>(name: string, options: PartitionedOptions): PartitionedSet<Element>
  set<Element>(name: string, options?: PartitionedOptions): GridSet<Element> | PartitionedSet<Element> {
    if (options === undefined) return this.countersAndSets.set(name)
    this.#forMembers(REPLICATED_ONLY)
    return this.partitionedCountersAndSets.set(name, options)
  }

  /**
   * The counters of that name: one under each key, for keys that users choose. The same object every time. Throws
   * `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`.
   */
  counters(name: string): GridCounters
  /** The partitioned counters of that name: each is on a few peers. Throws as above, and `INVALID_OPTION`, `PARTITIONS_INVALID`. */
  counters(name: string, options: PartitionedOptions): PartitionedCounters
  counters(name: string, options?: PartitionedOptions): GridCounters | PartitionedCounters {
    if (options === undefined) return this.countersAndSets.counters(name)
    this.#forMembers(REPLICATED_ONLY)
    return this.partitionedCountersAndSets.counters(name, options)
  }

  /** The sets of that name: one under each key, for keys that users choose. The same object every time. Throws as `counters` does. */
  sets<Element = unknown>(name: string): GridSets<Element>
  /** The partitioned sets of that name: each is on a few peers. Throws as above, and `INVALID_OPTION`, `PARTITIONS_INVALID`. */
  sets<Element = unknown>(name: string, options: PartitionedOptions): PartitionedSets<Element>
  sets<Element>(name: string, options?: PartitionedOptions): GridSets<Element> | PartitionedSets<Element> {
    if (options === undefined) return this.countersAndSets.sets(name)
    this.#forMembers(REPLICATED_ONLY)
    return this.partitionedCountersAndSets.sets(name, options)
  }

  /**
   * Opens a document that all peers can edit concurrently: `y` is a real Y.Doc, `awareness` one of y-protocols. Rejects with
   * `INVALID_NAME`, `DOCUMENT_FOREIGN` for a `doc` with content from outside the grid, `DOCUMENT_LIBRARY` if Yjs is not
   * installed, `CLOSED`.
   *
   * @example
   * ```ts
   * const grid = await openGrid({ name: 'office' })
   * ;(await grid.doc('notes/today')).y.getText('body').insert(0, 'hello')
   * await grid.close()
   * ```
   */
  async doc(name: string, options?: DocumentOptions): Promise<GridDocument> {
    return this.documents.open(name, options)
  }

  /** The names of the documents that begin with `prefix`, sorted. Throws `CLOSED`. */
  docs(prefix: string = ''): string[] {
    checkKind('prefix', prefix, 'text')
    return this.documents.names(prefix)
  }

  /**
   * Deletes a document for good, on all peers. Where it is open, an `ended` event reports that. Resolves to true when the
   * delete is durable here, or to false if there is no such document. Rejects as `set` of a map does.
   */
  async deleteDoc(name: string): Promise<boolean> {
    this.#forMembers()
    return this.documents.delete(name)
  }

  /**
   * The topic of that name, for messages to all peers that listen now; they are not stored. The same object every time.
   * Throws `INVALID_NAME`, `COLLECTION_LIMIT`, `CLOSED`, and at a guest `FORBIDDEN` for a topic that its pass does not cover.
   */
  topic<Message = unknown>(name: string): GridTopic<Message> {
    return this.signals.topic(name) as GridTopic<Message>
  }

  /**
   * The peers that are present, with the state that each has set; the same object every time. Throws `FORBIDDEN` at a guest whose pass
   * does not cover presence.
   */
  presence<State = unknown>(): GridPresence<State> {
    this.signals.route?.checkPresence(0)
    return this.signals.presence as GridPresence<State>
  }

  /**
   * Drops a collection for good, on all peers: its entries, its storage and its place among the 4,096. A collection that is
   * opened under its name afterwards is a new one. What was opened before is emptied, over several turns if it is large. What
   * other peers write without knowing of the drop is lost, and a `dropped` event there reports it. Documents, topics and presence
   * are no collections. Resolves as `set` of a map does, or to undefined if there is none of that name. Rejects as `set` does,
   * with `INVALID_NAME` for a name of more than 120 bytes, which could not be opened again, and with `COLLECTION_LIMIT` once
   * 65,536 names were dropped.
   *
   * @example
   * ```ts
   * await grid.map('drafts').set('a', 1)
   * await grid.dropCollection('drafts')
   * console.log(grid.map('drafts').size) // 0
   * ```
   */
  async dropCollection(name: string, options?: WriteOptions): Promise<Receipt | undefined> {
    this.#forMembers()
    const { dropCollection } = await import('./drop-collection.ts')
    return dropCollection(this.writes, name, () => this.dropped(), options)
  }

  /** Number of entries of a collection, as `size` would have it, and of those that are hidden. */
  protected entriesIn(collection: ReportedCollection): { readonly entries: number; readonly hidden: number } {
    this.#entryCounts ??= new EntryCounts(this.writes.pump.peer)
    const opened = this.maps.entries(collection) ?? this.countersAndSets.keys(collection)
    return { entries: opened ?? this.#entryCounts.of(collection), hidden: this.maps.hidden(collection) }
  }

  /** Forgets what was opened of collections that were dropped. */
  protected dropped(): void {
    this.maps.dropped()
    this.partitionedMaps.dropped()
    this.countersAndSets.dropped()
    this.partitionedCountersAndSets.dropped()
  }

  /** Throws `FORBIDDEN` at a guest. */
  #forMembers(why = 'only members do that'): void {
    if (this.writes.overlay !== undefined) throw new GridError('FORBIDDEN', why)
  }

  #inBatch(batch: Batch): GridBatch {
    return { ...this.maps.inBatch(batch), ...this.countersAndSets.inBatch(batch) }
  }
}
