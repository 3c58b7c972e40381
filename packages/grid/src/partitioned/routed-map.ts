import { GridError, decodeValue } from '@gossipgrid/core'
import { checkBatch } from '../batches/batch.ts'
import { misfit } from '../batches/checks.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import { isPromiseLike } from '../flow/application-calls.ts'
import { expiryMs } from '../maps/map-options.ts'
import type { ExpiryOptions } from '../maps/map-options.ts'
import { mapChanges } from './changes/map-changes.ts'
import type { RunningFeed } from './changes/map-changes.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionWatchOptions,
  PartitionWatched,
} from './changes/partition-changes.ts'
import { KeyTurns } from '../flow/key-turns.ts'
import { PartitionBatch } from './partition-batch.ts'
import { readOptions } from './partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionBulkSetOptions,
  PartitionGetOptions,
  PartitionReceipt,
  PartitionSetOptions,
  PartitionValues,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from './partition-options.ts'
import { RoutedBulk, clearEntries } from './routed-bulk.ts'
import type { PlannedEntry } from './routed-bulk.ts'
import { RoutedEntries } from './routed-entries.ts'
import type { FoundEntry, RoutedEntriesDeps } from './routed-entries.ts'
import { walkEntries } from './routed-walk.ts'
import { RoutedWrites } from './routed-writes.ts'
import type { RoutedRow } from './routed-writes.ts'

/** What a partitioned map does, here or through a member. */
export type MapWork<Value> = Pick<RoutedMap<Value>, keyof RoutedMap<Value>>

/** What a partitioned map does. A tab loads it with the first call. `PartitionedMap` says what each method promises. */
export class RoutedMap<Value> {
  readonly entries: RoutedEntries
  readonly #writes: RoutedWrites
  readonly #mapTtlMs: number | undefined
  readonly #turns = new KeyTurns()

  constructor(deps: RoutedEntriesDeps & { readonly mapTtlMs: number | undefined }) {
    this.entries = new RoutedEntries(deps)
    this.#writes = new RoutedWrites(deps.writes)
    this.#mapTtlMs = deps.mapTtlMs
  }

  async get(key: string, options: PartitionGetOptions): Promise<Value | undefined> {
    this.entries.checkKey(key)
    const { content } = await this.entries.get(key, options)
    return content === undefined ? undefined : (decodeValue(content) as Value)
  }

  async has(key: string, options: OwnerReadOptions): Promise<boolean> {
    this.entries.checkKey(key)
    return (await this.entries.get(key, options)).content !== undefined
  }

  async expiresAt(key: string, options: OwnerReadOptions): Promise<Date | undefined> {
    this.entries.checkKey(key)
    const { expiresAtMs } = await this.entries.get(key, options)
    return expiresAtMs === 0 || expiresAtMs === Infinity ? undefined : new Date(expiresAtMs)
  }

  async getMany(keys: Iterable<string>, options: OwnerReadOptions): Promise<PartitionValues<Value>> {
    const wanted = [...new Set(keys)]
    for (const key of wanted) this.entries.checkKey(key)
    const values = new Map<string, Value>()
    const unanswered: string[] = []
    const found = wanted.length === 0 ? [] : await this.entries.find(wanted, options)
    for (const [place, entry] of found.entries()) {
      if (entry === undefined) unanswered.push(wanted[place]!)
      else if (entry.content !== undefined) values.set(entry.key, decodeValue(entry.content) as Value)
    }
    return Object.assign(values, { complete: unanswered.length === 0, unanswered })
  }

  async set(key: string, value: Value, options: PartitionSetOptions): Promise<PartitionReceipt> {
    this.entries.checkKey(key)
    const content = this.entries.encode(value)
    const expiresAtMs = this.#expiresAtMs(options)
    if (!this.entries.readsBeforeWrites)
      return this.#write(this.entries.unknown(key).rows(content, expiresAtMs), options)
    return this.#turns.take(key, async () => {
      // Always writable: without an owner, fields that the object no longer has stay.
      const [found] = await this.entries.find([key], {
        ...readOptions(options),
        timeoutMs: this.#writes.briefMs(options),
      })
      return this.#write((found ?? this.entries.unknown(key)).rows(content, expiresAtMs), options)
    })
  }

  async touch(
    key: string,
    ttlMs: number | undefined,
    options: PartitionWriteOptions,
  ): Promise<PartitionReceipt | undefined> {
    this.entries.checkKey(key)
    return this.#changed(key, options, (found) => {
      return found.content === undefined
        ? undefined
        : found.rows(found.content, this.#expiresAtMs(ttlMs === undefined ? {} : { ttlMs }))
    })
  }

  async delete(key: string, options: PartitionWriteOptions): Promise<PartitionReceipt | undefined> {
    this.entries.checkKey(key)
    return this.#turns.take(key, async () => {
      const [found] = await this.entries.find([key], readOptions(options))
      // An object of fields is several rows, and without an owner it is not known which.
      if (found === undefined && this.entries.readsBeforeWrites)
        throw this.entries.reads.unreachable('the entry', readOptions(options))
      if (found !== undefined && found.content === undefined) return undefined
      return this.#write((found ?? this.entries.unknown(key)).rows(undefined, Infinity), options)
    })
  }

  async update(
    key: string,
    change: (value: Value | undefined) => Value | undefined,
    options: PartitionSetOptions,
  ): Promise<PartitionReceipt | undefined> {
    this.entries.checkKey(key)
    return this.#changed(key, options, (found) => {
      const next = change(found.content === undefined ? undefined : (decodeValue(found.content) as Value))
      if (isPromiseLike(next)) {
        // Its error would be unhandled.
        next.then(undefined, () => undefined)
        throw new GridError('INVALID_VALUE', 'the function of an update must not be asynchronous: it returns the value')
      }
      if (next !== undefined) return found.rows(this.entries.encode(next), this.#expiresAtMs(options))
      return found.content === undefined ? undefined : found.rows(undefined, Infinity)
    })
  }

  async transact(
    write: (batch: PartitionBatch<Value>) => void,
    options: PartitionWriteOptions,
  ): Promise<PartitionReceipt | undefined> {
    this.entries.reads.check()
    const batch = new PartitionBatch<Value>(this.entries, (expiry) => this.#expiresAtMs(expiry))
    const planned = [...batch.planned(write)]
    if (planned.length === 0) return undefined
    const needs = this.entries.readsBeforeWrites
    const found = needs
      ? await this.entries.find(
          planned.map(([key]) => key),
          readOptions(options),
        )
      : []
    const rows = planned.flatMap(([key, { content, expiresAtMs }], place) => {
      if (needs && found[place] === undefined)
        throw this.entries.reads.unreachable(`the entry '${key}'`, readOptions(options))
      return (found[place] ?? this.entries.unknown(key)).rows(content, expiresAtMs)
    })
    if (rows.length === 0) return undefined
    this.entries.reads.check()
    checkBatch(rows)
    return this.#writes.writeAll(rows, options)
  }

  setMany(
    source: BulkSource<readonly [string, Value]>,
    options: PartitionBulkSetOptions,
  ): Promise<PartitionBulkResult> {
    this.entries.reads.check()
    return new RoutedBulk(this.#deps, options, () => this.#expiresAtMs(options)).set(source, (entry) =>
      this.#plan(entry),
    )
  }

  clear(options: PartitionBulkOptions): Promise<Coverage & { readonly deleted: number }> {
    return clearEntries(this.#deps, options)
  }

  size(options: OwnerReadOptions): Promise<Coverage & { readonly size: number }> {
    return this.entries.reads.size(options)
  }

  /** Calls `covered` at the end. */
  async *walk<Shown>(
    options: PartitionWalkOptions,
    show: (key: string, content: Uint8Array) => Shown,
    covered: (coverage: Coverage) => void,
  ): AsyncGenerator<Shown, void, undefined> {
    for await (const { key, content } of walkEntries(this.entries, options, covered)) yield show(key, content!)
  }

  /** Calls `begun` once. */
  changes(
    options: PartitionChangesOptions & PartitionWatchOptions,
    begun: (running: RunningFeed) => void,
  ): AsyncGenerator<PartitionChange<Value> & PartitionWatched, void, undefined> {
    if (options.key !== undefined) this.entries.checkKey(options.key)
    return mapChanges<Value>({ entries: this.entries, pump: this.#writes.pump, begun }, options)
  }

  get #deps(): { readonly entries: RoutedEntries; readonly writes: RoutedWrites } {
    return { entries: this.entries, writes: this.#writes }
  }

  /** Reads an entry at an owner and writes what `change` makes of it, if anything. */
  #changed(
    key: string,
    options: PartitionWriteOptions,
    change: (found: FoundEntry) => RoutedRow[] | undefined,
  ): Promise<PartitionReceipt | undefined> {
    return this.#turns.take(key, async () => {
      const rows = change(await this.entries.get(key, readOptions(options)))
      return rows === undefined || rows.length === 0 ? undefined : this.#write(rows, options)
    })
  }

  #plan(entry: unknown): PlannedEntry {
    if (!Array.isArray(entry) || entry.length !== 2)
      throw misfit('an entry', 'an array of two, the key and the value', entry)
    const [key, value]: readonly unknown[] = entry
    this.entries.checkKey(key)
    return { key, content: this.entries.encode(value) }
  }

  async #write(rows: readonly RoutedRow[], options: PartitionWriteOptions): Promise<PartitionReceipt> {
    this.entries.reads.check()
    if (rows.length !== 1) checkBatch(rows)
    return this.#writes.write(rows, options)
  }

  #expiresAtMs(options: ExpiryOptions): number {
    return expiryMs(options, this.#mapTtlMs, this.entries.wallMs)
  }
}
