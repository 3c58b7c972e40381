import { GridError, NO_SHARE, encodeShare, readShare } from '@gossipgrid/core'
import type { Collection, Partition, Share } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { ChangeFeed, FEED_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import { CounterBatch } from './counter-batch.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { Logger } from '../logger.ts'
import type { Receipt, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { onlyPartition } from '../runtime/row-write.ts'
import { addShares, checkBy, checkSum, numberOf, outOfRange, putCount } from './share.ts'
import { afterToken } from '../reads/after-token.ts'
import type { ReadOptions } from '../reads/after-token.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A change of the counter, made here or at another peer. A plain object that only this reader has. */
export interface CounterChange {
  /** `lagged`: the reader was too slow, and `missed` changes were left out. `value` is the current count. */
  readonly type: 'change' | 'lagged'
  /** The count after the change, without increments that are not written yet. Throws `COUNTER_RANGE` as the counter does. */
  readonly value: number
  /** The difference to the count before. 0 if lagged. */
  readonly delta: number
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

/**
 * A number that all peers can increment and decrement concurrently, and no count is lost: the value is the sum of what all
 * peers have added and subtracted (a PN-counter: Shapiro and others, 2011). From `grid.counter(name)`.
 */
export class GridCounter {
  /** The name of the counter. */
  readonly name: string
  readonly #writes: WritePath
  readonly #partition: Partition
  readonly #feed: ChangeFeed<CounterChange>
  /** The exact sum of all rows. Concurrent increments may take it out of the safe range. */
  #rows = 0n
  /** The counts in this peer's row, and its slot. */
  #own: { readonly slotId: string; readonly share: Share } = { slotId: '', share: NO_SHARE }
  /** Increments and decrements that are not written yet. They share one promise. */
  #up = 0
  #down = 0
  #batch: PromiseWithResolvers<WriteReceipt> | undefined
  /** The value, including counts that are not written yet. NaN out of the safe range. */
  #count = 0
  #writing = false
  #closed = false

  /** @internal */
  constructor(writes: WritePath, collection: Collection, logger: Logger) {
    this.name = collection.title
    this.#writes = writes
    this.#partition = onlyPartition(collection)
    this.#feed = new ChangeFeed<CounterChange>({
      logger,
      lagged: (missed) => counterChange('lagged', this.#rows, 0n, missed),
    })
    const { replica } = this.#partition
    for (const slot of replica.table.slots()) this.#rows += net(readShare(replica.table.value(slot)))
    this.#count = numberOf(this.#rows)
    replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  /**
   * The count as this peer knows it, its own increments included at once. Throws `COUNTER_RANGE` when the increments of
   * several peers together have left the range from -(2^53 - 1) to 2^53 - 1.
   */
  get value(): number {
    if (Number.isNaN(this.#count)) throw outOfRange(`'${this.name}' is at ${this.#exact()}`)
    return this.#count
  }

  /**
   * The count, wherever it is stored. With `after`, as of a write of another peer: see `Grid.reached`. Rejects as `value`
   * throws, with `INVALID_OPTION`, `CLOSED`, and as `reached` does.
   */
  async get(options?: ReadOptions): Promise<number> {
    if (options !== undefined) await afterToken(this.#writes.pump, options)
    this.#writes.pump.checkOpen()
    return this.value
  }

  /**
   * Adds a whole number, 0 to 2^53 - 1. It counts at this peer at once. The promise resolves when the increment is durable
   * here, as that of `GridMap.set`. Increments of one turn of the event loop are written together and share one promise, and
   * so are increments made while earlier ones are being stored. So counting costs next to nothing. Options change how long
   * this call waits, not how it is written.
   *
   * Nothing is counted if it rejects with `INVALID_VALUE`, `INVALID_OPTION`, `COUNTER_RANGE`, `BACKLOG_FULL` or `CLOSED`. With
   * `STORAGE_FULL` or `STORAGE_FAILED` it counts in memory, but is not durable yet. With `COPIES_TIMEOUT` or `ABORTED` only
   * the waiting has ended: it counts.
   *
   * @example
   * ```ts
   * const visits = grid.counter('visits')
   * visits.increment()
   * await visits.increment(2)
   * console.log(visits.value) // 3
   * ```
   */
  increment(by: number = 1, options?: WriteOptions): Promise<Receipt> {
    try {
      checkBy(by)
      return this.#add(by, 0, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Subtracts a whole number, as `increment` adds one. The counter may go below zero. */
  decrement(by: number = 1, options?: WriteOptions): Promise<Receipt> {
    try {
      checkBy(by)
      return this.#add(0, by, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Every change of the counter from now on. Increments that are written together are one change. If a reader falls behind
   * by more than `bufferMax` changes, changes are left out and a `lagged` mark takes their place. The loop ends when you leave
   * it and when the grid closes, and throws `ABORTED` when its signal is aborted.
   */
  changes(options: FeedOptions = {}): AsyncIterableIterator<CounterChange> {
    checkFeedOptions(options, FEED_OPTIONS)
    this.#writes.pump.checkOpen()
    return this.#feed.changes(options)
  }

  /** Calls `listener` for every change. The returned function ends that. */
  on(
    type: 'change',
    listener: (change: CounterChange) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#feed.on(type, listener, options)
  }

  /** Calls `listener` after every change: with `getSnapshot`, what `useSyncExternalStore` and its like ask for. */
  readonly subscribe = (listener: () => unknown): (() => void) => this.on('change', () => listener())
  /** `value`, as a function that can be passed on. */
  readonly getSnapshot = (): number => this.value

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    return this.#partition.dropped
  }

  /** Of what was dropped, nothing is left. @internal */
  get isEmptied(): boolean {
    return this.#partition.replica.table.size === 0
  }

  /** Writes the counts that are not written yet, and ends all loops over changes. @internal */
  close(): void {
    this.#flush()
    this.#closed = true
    this.#feed.close()
  }

  /** This counter within a batch. @internal */
  inBatch(batch: Batch): CounterBatch {
    return batch.part(this, () => new CounterBatch(batch, this))
  }

  /** Throws `COUNTER_RANGE`. A counter that is out of range already may count back towards it. @internal */
  checkRange(up: number, down: number): void {
    addShares(this.#ownShare, { up: this.#up + up, down: this.#down + down }, this.name)
    const by = up - down
    if (!Number.isSafeInteger(this.#count + by)) checkSum(this.#exact(), by, this.name)
  }

  /** This peer's row after counting this. Throws `COUNTER_RANGE`, because other peers would refuse the row. @internal */
  row(up: number, down: number): RowWrite {
    const share = addShares(this.#ownShare, { up, down }, this.name)
    return { partition: this.#partition, key: this.#writes.pump.peer.slotId, bytes: encodeShare(share) }
  }

  #add(up: number, down: number, options: WriteOptions | undefined): Promise<Receipt> {
    if (this.#closed && !this.isDropped) throw new GridError('CLOSED', 'the grid is closed')
    checkWriteOptions(options, WRITE_OPTIONS)
    this.checkRange(up, down)
    this.#up += up
    this.#down += down
    this.#count = this.#recount(up - down)
    if (this.#batch === undefined) {
      this.#batch = Promise.withResolvers()
      if (!this.#writing) queueMicrotask(() => this.#flush())
    }
    return this.#writes.copies.follow(this.#partition, this.#batch.promise, options)
  }

  get #ownShare(): Share {
    const { slotId } = this.#writes.pump.peer
    if (this.#own.slotId !== slotId) this.#own = { slotId, share: NO_SHARE }
    return this.#own.share
  }

  #exact(): bigint {
    return this.#rows + BigInt(this.#up - this.#down)
  }

  /** Writes the counts that are not written yet. Counts made until that is durable are written together after it. */
  #flush(): void {
    const batch = this.#batch
    if (batch === undefined) return
    const [up, down] = [this.#up, this.#down]
    this.#batch = undefined
    this.#up = 0
    this.#down = 0
    this.#writing = true
    const written = this.#write(up, down)
    written.then(batch.resolve, batch.reject)
    const goOn = (): void => {
      this.#writing = false
      this.#flush()
    }
    written.then(goOn, goOn)
  }

  #write(up: number, down: number): Promise<WriteReceipt> {
    try {
      const { partition, key, bytes } = this.row(up, down)
      return this.#writes.write(partition, key, bytes)
    } catch (error) {
      return Promise.reject(error as Error)
    } finally {
      // A refused write counts nothing.
      this.#count = numberOf(this.#exact())
    }
  }

  /** `value` after counting `by`. Fast while it is in range. */
  #recount(by: number): number {
    const count = this.#count + by
    return Number.isSafeInteger(count) ? count : numberOf(this.#exact())
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { table } = this.#partition.replica
    const share = readShare(table.value(slot))
    const delta = net(share) - net(readShare(previous))
    const slotId = table.key(slot)
    if (slotId === this.#writes.pump.peer.slotId) this.#own = { slotId, share }
    this.#rows += delta
    this.#count = numberOf(this.#exact())
    if (delta === 0n || !this.#feed.wanted) return
    const change = new CountedChange(this.#rows, delta)
    this.#feed.push(change)
    this.#writes.pump.afterStep(() => this.#feed.emit(change))
  }
}

/** A change with exact numbers, even out of the safe range. */
class CountedChange implements UnreadChange<CounterChange> {
  readonly key = ''
  readonly sizeBytes = 0
  readonly #value: bigint
  readonly #delta: bigint

  constructor(value: bigint, delta: bigint) {
    this.#value = value
    this.#delta = delta
  }

  kept(): this {
    return this
  }

  read(): CounterChange {
    return counterChange('change', this.#value, this.#delta, 0)
  }
}

function counterChange(type: 'change' | 'lagged', value: bigint, delta: bigint, missed: number): CounterChange {
  const change = { type, value: 0, delta: 0, missed }
  putCount(change, 'value', value)
  putCount(change, 'delta', delta)
  return change
}

function net({ up, down }: Share): bigint {
  return BigInt(up - down)
}
