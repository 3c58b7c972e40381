import {
  COUNTER_DELETE_KEPT_MS,
  GridError,
  NO_SHARE,
  checkKnown,
  compositeKey,
  encodeShare,
  hlcFromWall,
} from '@gossipgrid/core'
import type { Collection, Share } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import type { BulkTarget } from '../bulk/bulk-target.ts'
import { BULK_OPTIONS, BulkWrite } from '../bulk/bulk-write.ts'
import type { BulkOptions } from '../bulk/bulk-write.ts'
import { addShares, checkBy, checkSum, numberOf, outOfRange } from '../counters/share.ts'
import type { Logger } from '../logger.ts'
import { piecesOf } from '../maps/map-bulk.ts'
import type { Receipt, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { CountersBatch } from './counters-batch.ts'
import { KeyCountChange, countersLagged } from './key-count-change.ts'
import type { CountersChange } from './key-count-change.ts'
import { KeyCounts } from './key-counts.ts'
import type { KeyCount } from './key-counts.ts'
import { KeyedFace } from './keyed-face.ts'

/** Rows in which a delete looks for deletes that need not be remembered any more. */
const TIDY_ROWS_MAX = 64

/** Counts under a key that are not written yet. They share one promise. */
interface Pending {
  up: number
  down: number
  batch: PromiseWithResolvers<WriteReceipt> | undefined
  /** The row with earlier counts is on its way to disk. */
  writing: boolean
}

/**
 * A counter under each key: a number that all peers can increment and decrement concurrently. Every increment counts exactly
 * once. A delete takes away what its peer had seen of a counter; increments that it had not seen stay. From
 * `grid.counters(name)`.
 */
export class GridCounters extends KeyedFace<number, CountersChange> {
  readonly #counts: KeyCounts
  readonly #pending = new Map<string, Pending>()
  /** Counts before the changes that are not reported yet, by key. */
  readonly #arrived = new Map<string, bigint | undefined>()
  #tidyFrom = 0
  #closed = false

  /** @internal */
  constructor(writes: WritePath, collection: Collection, logger: Logger) {
    super(writes, collection, logger, countersLagged)
    this.#counts = new KeyCounts(this.partition, writes.pump.peer)
    this.partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  /**
   * The count under `key` at this peer, its own increments included at once. Undefined if nothing was counted there. Throws
   * `INVALID_KEY`, `CLOSED`, and `COUNTER_RANGE` as `GridCounter.value` does.
   */
  override peek(key: string): number | undefined {
    this.checkKey(key)
    this.#settle()
    const sum = this.#sumOf(key)
    if (sum === undefined) return undefined
    const count = numberOf(sum)
    if (Number.isNaN(count)) throw outOfRange(`'${key}' in '${this.name}' is at ${sum}`)
    return count
  }

  /**
   * Adds a whole number, 0 to 2^53 - 1, to the counter under `key`. Counts, resolves and rejects as `GridCounter.increment`
   * does, also with `INVALID_KEY`: increments of one key in one turn of the event loop are written together and share one
   * promise.
   *
   * @example
   * ```ts
   * const visits = grid.counters('visits')
   * visits.increment('/home')
   * await visits.increment('/home', 2)
   * console.log(await visits.get('/home')) // 3
   * ```
   */
  increment(key: string, by: number = 1, options?: WriteOptions): Promise<Receipt> {
    return this.#count(key, by, true, options)
  }

  /** Subtracts a whole number, as `increment` adds one. A counter may go below zero. */
  decrement(key: string, by: number = 1, options?: WriteOptions): Promise<Receipt> {
    return this.#count(key, by, false, options)
  }

  /**
   * Deletes the counter under `key`: all that this peer has seen of it. Increments of other peers that this one had not seen
   * stay, each of them once, and so do later ones. Resolves as `increment` does, or to undefined if nothing is there.
   */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    this.checkKey(key)
    const rows = this.deleteRows(key)
    return rows.length === 0 ? undefined : this.write([...rows, ...this.#tidy()], options)
  }

  /** Deletes the counters under all keys at this peer. Resolves to their number. Rejects as `GridMap.clear` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options, BULK_OPTIONS)
    this.writes.pump.checkOpen()
    const keys = [...this.current().keys()]
    const before = this.#counts.startOver()
    const target: BulkTarget<string, string> = {
      plan: (key) => key,
      sizeBytes: (key) => key.length,
      pieces: (key) => piecesOf(this.#counts.deletesOf(this.#counts.rowsOf(key, before))),
    }
    const { written } = await BulkWrite.all(this.writes, target, keys, options)
    return written
  }

  /** Writes the counts that are not written yet, and ends all loops over changes. @internal */
  override close(): void {
    this.#writePending()
    this.#closed = true
    super.close()
  }

  /** These counters within a batch. @internal */
  inBatch(batch: Batch): CountersBatch {
    return batch.part(this, () => new CountersBatch(batch, this))
  }

  /** The count under a key, however large. @internal */
  exact(key: string): bigint | undefined {
    this.checkKey(key)
    return this.#sumOf(key)
  }

  /** Throws `COUNTER_RANGE` if counting this would leave the range. @internal */
  checkRange(key: string, { up, down }: Share, isDeleted: boolean): void {
    const pending = isDeleted ? undefined : this.#pending.get(key)
    const own = isDeleted ? NO_SHARE : this.#counts.ownOf(key).share
    addShares(own, { up: (pending?.up ?? 0) + up, down: (pending?.down ?? 0) + down }, this.name)
    checkSum(isDeleted ? 0n : (this.#sumOf(key) ?? 0n), up - down, key)
  }

  /** This peer's row after counting this. @internal */
  countRow(key: string, more: Share, isDeleted: boolean = false): RowWrite {
    const { slot, share } = isDeleted ? this.#counts.ownAfterDelete(key) : this.#counts.ownOf(key)
    const bytes = encodeShare(addShares(share, more, this.name))
    return { partition: this.partition, key: compositeKey(key, slot), bytes }
  }

  /** The rows that delete what is seen under a key. @internal */
  deleteRows(key: string): RowWrite[] {
    this.#writeKey(key)
    return this.#counts.deletesOf(this.#counts.rowsOf(key))
  }

  /** @internal */
  override get keyCount(): number {
    return this.#counts.all.size
  }

  protected override current(): ReadonlyMap<string, KeyCount> {
    this.#writePending()
    this.#settle()
    return this.#counts.all
  }

  protected override isThere(key: string): boolean {
    this.#settle()
    return this.#sumOf(key) !== undefined
  }

  protected override *shown(key: string): Generator<{ key: string; entry: KeyCountChange | undefined }> {
    this.#settle()
    const sum = this.#counts.sumOf(key)
    yield { key, entry: sum === undefined ? undefined : new KeyCountChange(key, sum) }
  }

  #count(key: string, by: number, isUp: boolean, options: WriteOptions | undefined): Promise<Receipt> {
    try {
      if (this.#closed && !this.isDropped) throw new GridError('CLOSED', 'the grid is closed')
      this.checkKey(key)
      checkBy(by)
      checkWriteOptions(options, WRITE_OPTIONS)
      const share = isUp ? { up: by, down: 0 } : { up: 0, down: by }
      this.checkRange(key, share, false)
      return this.writes.copies.follow(this.partition, this.#gather(key, share), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #gather(key: string, { up, down }: Share): Promise<WriteReceipt> {
    const pending = this.#pending.get(key) ?? { up: 0, down: 0, batch: undefined, writing: false }
    this.#pending.set(key, pending)
    pending.up += up
    pending.down += down
    if (pending.batch === undefined) {
      pending.batch = Promise.withResolvers()
      if (!pending.writing) queueMicrotask(() => this.#writeKey(key))
    }
    return pending.batch.promise
  }

  /** Writes the counts under a key that are not written yet. Counts made until that is durable are written after it. */
  #writeKey(key: string): void {
    const pending = this.#pending.get(key)
    const batch = pending?.batch
    if (pending === undefined || batch === undefined) return
    const more = { up: pending.up, down: pending.down }
    pending.up = 0
    pending.down = 0
    pending.batch = undefined
    pending.writing = true
    const written = this.#writeCount(key, more)
    written.then(batch.resolve, batch.reject)
    const goOn = (): void => {
      pending.writing = false
      if (pending.batch !== undefined) this.#writeKey(key)
      else if (this.#pending.get(key) === pending) this.#pending.delete(key)
    }
    written.then(goOn, goOn)
  }

  #writeCount(key: string, more: Share): Promise<WriteReceipt> {
    try {
      const { partition, key: rowKey, bytes } = this.countRow(key, more)
      return this.writes.write(partition, rowKey, bytes)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #writePending(): void {
    for (const key of [...this.#pending.keys()]) this.#writeKey(key)
  }

  #sumOf(key: string): bigint | undefined {
    const sum = this.#counts.sumOf(key)
    const pending = this.#pending.get(key)
    return pending?.batch === undefined ? sum : (sum ?? 0n) + BigInt(pending.up - pending.down)
  }

  /** Rows that remove deletes which every peer has seen long ago. */
  #tidy(): RowWrite[] {
    const olderThan = hlcFromWall(this.writes.pump.wallMs - COUNTER_DELETE_KEPT_MS)
    const { keys, next } = this.#counts.idleDeletes(this.#tidyFrom, TIDY_ROWS_MAX, olderThan)
    this.#tidyFrom = next
    return keys.map((key) => ({ partition: this.partition, key, bytes: undefined }))
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { key, before } = this.#counts.changed(slot, previous)
    if (!this.feed.wanted || this.#arrived.has(key)) return
    if (this.#arrived.size === 0) this.writes.pump.afterStep(() => this.#settle())
    this.#arrived.set(key, before)
  }

  /** Reports the changes that have arrived: to be called before the counters are read. */
  #settle(): void {
    if (this.#arrived.size === 0) return
    const arrived = [...this.#arrived]
    this.#arrived.clear()
    for (const [key, before] of arrived) {
      const after = this.#counts.sumOf(key)
      if (after === before) continue
      const change = new KeyCountChange(key, after, before)
      this.feed.push(change)
      this.writes.pump.afterStep(() => this.feed.emit(change))
    }
  }
}
