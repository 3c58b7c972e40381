import { GridError, checkKnown, keySlot } from '@gossipgrid/core'
import { Batch } from '../batches/batch.ts'
import { EXPIRY_OPTIONS, checkExpiry } from '../maps/map-options.ts'
import type { ExpiryOptions } from '../maps/map-options.ts'
import type { RoutedEntries } from './routed-entries.ts'

/** What a batch is to write: undefined content deletes. */
export interface PlannedWrite {
  readonly content: Uint8Array | undefined
  readonly expiresAtMs: number
}

/**
 * The writes of a batch of a partitioned map, to keys with one tag, as `{42}:cart` and `{42}:orders`. From
 * `PartitionedMap.transact`.
 */
export class PartitionBatch<Value> {
  readonly #batch = new Batch()
  readonly #entries: RoutedEntries
  readonly #expiresAtMs: (options: ExpiryOptions) => number
  readonly #planned = new Map<string, PlannedWrite>()
  #slot: number | undefined

  /** @internal */
  constructor(entries: RoutedEntries, expiresAtMs: (options: ExpiryOptions) => number) {
    this.#entries = entries
    this.#expiresAtMs = expiresAtMs
  }

  /**
   * Plans a write. Throws `INVALID_KEY`, also for a key of another tag, `INVALID_VALUE`, `SCHEMA`, `VALUE_TOO_LARGE`,
   * `BATCH_TOO_LARGE`, `INVALID_OPTION`, `CLOSED`.
   */
  set(key: string, value: Value, options: ExpiryOptions = {}): void {
    this.#batch.checkOpen()
    checkKnown(options, EXPIRY_OPTIONS)
    checkExpiry(options)
    this.#check(key)
    this.#plan(key, { content: this.#entries.encode(value), expiresAtMs: this.#expiresAtMs(options) })
  }

  /** Plans a delete. Throws as `set` does. */
  delete(key: string): void {
    this.#batch.checkOpen()
    this.#check(key)
    this.#plan(key, { content: undefined, expiresAtMs: Infinity })
  }

  /** Runs the function of the batch. Throws what it throws, and `INVALID_OPTION` if it is asynchronous. @internal */
  planned(write: (batch: PartitionBatch<Value>) => unknown): ReadonlyMap<string, PlannedWrite> {
    this.#batch.collect(() => write(this))
    return this.#planned
  }

  #check(key: string): void {
    this.#entries.checkKey(key)
    const slot = keySlot(key)
    this.#slot ??= slot
    if (slot === this.#slot) return
    const text = `all keys of a batch have one tag, as '{42}:cart' and '{42}:orders' have: '${key}' has another`
    throw new GridError('INVALID_KEY', `${text}; nothing was written`)
  }

  #plan(key: string, planned: PlannedWrite): void {
    this.#batch.count(key.length + (planned.content?.length ?? 0))
    this.#planned.set(key, planned)
  }
}
