import { checkKnown, decodeValue } from '@gossipgrid/core'
import type { Batch, BatchPart } from '../batches/batch.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { MapEntries } from './map-entries.ts'
import { EXPIRY_OPTIONS, checkExpiry } from './map-options.ts'
import type { ExpiryOptions } from './map-options.ts'

interface Planned {
  readonly content: Uint8Array | undefined
  readonly expiresAtMs: number
}

/**
 * A map within a batch. It reads what the batch has written so far; nothing else does before the batch is over. From
 * `map.transact` and `grid.transact`.
 */
export class MapBatch<Value> implements BatchPart {
  readonly #batch: Batch
  readonly #entries: MapEntries
  readonly #expiresAtMs: (options: ExpiryOptions) => number
  readonly #planned = new Map<string, Planned>()

  /** @internal */
  constructor(batch: Batch, entries: MapEntries, expiresAtMs: (options: ExpiryOptions) => number) {
    this.#batch = batch
    this.#entries = entries
    this.#expiresAtMs = expiresAtMs
  }

  /** The value of `key`. Undefined if there is none. Throws `INVALID_KEY`, `CLOSED`. */
  get(key: string): Value | undefined {
    const content = this.#content(key)
    return content === undefined ? undefined : (decodeValue(content) as Value)
  }

  /** Whether the key is there, with what the batch has written so far. */
  has(key: string): boolean {
    return this.#content(key) !== undefined
  }

  /**
   * Plans a write. Throws `INVALID_KEY`, `INVALID_VALUE`, `SCHEMA`, `VALUE_TOO_LARGE`, `BATCH_TOO_LARGE`, `INVALID_OPTION`,
   * `CLOSED`.
   */
  set(key: string, value: Value, options: ExpiryOptions = {}): void {
    this.#batch.checkOpen()
    this.#entries.layout.checkKey(key)
    checkKnown(options, EXPIRY_OPTIONS)
    checkExpiry(options)
    this.#plan(key, { content: this.#entries.encode(value), expiresAtMs: this.#expiresAtMs(options) })
  }

  /** Plans a delete. Returns whether there is an entry. Throws `INVALID_KEY`, `BATCH_TOO_LARGE`, `CLOSED`. */
  delete(key: string): boolean {
    const present = this.has(key)
    if (present || this.#entries.order.isOpen) this.#plan(key, { content: undefined, expiresAtMs: Infinity })
    return present
  }

  /** The rows to write once the batch is over. @internal */
  rows(): RowWrite[] {
    return [...this.#planned].flatMap(([key, { content, expiresAtMs }]) => {
      if (content !== undefined) return this.#entries.layout.rows(key, content, expiresAtMs)
      return this.#entries.has(key) || this.#entries.order.isOpen ? this.#entries.deletes(key) : []
    })
  }

  #plan(key: string, planned: Planned): void {
    this.#batch.count(key.length + (planned.content?.length ?? 0))
    this.#planned.set(key, planned)
  }

  #content(key: string): Uint8Array | undefined {
    this.#batch.checkOpen()
    this.#entries.layout.checkKey(key)
    const planned = this.#planned.get(key)
    return planned === undefined ? this.#entries.content(key) : planned.content
  }
}
