import { GridError, checkKnown, decodeValue } from '@gossipgrid/core'
import type { Collection, Known, Partition } from '@gossipgrid/core'
import { isPromiseLike } from '../flow/application-calls.ts'
import { writeBatch } from '../batches/batch.ts'
import type { Batch } from '../batches/batch.ts'
import { checkSource, listed } from '../bulk/bulk-source.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import { BULK_OPTIONS, BulkWrite, writeMany } from '../bulk/bulk-write.ts'
import type { BulkOptions, BulkResult } from '../bulk/bulk-write.ts'
import { ChangeFeed, checkFeedOptions } from '../changes/change-feed.ts'
import type { InitialSteps } from '../changes/change-loop.ts'
import { WRITE_OPTIONS, checkKind, checkWriteOptions, requireKind } from '../batches/checks.ts'
import { Emitter } from '../changes/emitter.ts'
import { FieldRows } from './field-rows.ts'
import type { Logger } from '../logger.ts'
import { onlyDefined } from '../only-defined.ts'
import { MapBatch } from './map-batch.ts'
import { deletingEntries, piecesOf, settingEntries } from './map-bulk.ts'
import { EncodedChange } from './map-change.ts'
import type { Change } from './map-change.ts'
import { MapEntries } from './map-entries.ts'
import type { DiscardedContent } from './map-entries.ts'
import { CHANGES_OPTIONS, EXPIRY_OPTIONS, SET_OPTIONS, checkExpiry, checkTtl, expiryMs } from './map-options.ts'
import type { BulkSetOptions, ChangesOptions, ExpiryOptions, MapOptions, SetOptions } from './map-options.ts'
import { MapReads, decoded } from './map-reads.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { onlyPartition } from '../runtime/row-write.ts'
import type { ValueSchema } from './schema.ts'
import type { MapUndo, UndoOptions } from '../undo/map-undo.ts'
import type { Snapshot } from './snapshots.ts'
import { WholeRows } from './whole-rows.ts'

/** Two peers wrote the same key concurrently. The write with the larger version won. */
export interface Conflict<Value> {
  /** The key that both wrote. */
  readonly key: string
  /** In a map with fields: the field. Then `discarded` and `kept` are objects with only that field. */
  readonly field: string | undefined
  /** The losing value. Undefined if it was a delete. */
  readonly discarded: Value | undefined
  /** The current value. Undefined if it is a delete. */
  readonly kept: Value | undefined
}

/** Events of a map. */
export interface MapEvents<Value> {
  /** An entry was written, deleted or has expired, here or at another peer. */
  change: Change<Value>
  /** A write has lost against another one that it had not seen. */
  conflict: Conflict<Value>
}

/**
 * A replicated map from text keys to plain values: JSON, and `Uint8Array`, `Date`, `bigint` and `undefined` within values.
 * Of the writes of a key, the one with the largest (HLC timestamp, replica id) wins; with `merge: 'fields'`, this holds for
 * each field. From `grid.map(name)`.
 */
export class GridMap<Value> extends MapReads<Value> {
  /** The name of the map. */
  readonly name: string
  /** The options that it was opened with. @internal */
  readonly options: MapOptions<never>
  protected readonly writes: WritePath
  protected readonly partition: Partition
  protected readonly logger: Logger
  protected readonly stored: MapEntries
  protected readonly feed: ChangeFeed<Change<Value>>
  readonly #conflicts: Emitter<Pick<MapEvents<Value>, 'conflict'>>

  /** @internal */
  constructor(
    writes: WritePath,
    collection: Collection,
    deps: {
      readonly valueSizeMaxBytes: number
      readonly logger: Logger
      readonly options: MapOptions<Value>
      readonly schema: ValueSchema | undefined
    },
  ) {
    super()
    this.name = collection.title
    this.options = deps.options as MapOptions<never>
    this.writes = writes
    this.partition = onlyPartition(collection)
    this.logger = deps.logger
    const feed = new ChangeFeed<Change<Value>>({
      logger: deps.logger,
      lagged: (missed) => ({
        ...{ type: 'lagged', key: '', value: undefined, previous: undefined },
        ...{ local: false, by: undefined, at: undefined, missed },
      }),
      used: () => this.stored.observe(),
    })
    const conflicts = new Emitter<Pick<MapEvents<Value>, 'conflict'>>(deps.logger, { conflict: true })
    this.feed = feed
    this.#conflicts = conflicts
    const { snapshots } = this
    const Rows = deps.options.merge === 'fields' ? FieldRows : WholeRows
    this.stored = new MapEntries(writes, this.partition, {
      layout: new Rows(this.partition, deps.valueSizeMaxBytes),
      schema: deps.schema,
      listener: {
        get wanted() {
          return feed.wanted || conflicts.has('conflict') || snapshots.wanted
        },
        applied: (change) => {
          snapshots.changed(change.key)
          feed.push(change as EncodedChange<Value>)
        },
        changed: (change) => feed.emit(change as EncodedChange<Value>),
        discarded: (discarded) => this.#discarded(discarded),
      },
    })
  }

  /** Number of entries that are hidden, because they are not valid by the schema. @internal */
  get hiddenCount(): number {
    return this.stored.hiddenCount
  }

  /**
   * Writes a value. It is visible on this peer at once. The promise resolves when the write is durable here: it is synced
   * to disk and survives a crash or a power cut. Every other replica will get it as long as one copy survives, unless a
   * larger version of the key supersedes it. The promise does not mean that another peer has it: ask for `copies`. On a
   * memory-only peer it resolves when the write is applied, with `durable: false` in the receipt.
   *
   * Nothing is written if it rejects with `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `SCHEMA`, `BATCH_TOO_LARGE` (an
   * object of many fields), `BACKLOG_FULL` or `CLOSED`. With `STORAGE_FULL` or `STORAGE_FAILED` the write stands in memory,
   * but is not durable yet. With `COPIES_TIMEOUT` or `ABORTED` only the waiting has ended: the write stands.
   *
   * @example
   * ```ts
   * const receipt = await users.set('ada', { age: 36 }, { copies: 2 })
   * console.log(receipt.copies) // 2
   * ```
   */
  set(key: string, value: Value, options?: SetOptions): Promise<Receipt> {
    // Not an async function, so that there is no second promise.
    try {
      this.stored.layout.checkKey(key)
      checkSetOptions(options)
      return this.#write(key, this.stored.encode(value), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Sets when an entry expires: `ttlMs` from now, by default that of the map. It is a write of the value that this peer knows.
   * Resolves as `set` does, or to undefined if this peer has no entry of that key. Rejects as `set` does, and with
   * `INVALID_OPTION` without a time to live.
   *
   * @example
   * ```ts
   * const sessions = grid.map<{ user: string }>('sessions', { ttlMs: 1_800_000 })
   * await sessions.set('s-1', { user: 'ada' })
   * await sessions.touch('s-1') // half an hour from now
   * ```
   */
  async touch(key: string, ttlMs?: number, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    checkTtl(ttlMs)
    if (ttlMs === undefined && this.options.ttlMs === undefined)
      throw new GridError('INVALID_OPTION', `pass touch a ttlMs: '${this.name}' was opened without one`)
    const content = this.hasEntry(key) ? this.stored.content(key) : undefined
    if (content === undefined) return undefined
    return this.#write(key, content, { ...options, ...onlyDefined({ ttlMs }) })
  }

  /** Deletes an entry. Resolves as `set` does, or to undefined if this peer has no entry of that key. */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    if (!this.hasEntry(key) && !this.stored.order.isOpen) return undefined
    return this.#remove(key, options)
  }

  /**
   * Reads the value, calls `change` with it and writes the result, without interruption on this peer. If `change` returns
   * undefined, the entry is deleted. If another peer writes the same key concurrently, one of the two wins, as with `set`.
   * Rejects as `set` does, and with what `change` throws.
   */
  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options?: SetOptions,
  ): Promise<Receipt | undefined> {
    checkSetOptions(options)
    requireKind('what update is given beside the key', change, 'function')
    const next = change(this.peek(key))
    if (isPromiseLike(next)) {
      // Its error would be unhandled.
      next.then(undefined, () => undefined)
      throw new GridError('INVALID_VALUE', 'the function of an update must not be asynchronous: it returns the value')
    }
    return next === undefined ? this.delete(key, options) : this.set(key, next, options)
  }

  /**
   * Writes any number of entries, as fast as the store can take them, while the event loop keeps running. All entries of an
   * array, a `Map` or another collection are checked before the first one is written. A generator or a stream is read no
   * faster than its entries are stored. An iterable gives a receipt for each entry, in order; an async iterable gives one
   * receipt for all, so that memory does not grow.
   *
   * Rejects with a `BulkError`: its `code` is one of `set`, or `INPUT_FAILED` when the iterable throws; its `written` and
   * `durable` say how many of the first entries are. A signal stops it between two slices of entries. It never rejects
   * with `BACKLOG_FULL`: it waits.
   *
   * @example
   * ```ts
   * async function* rows() {
   *   for (let i = 0; i < 100; i++) yield [`row ${i}`, { age: i % 100 }] as const
   * }
   * await users.setMany(rows(), { onProgress: ({ durable }) => console.log(durable) })
   * ```
   */
  async setMany<Source extends BulkSource<readonly [string, Value]>>(
    entries: Source,
    options?: BulkSetOptions,
  ): Promise<BulkResult<Source>> {
    checkSource(entries, 'entries')
    checkKnown(options, { ...BULK_OPTIONS, ...EXPIRY_OPTIONS } satisfies Known<BulkSetOptions>)
    checkExpiry(options ?? {})
    const target = settingEntries(this.stored, () => this.#expiresAtMs(options))
    return writeMany(this.writes, entries, options, target)
  }

  /** Deletes all entries at this peer. Resolves to their number. Rejects as `setMany` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options, BULK_OPTIONS)
    const keys = listed(() => this.stored.keys())
    const { written } = await BulkWrite.all(this.writes, deletingEntries(this.stored), keys, options)
    return written
  }

  /**
   * Writes several entries of this map in one piece. `write` is synchronous, and gets a map that reads what the batch has
   * written so far. If it throws, nothing is written. On this peer a batch is never seen in part, neither in memory nor on
   * disk, and listeners are called when it is complete. Other peers may see it in parts, and each of its writes may lose to
   * a concurrent one. Resolves to the receipt of the last write, or to undefined if there was none.
   *
   * Rejects as `set` does, and with `BATCH_TOO_LARGE` past 1,000 writes or 512 KiB.
   *
   * @example
   * ```ts
   * await users.transact((batch) => {
   *   batch.set('ada', { age: (batch.get('ada')?.age ?? 0) + 1 })
   *   batch.delete('bob')
   * })
   * ```
   */
  transact(write: (batch: MapBatch<Value>) => void, options?: WriteOptions): Promise<Receipt | undefined> {
    return writeBatch(this.writes, write, (batch) => this.inBatch(batch), options)
  }

  /**
   * Undoes and redoes the writes that this peer makes to the map from now on. Loaded when it is first called. Rejects with
   * `INVALID_OPTION`, `CLOSED`.
   *
   * @example
   * ```ts
   * const undo = await users.undoManager({ prefix: 'a' })
   * await users.set('ada', { age: 37 })
   * await undo.undo()
   * undo.close()
   * ```
   */
  async undoManager(options: UndoOptions = {}): Promise<MapUndo> {
    const { MapUndo: Loaded, checkUndoOptions } = await import('../undo/map-undo.ts')
    checkUndoOptions(options)
    this.writes.pump.checkOpen()
    const keyOf = (rowKey: string): string => this.stored.layout.place(rowKey).key
    return new Loaded({ writes: this.writes, partition: this.partition, keyOf, logger: this.logger }, options)
  }

  /** This map within a batch. @internal */
  inBatch(batch: Batch): MapBatch<Value> {
    return batch.part(this, () => {
      return new MapBatch<Value>(batch, this.stored, (options) => this.#expiresAtMs(options))
    })
  }

  /**
   * Every change of the map from now on, in the order in which this peer applies them. If a reader falls behind by more
   * than `bufferMax` changes or `bufferMaxBytes`, changes are left out and a `lagged` mark takes their place. The loop ends
   * when you leave it and when the grid closes, and throws `ABORTED` when its signal is aborted.
   *
   * @example
   * ```ts
   * for await (const change of users.changes({ prefix: 'a' })) console.log(change.key, change.value)
   * ```
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change<Value>> {
    checkFeedOptions(options, CHANGES_OPTIONS)
    checkKind('prefix', options.prefix, 'text')
    if (options.key !== undefined) this.stored.layout.checkKey(options.key)
    this.writes.pump.checkOpen()
    const { key: only, prefix = '' } = options
    const wants = (key: string): boolean => (only === undefined ? key.startsWith(prefix) : key === only)
    const start = (): InitialSteps<Change<Value>> => {
      // Entries that have expired by now must not be reported as deleted later.
      this.writes.pump.sweep()
      return this.#initial(only === undefined ? this.stored.keys(true) : [only], wants)
    }
    const initial = options.initial === true ? start : undefined
    return this.feed.changes(options, { wants, initial })
  }

  /** Calls `listener` for every `change` or `conflict`. The returned function ends that. */
  on<Type extends keyof MapEvents<Value>>(
    type: Type,
    listener: (event: MapEvents<Value>[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    if (type !== 'conflict') return this.feed.on(type, listener as (change: Change<Value>) => unknown, options)
    const off = this.#conflicts.on('conflict', listener as (conflict: Conflict<Value>) => unknown, options)
    this.stored.observe()
    return off
  }

  /** Calls `listener` after every change, as `on('change', …)` does: with `getSnapshot`, what `useSyncExternalStore` and its like ask for. */
  readonly subscribe = (listener: () => unknown): (() => void) => this.on('change', () => listener())
  /** `snapshot()`, as a function that can be passed on. It never throws: once the grid is closed, it gives the last entries. */
  readonly getSnapshot = (): Snapshot<Value> => (this.writes.pump.closed ? this.snapshots.of('') : this.snapshot())

  /** What `copyCollection` works with. @internal */
  get asCopied(): { readonly writes: WritePath; readonly partition: Partition } {
    return { writes: this.writes, partition: this.partition }
  }

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    return this.partition.dropped
  }

  /** Of what was dropped, nothing is left. @internal */
  get isEmptied(): boolean {
    return this.partition.replica.table.size === 0
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    this.feed.close()
  }

  #discarded({ key, field, content }: DiscardedContent): void {
    const kept = this.stored.layout.fieldContent(key, field, () => this.writes.pump.wallMs)
    const shown = (bytes: Uint8Array | undefined): Value | undefined =>
      field === undefined || bytes === undefined ? decoded(bytes) : ({ [field]: decodeValue(bytes) } as Value)
    // For a whole object only a delete is reported that lost: the object still exists.
    const stands = field === undefined ? this.peek(key) : shown(kept)
    this.#conflicts.emit('conflict', { key, field, discarded: shown(content), kept: stands })
  }

  /** The current entries, as `set` changes. */
  *#initial(keys: Iterable<string>, wants: (key: string) => boolean): InitialSteps<Change<Value>> {
    for (const key of keys) {
      if (!wants(key)) {
        yield undefined
        continue
      }
      const content = this.stored.content(key)
      yield {
        key,
        entry:
          content === undefined
            ? undefined
            : new EncodedChange<Value>(key, content, undefined, this.stored.origin(key)),
      }
    }
  }

  #write(key: string, content: Uint8Array, options: SetOptions | undefined): Promise<Receipt> {
    const rows = this.stored.layout.rows(key, content, this.#expiresAtMs(options))
    return this.stored.write(rows, options)
  }

  async #remove(key: string, options: WriteOptions | undefined): Promise<Receipt> {
    const pieces = [...piecesOf(this.stored.deletes(key))]
    const last = pieces.pop()!
    for (const piece of pieces) await this.stored.write(piece)
    return this.stored.write(last, options)
  }

  #expiresAtMs(options: ExpiryOptions = {}): number {
    return expiryMs(options, this.options.ttlMs, this.writes.pump.wallMs)
  }
}

function checkSetOptions(options: SetOptions | undefined): void {
  checkWriteOptions(options, SET_OPTIONS)
  checkExpiry(options ?? {})
}
