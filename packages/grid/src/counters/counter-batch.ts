import type { Batch, BatchPart } from '../batches/batch.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { checkBy } from './share.ts'

/** What a batch needs of a counter. */
export interface BatchedCounter {
  readonly value: number
  /** Throws `COUNTER_RANGE` if counting this would leave the range. */
  checkRange(up: number, down: number): void
  /** The row with this peer's counts after counting this. */
  row(up: number, down: number): RowWrite
}

/** Bytes of a row: a slot id and two small numbers. */
const ROW_BYTES = 24

/** A counter within a batch. It counts when the batch is over. From `grid.transact`. */
export class CounterBatch implements BatchPart {
  readonly #batch: Batch
  readonly #counter: BatchedCounter
  #up = 0
  #down = 0

  /** @internal */
  constructor(batch: Batch, counter: BatchedCounter) {
    this.#batch = batch
    this.#counter = counter
  }

  /** The count, including what this batch adds and subtracts. Throws `COUNTER_RANGE`, `CLOSED`. */
  get value(): number {
    this.#batch.checkOpen()
    return this.#counter.value + (this.#up - this.#down)
  }

  /** Plans an increment. Throws `INVALID_VALUE`, `COUNTER_RANGE`, `CLOSED`. */
  increment(by: number = 1): void {
    checkBy(by)
    this.#plan(this.#up + by, this.#down)
  }

  /** Plans a decrement. Throws as `increment` does. */
  decrement(by: number = 1): void {
    checkBy(by)
    this.#plan(this.#up, this.#down + by)
  }

  /** The row to write once the batch is over: one, however often it counted. @internal */
  rows(): RowWrite[] {
    return this.#up === 0 && this.#down === 0 ? [] : [this.#counter.row(this.#up, this.#down)]
  }

  #plan(up: number, down: number): void {
    this.#batch.checkOpen()
    this.#counter.checkRange(up, down)
    if (this.#up === 0 && this.#down === 0) this.#batch.count(ROW_BYTES)
    this.#up = up
    this.#down = down
  }
}
