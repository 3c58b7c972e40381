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
import { WRITE_OPTIONS, checkText, checkWriteOptions } from '../batches/checks.ts'
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

/** Two peers wrote the same key without having seen each other's write; the larger version won, this one lost. */
export interface Conflict<Value> {
  readonly key: string
  /** In a map with fields: which field it was about. `discarded` and `kept` are objects with that field alone. */
  readonly field: string | undefined
  /** The value that was thrown away, undefined when it was a delete. */
  readonly discarded: Value | undefined
  /** The value that stands, undefined when it is a delete. */
  readonly kept: Value | undefined
}

/** Events of a map. */
export interface MapEvents<Value> {
  change: Change<Value>
  conflict: Conflict<Value>
}

/**
 * A replicated map from text keys to plain values (what CBOR can say: JSON, and `Uint8Array`, `Date`, `bigint`,
 * `undefined` inside). Each key holds the write with the largest (HLC timestamp, replica id); with `merge: 'fields'`, each
 * field of it does. From `grid.map(name)`.
 */
export class GridMap<Value> {
  readonly name: string
  /** What it was opened as. @internal */
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
    parts: {
      readonly valueSizeMaxBytes: number
      readonly logger: Logger
      readonly options: MapOptions<Value>
      readonly schema: ValueSchema | undefined
    },
  ) {
    this.name = collection.descriptor.name
    this.options = parts.options as MapOptions<never>
    this.#writes = writes
    this.#partition = onlyPartition(collection)
    const feed = new ChangeFeed<Change<Value>>({
      logger: parts.logger,
      lagged: (missed) => ({ type: 'lagged', key: '', value: undefined, previous: undefined, missed }),
      used: () => this.#entries.observe(),
    })
    const conflicts = new Emitter<Pick<MapEvents<Value>, 'conflict'>>(parts.logger)
    this.#feed = feed
    this.#conflicts = conflicts
    const Rows = parts.options.merge === 'fields' ? FieldRows : WholeRows
    this.#entries = new MapEntries(writes, this.#partition, {
      layout: new Rows(this.#partition, parts.valueSizeMaxBytes),
      schema: parts.schema,
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

  /** Entries that this peer holds. */
  get size(): number {
    return this.#entries.size
  }

  /** Entries that this peer holds and that are hidden, because they do not fit the schema. @internal */
  get hiddenCount(): number {
    return this.#entries.hiddenCount
  }

  /** The value under `key`, wherever it lives; undefined when there is none. Throws `INVALID_KEY`, `CLOSED`. */
  async get(key: string): Promise<Value | undefined> {
    return this.peek(key)
  }

  /** The value that this peer holds under `key`, at once. Throws `INVALID_KEY`, `CLOSED`. */
  peek(key: string): Value | undefined {
    this.#checkKey(key)
    return decoded(this.#entries.content(key))
  }

  async has(key: string): Promise<boolean> {
    return this.#has(key)
  }

  /** When the entry that this peer holds under `key` will be gone; undefined for never, and when there is none. */
  expiresAt(key: string): Date | undefined {
    this.#checkKey(key)
    const atMs = this.#entries.expiresAtMs(key)
    return atMs === 0 || atMs === Infinity ? undefined : new Date(atMs)
  }

  /**
   * Writes a value. It is visible on this peer at once. The promise resolves when the write is durable here: on disk
   * and synced, so that from then on it survives a crash and a power cut, and reaches every other replica as long as one
   * copy survives, unless a larger version of the key supersedes it. It does not say that another peer has it: ask for
   * `copies`. On a memory-only peer it resolves when applied, with `durable: false` in the receipt.
   *
   * Rejects with `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `SCHEMA`, `BATCH_TOO_LARGE` (an object of many fields),
   * `BACKLOG_FULL`, `CLOSED`, with nothing written; with `STORAGE_FULL` or `STORAGE_FAILED` when the write stands in memory
   * but is not durable yet; with `COPIES_TIMEOUT` or `ABORTED` when it stands, durable, and only the waiting ended.
   *
   * @example
   * ```ts
   * const receipt = await users.set('ada', { age: 36 }, { copies: 2 })
   * console.log(receipt.copies) // 2
   * ```
   */
  set(key: string, value: Value, options?: SetOptions): Promise<Receipt> {
    // No async function: the promise of the write is passed on as it is.
    try {
      this.#entries.layout.checkKey(key)
      checkSetOptions(options)
      return this.#write(key, this.#entries.encode(value), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Deletes a key; resolves as `set` does, or to undefined when this peer holds no entry to delete. */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    if (!this.#has(key) && !this.#entries.order.isOpen) return undefined
    return this.#remove(key, options)
  }

  /**
   * Reads, computes and writes in one go on this peer; `change` returning undefined deletes. Another peer may write the
   * same key meanwhile: then one of the two wins, as with `set`. Rejects as `set` does; what `change` throws passes on.
   */
  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options?: SetOptions,
  ): Promise<Receipt | undefined> {
    checkSetOptions(options)
    const next = change(this.peek(key))
    if (isPromiseLike(next)) {
      // Nobody waits for it.
      next.then(undefined, () => undefined)
      throw new GridError('INVALID_VALUE', 'the function of an update must not be asynchronous: it returns the value')
    }
    return next === undefined ? this.delete(key, options) : this.set(key, next, options)
  }

  /** The values of several keys; keys without one are left out. */
  async getMany(keys: Iterable<string>): Promise<Map<string, Value>> {
    const values = new Map<string, Value>()
    for (const key of keys) {
      const value = this.peek(key)
      if (value !== undefined) values.set(key, value)
    }
    return values
  }

  /**
   * Writes many entries, which share syncs of the disk: as many as you like, as fast as the store takes them, while the
   * event loop runs on. An array, a `Map` or another collection is checked whole before its first entry is written; what
   * hands out one entry after another, such as a generator or a stream, is read no faster than it is stored. Iterables
   * give a receipt for each entry, in their order; async iterables one receipt for all, so that memory does not grow.
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
    checkKnown(options ?? {}, { ...BULK_OPTIONS, ttlMs: true } satisfies Known<BulkSetOptions>)
    checkTtl(options?.ttlMs)
    const target = settingEntries(this.#entries, () => this.#expiresAtMs(options?.ttlMs))
    return writeMany(this.#writes, entries, options, target)
  }

  /** Deletes all entries that this peer holds; resolves to their number. Rejects as `setMany` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options ?? {}, BULK_OPTIONS)
    const keys = listed(() => this.#entries.keys())
    const { written } = await BulkWrite.all(this.#writes, deletingEntries(this.#entries), keys, options)
    return written
  }

  /**
   * Several writes of this map in one piece: `write` gets a map that reads what it has written, and must not wait for
   * anything. What it throws passes on, with nothing written. On this peer nobody ever sees a part of a batch, neither in
   * memory nor on disk, and listeners hear of it when all of it is there; another peer may see it in parts, and its writes
   * may lose one by one to concurrent ones. The receipt is that of the last write; undefined when there was none.
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
    return writeBatch(this.#writes, (batch) => write(this.inBatch(batch)), options)
  }

  /** This map inside of a batch. @internal */
  inBatch(batch: Batch): MapBatch<Value> {
    return batch.part(this, () => {
      return new MapBatch<Value>(batch, this.#entries, (ttlMs) => this.#expiresAtMs(ttlMs))
    })
  }

  /**
   * The keys that are there when the iteration starts, in no particular order; without those that are gone once it comes to
   * them. What is added meanwhile is not among them. Ends with `ABORTED` by its signal, with `CLOSED` when the grid closes.
   */
  keys(options: EntriesOptions = {}): AsyncGenerator<string, void, undefined> {
    return this.#walk(options, (key) => key)
  }

  /** The entries under those keys, each with the value that it has when the iteration comes to it. */
  entries(options: EntriesOptions = {}): AsyncGenerator<[string, Value], void, undefined> {
    return this.#walk(options, (key): [string, Value] | undefined => {
      const content = this.#entries.content(key)
      return content === undefined ? undefined : [key, decodeValue(content) as Value]
    })
  }

  /**
   * Every change of the map from now on, in the order in which this peer applies them. A reader that falls behind by
   * more than `bufferMax` changes, or `bufferMaxBytes`, gets a `lagged` mark instead of those left out. The loop ends when
   * it is left, when the grid closes, or with `ABORTED` by its signal.
   *
   * @example
   * ```ts
   * for await (const change of users.changes({ prefix: 'a' })) console.log(change.key, change.value)
   * ```
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change<Value>> {
    checkFeedOptions(options, CHANGES_OPTIONS)
    checkText('prefix', options.prefix)
    if (options.key !== undefined) this.#entries.layout.checkKey(options.key)
    this.#writes.pump.checkOpen()
    const { key: only, prefix = '' } = options
    const wants = (key: string): boolean => (only === undefined ? key.startsWith(prefix) : key === only)
    const start = (): InitialSteps<Change<Value>> => {
      // So that nothing is told as deleted later that had expired by now.
      this.#writes.pump.sweep()
      return this.#initial(only === undefined ? this.#entries.keys(true) : [only], wants)
    }
    const initial = options.initial === true ? start : undefined
    return this.#feed.changes(options, { wants, initial })
  }

  /** Calls `listener` for every `change` or `conflict`; the function returned ends that. */
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
    // Of an object as a whole only that it was deleted is told, and that it stands all the same.
    const stands = field === undefined ? this.peek(key) : shown(kept)
    this.#conflicts.emit('conflict', { key, field, discarded: shown(content), kept: stands })
  }

  /** The entries as `set` changes. */
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
    checkText('prefix', prefix)
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
