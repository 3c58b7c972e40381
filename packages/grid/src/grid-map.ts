import { decodeValue, encodeValue } from '@gossipgrid/core'
import type { Collection, Discarded, Partition, Peer } from '@gossipgrid/core'
import { ChangeQueue } from './changes.ts'
import type { Change } from './changes.ts'
import { checkCount, checkKey, checkWriteOptions } from './checks.ts'
import type { Emitter } from './emitter.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import type { Runtime } from './runtime.ts'
import { onlyPartition } from './runtime.ts'
import { checkAborted } from './waiting.ts'

/** Entries read between two turns of the event loop while iterating. */
const ENTRIES_PER_TURN = 2048

/** Which changes to hear of. */
export interface ChangesOptions {
  /** Only this key. */
  readonly key?: string
  /** Only keys that start so. */
  readonly prefix?: string
  /** Begin with the entries that are there already, as `set` changes. */
  readonly initial?: boolean
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
  /** How many changes a slow reader may be behind before some are left out. Default 65,536. */
  readonly bufferMax?: number
}

/** What to iterate over. */
export interface EntriesOptions {
  readonly prefix?: string
  readonly signal?: AbortSignal
}

/** Two peers wrote the same key without having seen each other's write; the larger version won, this one lost. */
export interface Conflict<Value> {
  readonly key: string
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

interface Watcher<Value> {
  readonly key: string | undefined
  readonly prefix: string
  readonly queue: ChangeQueue<Change<Value>>
}

/**
 * A replicated map from text keys to plain values (what CBOR can say: JSON, and `Uint8Array`, `Date`, `bigint`,
 * `undefined` inside). Each key holds the write with the largest (HLC timestamp, replica id). From `grid.map(name)`.
 */
export class GridMap<Value> {
  readonly name: string
  readonly #runtime: Runtime
  readonly #partition: Partition
  readonly #valueSizeMaxBytes: number
  readonly #events: Emitter<MapEvents<Value>>
  readonly #watchers = new Set<Watcher<Value>>()

  /** @internal */
  constructor(
    runtime: Runtime,
    collection: Collection,
    options: { readonly valueSizeMaxBytes: number; readonly events: Emitter<MapEvents<Value>> },
  ) {
    this.name = collection.descriptor.name
    this.#runtime = runtime
    this.#partition = onlyPartition(collection)
    this.#valueSizeMaxBytes = options.valueSizeMaxBytes
    this.#events = options.events
  }

  /** Entries that this peer holds. */
  get size(): number {
    return this.#partition.replica.table.liveCount
  }

  /** The value under `key`, wherever it lives; undefined when there is none. Throws `INVALID_KEY`, `CLOSED`. */
  async get(key: string): Promise<Value | undefined> {
    return this.peek(key)
  }

  /** The value that this peer holds under `key`, at once. Throws `INVALID_KEY`, `CLOSED`. */
  peek(key: string): Value | undefined {
    this.#runtime.checkOpen()
    checkKey(key)
    const { table } = this.#partition.replica
    const slot = table.slotOf(key)
    return slot === undefined ? undefined : this.#decode(table.value(slot))
  }

  async has(key: string): Promise<boolean> {
    this.#runtime.checkOpen()
    checkKey(key)
    const { table } = this.#partition.replica
    const slot = table.slotOf(key)
    return slot !== undefined && !table.deleted(slot)
  }

  /**
   * Writes a value. It is visible on this peer at once. The promise resolves when the write is durable here: on disk
   * and synced, so that from then on it survives a crash and a power cut, and reaches every other replica as long as one
   * copy survives, unless a larger version of the key supersedes it. It does not say that another peer has it: ask for
   * `copies`. On a memory-only peer it resolves when applied, with `durable: false` in the receipt.
   *
   * Rejects with `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `BACKLOG_FULL`, `CLOSED`, with nothing written; with
   * `STORAGE_FULL` or `STORAGE_FAILED` when the write stands in memory but is not durable yet; with `COPIES_TIMEOUT` or
   * `ABORTED` when it stands, durable, and only the waiting ended.
   *
   * @example
   * ```ts
   * const receipt = await users.set('ada', { age: 36 }, { copies: 2 })
   * console.log(receipt.copies) // 2
   * ```
   */
  set(key: string, value: Value, options?: WriteOptions): Promise<Receipt> {
    // No async function: the promise of the write is passed on as it is.
    try {
      checkKey(key)
      if (options !== undefined) checkWriteOptions(options)
      return this.#runtime.write(this.#partition, key, encodeValue(value, this.#valueSizeMaxBytes), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Deletes a key; resolves as `set` does, or to undefined when this peer holds no entry to delete. */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    if (!(await this.has(key))) return undefined
    if (options !== undefined) checkWriteOptions(options)
    return this.#runtime.write(this.#partition, key, undefined, options)
  }

  /**
   * Reads, computes and writes in one go on this peer; `change` returning undefined deletes. Another peer may write the
   * same key meanwhile: then one of the two wins, as with `set`. Rejects as `set` does; what `change` throws passes on.
   */
  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Receipt | undefined> {
    const next = change(this.peek(key))
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

  /** Writes several entries, which share syncs of the disk; the receipts come in their order. Rejects as `set` does. */
  async setMany(entries: Iterable<readonly [string, Value]>, options?: WriteOptions): Promise<Receipt[]> {
    const encoded: [string, Uint8Array][] = []
    // All are checked before the first is written.
    for (const [key, value] of entries) {
      checkKey(key)
      encoded.push([key, encodeValue(value, this.#valueSizeMaxBytes)])
    }
    if (options !== undefined) checkWriteOptions(options)
    return Promise.all(encoded.map(([key, bytes]) => this.#runtime.write(this.#partition, key, bytes, options)))
  }

  /** Deletes all entries that this peer holds; resolves to their number. */
  async clear(options?: WriteOptions): Promise<number> {
    this.#runtime.checkOpen()
    const { table } = this.#partition.replica
    const keys: string[] = []
    for (const slot of table.slots()) if (!table.deleted(slot)) keys.push(table.key(slot))
    await Promise.all(keys.map((key) => this.#runtime.write(this.#partition, key, undefined, options)))
    return keys.length
  }

  /** The keys that this peer holds, in no particular order. Changes made meanwhile may show or not. */
  async *keys(options: EntriesOptions = {}): AsyncGenerator<string, void, undefined> {
    for await (const slot of this.#slots(options)) yield this.#partition.replica.table.key(slot)
  }

  /** The entries that this peer holds, in no particular order. Changes made meanwhile may show or not. */
  async *entries(options: EntriesOptions = {}): AsyncGenerator<[string, Value], void, undefined> {
    const { table } = this.#partition.replica
    for await (const slot of this.#slots(options)) {
      const value = table.value(slot)
      if (value !== undefined) yield [table.key(slot), this.#decode(value)!]
    }
  }

  /**
   * Every change of the map from now on, in the order in which this peer applies them. A reader that falls behind by
   * more than `bufferMax` changes gets a `lagged` mark instead of those left out. The loop ends when it is left, when
   * the grid closes, or with `ABORTED` by its signal.
   *
   * @example
   * ```ts
   * for await (const change of users.changes({ prefix: 'a' })) console.log(change.key, change.value)
   * ```
   */
  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change<Value>> {
    this.#runtime.checkOpen()
    checkCount('bufferMax', options.bufferMax, 1, 10_000_000)
    if (options.key !== undefined) checkKey(options.key)
    const queue = new ChangeQueue<Change<Value>>({
      bufferMax: options.bufferMax,
      signal: options.signal,
      lagged: (missed) => ({ type: 'lagged', key: '', value: undefined, previous: undefined, missed }),
      onEnd: () => {
        this.#watchers.delete(watcher)
        this.#observe()
      },
    })
    const watcher = { key: options.key, prefix: options.prefix ?? '', queue }
    if (options.signal?.aborted === true) return queue
    this.#watchers.add(watcher)
    this.#observe()
    return options.initial === true ? this.#withInitial(watcher) : queue
  }

  /** Calls `listener` for every `change` or `conflict`; the function returned ends that. */
  on<Type extends keyof MapEvents<Value>>(
    type: Type,
    listener: (event: MapEvents<Value>[Type]) => void,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    const off = this.#events.on(type, listener, options)
    this.#observe()
    return off
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    for (const { queue } of [...this.#watchers]) queue.end()
  }

  /** Core is asked to tell of changes only while somebody listens. */
  #observe(): void {
    const { replica } = this.#partition
    const wanted = this.#watchers.size > 0 || this.#events.has('change') || this.#events.has('conflict')
    replica.observer = wanted
      ? {
          changed: (slot, previous) => this.#changed(slot, previous),
          discarded: (discarded) => this.#discarded(discarded),
        }
      : undefined
  }

  #changed(slot: number, previousBytes: Uint8Array | undefined): void {
    const { table } = this.#partition.replica
    const key = table.key(slot)
    const bytes = table.value(slot)
    const watchers = [...this.#watchers].filter((watcher) => watches(watcher, key))
    if (watchers.length === 0 && !this.#events.has('change')) return
    const change = new LazyChange<Value>(key, bytes, previousBytes)
    this.#runtime.afterStep(() => {
      for (const { queue } of watchers) queue.push(change)
      this.#events.emit('change', change)
    })
  }

  #discarded(discarded: Discarded): void {
    if (!this.#events.has('conflict')) return
    const { key, value } = discarded
    this.#runtime.afterStep(() => {
      this.#events.emit('conflict', { key, discarded: this.#decode(value), kept: this.peek(key) })
    })
  }

  /** The entries first, then the changes that came meanwhile: an entry changed meanwhile shows twice, never too old last. */
  async *#withInitial(watcher: Watcher<Value>): AsyncGenerator<Change<Value>, void, undefined> {
    const { table } = this.#partition.replica
    try {
      for await (const slot of this.#slots({ prefix: watcher.key ?? watcher.prefix })) {
        if (!watches(watcher, table.key(slot))) continue
        yield new LazyChange<Value>(table.key(slot), table.value(slot), undefined)
      }
      yield* watcher.queue
    } finally {
      watcher.queue.end()
    }
  }

  async *#slots({ prefix = '', signal }: EntriesOptions): AsyncGenerator<number, void, undefined> {
    const { table } = this.#partition.replica
    for (let slot = 0; slot < table.slotCount; slot++) {
      if (slot % ENTRIES_PER_TURN === 0) {
        if (slot > 0) await new Promise((resolve) => setTimeout(resolve, 0))
        this.#runtime.checkOpen()
        checkAborted(signal)
      }
      if (!table.deleted(slot) && table.key(slot).startsWith(prefix)) yield slot
    }
  }

  #decode(bytes: Uint8Array | undefined): Value | undefined {
    return bytes === undefined ? undefined : (decodeValue(bytes) as Value)
  }
}

/** A change that decodes its values when they are looked at: most readers look at few. */
class LazyChange<Value> implements Change<Value> {
  readonly type: 'set' | 'delete'
  readonly key: string
  readonly missed = 0
  readonly #bytes: Uint8Array | undefined
  readonly #previousBytes: Uint8Array | undefined

  constructor(key: string, bytes: Uint8Array | undefined, previousBytes: Uint8Array | undefined) {
    this.type = bytes === undefined ? 'delete' : 'set'
    this.key = key
    this.#bytes = bytes
    this.#previousBytes = previousBytes
  }

  get value(): Value | undefined {
    return this.#bytes === undefined ? undefined : (decodeValue(this.#bytes) as Value)
  }

  get previous(): Value | undefined {
    return this.#previousBytes === undefined ? undefined : (decodeValue(this.#previousBytes) as Value)
  }
}

function watches(watcher: { readonly key: string | undefined; readonly prefix: string }, key: string): boolean {
  return watcher.key === undefined ? key.startsWith(watcher.prefix) : key === watcher.key
}

/** What a map needs of core to be opened. @internal */
export function openMapCollection(peer: Peer, name: string): Collection {
  return peer.open({ name, kind: 'map', mode: 'replicated', partitions: 1 })
}
