import type { Batch, BatchPart } from '../batches/batch.ts'
import { NO_SHARE } from '@gossipgrid/core'
import type { Share } from '@gossipgrid/core'
import { checkBy, numberOf, outOfRange } from '../counters/share.ts'
import type { RowWrite } from '../runtime/row-write.ts'

/** What a batch needs of counters under keys. */
export interface BatchedCounters {
  exact(key: string): bigint | undefined
  checkRange(key: string, more: Share, isDeleted: boolean): void
  countRow(key: string, more: Share, isDeleted: boolean): RowWrite
  deleteRows(key: string): RowWrite[]
}

/** Bytes of a row beside the key: two slot ids and two small numbers. */
const ROW_BYTES = 48

/** What a batch does under a key: it deletes what was there before the batch, and counts. */
interface Planned {
  readonly isDeleted: boolean
  readonly more: Share | undefined
}

const UNPLANNED: Planned = { isDeleted: false, more: undefined }

/** Counters under keys within a batch. They count when the batch is over. From `grid.transact`. */
export class CountersBatch implements BatchPart {
  readonly #batch: Batch
  readonly #counters: BatchedCounters
  readonly #planned = new Map<string, Planned>()

  /** @internal */
  constructor(batch: Batch, counters: BatchedCounters) {
    this.#batch = batch
    this.#counters = counters
  }

  /** The count under `key`, including what this batch counts. Undefined if there is none. Throws as `peek` does. */
  get(key: string): number | undefined {
    this.#batch.checkOpen()
    const sum = this.#sumOf(key)
    if (sum === undefined) return undefined
    const count = numberOf(sum)
    if (Number.isNaN(count)) throw outOfRange(`'${key}' is at ${sum}`)
    return count
  }

  /** Whether anything was counted under the key. */
  has(key: string): boolean {
    this.#batch.checkOpen()
    return this.#sumOf(key) !== undefined
  }

  /** Plans an increment. Throws `INVALID_KEY`, `INVALID_VALUE`, `COUNTER_RANGE`, `BATCH_TOO_LARGE`, `CLOSED`. */
  increment(key: string, by: number = 1): void {
    checkBy(by)
    this.#count(key, { up: by, down: 0 })
  }

  /** Plans a decrement. Throws as `increment` does. */
  decrement(key: string, by: number = 1): void {
    checkBy(by)
    this.#count(key, { up: 0, down: by })
  }

  /** Plans a delete. Returns whether there is a count. Throws `INVALID_KEY`, `BATCH_TOO_LARGE`, `CLOSED`. */
  delete(key: string): boolean {
    const present = this.has(key)
    if (!present) return false
    this.#batch.count(key.length + ROW_BYTES)
    this.#planned.set(key, { isDeleted: true, more: undefined })
    return true
  }

  /** The rows to write once the batch is over. @internal */
  rows(): RowWrite[] {
    return [...this.#planned].flatMap(([key, { isDeleted, more }]) => [
      ...(isDeleted ? this.#counters.deleteRows(key) : []),
      ...(more === undefined ? [] : [this.#counters.countRow(key, more, isDeleted)]),
    ])
  }

  #sumOf(key: string): bigint | undefined {
    const before = this.#counters.exact(key)
    const { isDeleted, more } = this.#planned.get(key) ?? UNPLANNED
    if (more === undefined) return isDeleted ? undefined : before
    return ((isDeleted ? undefined : before) ?? 0n) + BigInt(more.up - more.down)
  }

  #count(key: string, { up, down }: Share): void {
    this.#batch.checkOpen()
    this.#counters.exact(key)
    const { isDeleted, more } = this.#planned.get(key) ?? UNPLANNED
    const sum = { up: (more ?? NO_SHARE).up + up, down: (more ?? NO_SHARE).down + down }
    this.#counters.checkRange(key, sum, isDeleted)
    if (more === undefined) this.#batch.count(key.length + ROW_BYTES)
    this.#planned.set(key, { isDeleted, more: sum })
  }
}
