import { checkKnown } from '@gossipgrid/core'
import { Batch } from '../batches/batch.ts'
import { EXPIRY_OPTIONS, checkExpiry } from '../maps/map-options.ts'
import type { ExpiryOptions } from '../maps/map-options.ts'
import type { RoutedEntries } from './routed-entries.ts'

/** What a batch is to write: undefined content deletes. */
export interface PlannedWrite {
  readonly content: Uint8Array | undefined
  readonly expiresAtMs: number
}

/** The writes of a batch of a partitioned map. From `PartitionedMap.transact`. */
export class PartitionBatch<Value> {
  readonly #batch = new Batch()
  readonly #entries: RoutedEntries
  readonly #expiresAtMs: (options: ExpiryOptions) => number
  readonly #planned = new Map<string, PlannedWrite>()

  /** @internal */
  constructor(entries: RoutedEntries, expiresAtMs: (options: ExpiryOptions) => number) {
    this.#entries = entries
    this.#expiresAtMs = expiresAtMs
  }

  /**
   * Plans a write. A later one of the same key takes its place. Throws `INVALID_KEY`, `INVALID_VALUE`, `SCHEMA`, `VALUE_TOO_LARGE`,
   * `BATCH_TOO_LARGE`, `INVALID_OPTION`, `CLOSED`.
   */
  set(key: string, value: Value, options: ExpiryOptions = {}): void {
    this.#batch.checkOpen()
    checkKnown(options, EXPIRY_OPTIONS)
    checkExpiry(options)
    this.#entries.checkKey(key)
    this.#plan(key, { content: this.#entries.encode(value), expiresAtMs: this.#expiresAtMs(options) })
  }

  /** Plans a delete. Throws as `set` does. */
  delete(key: string): void {
    this.#batch.checkOpen()
    this.#entries.checkKey(key)
    this.#plan(key, { content: undefined, expiresAtMs: Infinity })
  }

  /** Runs the function of the batch. Throws what it throws, and `INVALID_OPTION` if it is asynchronous. @internal */
  planned(write: (batch: PartitionBatch<Value>) => unknown): ReadonlyMap<string, PlannedWrite> {
    this.#batch.collect(() => write(this))
    return this.#planned
  }

  #plan(key: string, planned: PlannedWrite): void {
    this.#batch.count(key.length + (planned.content?.length ?? 0))
    this.#planned.set(key, planned)
  }
}
