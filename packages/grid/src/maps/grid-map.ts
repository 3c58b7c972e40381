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
import { WRITE_OPTIONS, checkKind, checkWriteOptions } from '../batches/checks.ts'
import { Emitter } from '../changes/emitter.ts'
import { FieldRows } from './field-rows.ts'
import type { Logger } from '../logger.ts'
import { MapBatch } from './map-batch.ts'
import { deletingEntries, piecesOf, settingEntries } from './map-bulk.ts'
import { EncodedChange } from './map-change.ts'
import type { Change } from './map-change.ts'
import { MapEntries } from './map-entries.ts'
import type { DiscardedContent } from './map-entries.ts'
import { CHANGES_OPTIONS, ENTRIES_OPTIONS, SET_OPTIONS, checkTtl } from './map-options.ts'
import type { BulkSetOptions, ChangesOptions, EntriesOptions, MapOptions, SetOptions } from './map-options.ts'
import { paced } from '../flow/pacing.ts'
import type { Receipt, WriteOptions } from '../runtime/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { onlyPartition } from '../runtime/row-write.ts'
import type { ValueSchema } from './schema.ts'
import { checkAborted, checkSignal } from '../runtime/waiting.ts'
import { WholeRows } from './whole-rows.ts'

/** Two peers wrote the same key concurrently. The write with the larger version won. */
export interface Conflict<Value> {
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
  change: Change<Value>
  conflict: Conflict<Value>
}

/**
 * A replicated map from text keys to plain values: JSON, and `Uint8Array`, `Date`, `bigint` and `undefined` within values.
 * Of the writes of a key, the one with the largest (HLC timestamp, replica id) wins; with `merge: 'fields'`, this holds for
 * each field. From `grid.map(name)`.
 */
export class GridMap<Value> {
  readonly name: string
  /** The options that it was opened with. @internal */
  readonly options: MapOptions<never>
  readonly #writes: WritePath
  readonly #partition: Partition
  readonly #entries: MapEntries
  readonly #feed: ChangeFeed<Change<Value>>
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
    this.name = collection.descriptor.name
    this.options = deps.options as MapOptions<never>
    this.#writes = writes
    this.#partition = onlyPartition(collection)
    const feed = new ChangeFeed<Change<Value>>({
      logger: deps.logger,
      lagged: (missed) => ({ type: 'lagged', key: '', value: undefined, previous: undefined, missed }),
      used: () => this.#entries.observe(),
    })
    const conflicts = new Emitter<Pick<MapEvents<Value>, 'conflict'>>(deps.logger, { conflict: true })
    this.#feed = feed
    this.#conflicts = conflicts
    const Rows = deps.options.merge === 'fields' ? FieldRows : WholeRows
    this.#entries = new MapEntries(writes, this.#partition, {
      layout: new Rows(this.#partition, deps.valueSizeMaxBytes),
      schema: deps.schema,
      listener: {
        get wanted() {
          return feed.wanted || conflicts.has('conflict')
        },
        applied: (change) => feed.push(change as EncodedChange<Value>),
        changed: (change) => feed.emit(change as EncodedChange<Value>),
        discarded: (discarded) => this.#discarded(discarded),
      },
    })
  }

  /** Number of entries at this peer. */
  get size(): number {
    return this.#entries.size
  }

  /** Number of entries that are hidden, because they are not valid by the schema. @internal */
  get hiddenCount(): number {
    return this.#entries.hiddenCount
  }

  /** The value of `key`, wherever it is stored. Undefined if there is none. Throws `INVALID_KEY`, `CLOSED`. */
  async get(key: string): Promise<Value | undefined> {
    return this.peek(key)
  }

  /** The value of `key` at this peer, synchronously. Throws `INVALID_KEY`, `CLOSED`. */
  peek(key: string): Value | undefined {
    this.#checkKey(key)
    return decoded(this.#entries.content(key))
  }

  async has(key: string): Promise<boolean> {
    return this.#has(key)
  }

  /** When the entry of `key` at this peer expires. Undefined for never, and if there is no entry. */
  expiresAt(key: string): Date | undefined {
    this.#checkKey(key)
    const atMs = this.#entries.expiresAtMs(key)
    return atMs === 0 || atMs === Infinity ? undefined : new Date(atMs)
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
      this.#entries.layout.checkKey(key)
      checkSetOptions(options)
      return this.#write(key, this.#entries.encode(value), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Deletes an entry. Resolves as `set` does, or to undefined if this peer has no entry of that key. */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    if (!this.#has(key) && !this.#entries.order.isOpen) return undefined
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
    checkKind('what update is given beside the key', change ?? null, 'function')
    const next = change(this.peek(key))
    if (isPromiseLike(next)) {
      // Its error would be unhandled.
      next.then(undefined, () => undefined)
      throw new GridError('INVALID_VALUE', 'the function of an update must not be asynchronous: it returns the value')
    }
    return next === undefined ? this.delete(key, options) : this.set(key, next, options)
  }

  /** The values of several keys. Keys without a value are left out. */
  async getMany(keys: Iterable<string>): Promise<Map<string, Value>> {
    checkSource(keys, 'keys')
    const values = new Map<string, Value>()
    for (const key of keys) {
      const value = this.peek(key)
      if (value !== undefined) values.set(key, value)
    }
    return values
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
    checkKnown(options, { ...BULK_OPTIONS, ttlMs: true } satisfies Known<BulkSetOptions>)
    checkTtl(options?.ttlMs)
    const target = settingEntries(this.#entries, () => this.#expiresAtMs(options?.ttlMs))
    return writeMany(this.#writes, entries, options, target)
  }

  /** Deletes all entries at this peer. Resolves to their number. Rejects as `setMany` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options, BULK_OPTIONS)
    const keys = listed(() => this.#entries.keys())
    const { written } = await BulkWrite.all(this.#writes, deletingEntries(this.#entries), keys, options)
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
    return writeBatch(this.#writes, write, (batch) => this.inBatch(batch), options)
  }

  /** This map within a batch. @internal */
  inBatch(batch: Batch): MapBatch<Value> {
    return batch.part(this, () => {
      return new MapBatch<Value>(batch, this.#entries, (ttlMs) => this.#expiresAtMs(ttlMs))
    })
  }

  /**
   * The keys that exist when the iteration starts, in no particular order. Keys that are deleted before the iteration
   * reaches them are skipped, and keys that are added meanwhile are not included. Throws `ABORTED` when its signal is aborted
   * and `CLOSED` when the grid closes.
   */
  keys(options: EntriesOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.#walk(options, (key) => key)
  }

  /** As `keys`, with the value of each key when the iteration reaches it. */
  entries(options: EntriesOptions = {}): AsyncGenerator<[string, Value], void, undefined> {
    return this.#walk(options, (key): [string, Value] | undefined => {
      const content = this.#entries.content(key)
      return content === undefined ? undefined : [key, decodeValue(content) as Value]
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
    if (options.key !== undefined) this.#entries.layout.checkKey(options.key)
    this.#writes.pump.checkOpen()
    const { key: only, prefix = '' } = options
    const wants = (key: string): boolean => (only === undefined ? key.startsWith(prefix) : key === only)
    const start = (): InitialSteps<Change<Value>> => {
      // Entries that have expired by now must not be reported as deleted later.
      this.#writes.pump.sweep()
      return this.#initial(only === undefined ? this.#entries.keys(true) : [only], wants)
    }
    const initial = options.initial === true ? start : undefined
    return this.#feed.changes(options, { wants, initial })
  }

  /** Calls `listener` for every `change` or `conflict`. The returned function ends that. */
  on<Type extends keyof MapEvents<Value>>(
    type: Type,
    listener: (event: MapEvents<Value>[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    if (type !== 'conflict') return this.#feed.on(type, listener as (change: Change<Value>) => unknown, options)
    const off = this.#conflicts.on('conflict', listener as (conflict: Conflict<Value>) => unknown, options)
    this.#entries.observe()
    return off
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    this.#feed.close()
  }

  #discarded({ key, field, content }: DiscardedContent): void {
    const kept = this.#entries.layout.fieldContent(key, field, () => this.#writes.pump.wallMs)
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
      const content = this.#entries.content(key)
      yield { key, entry: content === undefined ? undefined : new EncodedChange<Value>(key, content, undefined) }
    }
  }

  #walk<Shown>(
    options: EntriesOptions,
    show: (key: string) => Shown | undefined,
  ): AsyncGenerator<Shown, void, undefined> {
    checkKnown(options, ENTRIES_OPTIONS)
    const { prefix = '', signal } = options
    checkKind('prefix', prefix, 'text')
    checkSignal(signal)
    const entries = this.#entries
    function* steps(): Generator<Shown | undefined, void, undefined> {
      for (const key of entries.keys()) yield key.startsWith(prefix) ? show(key) : undefined
    }
    return paced(steps(), () => {
      this.#writes.pump.checkOpen()
      checkAborted(signal)
    })
  }

  #has(key: string): boolean {
    this.#checkKey(key)
    return this.#entries.has(key)
  }

  #checkKey(key: string): void {
    this.#writes.pump.checkOpen()
    this.#entries.layout.checkKey(key)
  }

  #write(key: string, content: Uint8Array, options: SetOptions | undefined): Promise<Receipt> {
    const rows = this.#entries.layout.rows(key, content, this.#expiresAtMs(options?.ttlMs))
    return this.#entries.write(rows, options)
  }

  async #remove(key: string, options: WriteOptions | undefined): Promise<Receipt> {
    const pieces = [...piecesOf(this.#entries.deletes(key))]
    const last = pieces.pop()!
    for (const piece of pieces) await this.#entries.write(piece)
    return this.#entries.write(last, options)
  }

  #expiresAtMs(ttlMs: number | undefined = this.options.ttlMs): number {
    return ttlMs === undefined ? Infinity : this.#writes.pump.wallMs + ttlMs
  }
}

function decoded<Value>(content: Uint8Array | undefined): Value | undefined {
  return content === undefined ? undefined : (decodeValue(content) as Value)
}

function checkSetOptions(options: SetOptions | undefined): void {
  checkWriteOptions(options, SET_OPTIONS)
  checkTtl(options?.ttlMs)
}
