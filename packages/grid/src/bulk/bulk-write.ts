import { GridError } from '@gossipgrid/core'
import type { Known, Partition } from '@gossipgrid/core'
import { BulkError } from './bulk-error.ts'
import type { BulkProgress } from './bulk-error.ts'
import { isAsync, isCollection } from './bulk-source.ts'
import type { BulkSource } from './bulk-source.ts'
import type { BulkTarget } from './bulk-target.ts'
import type { BulkCall } from './call-order.ts'
import { WRITE_OPTIONS, checkKind, checkWriteOptions } from '../batches/checks.ts'
import { nextTurn } from '../flow/next-turn.ts'
import { onlyDefined } from '../only-defined.ts'
import { onAbort } from '../flow/on-abort.ts'
import type { Receipt, Version, WriteOptions, WriteReceipt } from '../receipts/receipt.ts'
import type { BegunWrites } from '../runtime/row-write.ts'
import type { BegunEntries, EntryWrites, WritePath } from '../runtime/write-path.ts'
import { aborted, settlesWithin } from '../runtime/waiting.ts'

/** Entries of one slice, and their bytes: whichever is reached first. A turn of the event loop writes one slice. */
const SLICE_ENTRIES_MAX = 1000
const SLICE_MAX_BYTES: number = 512 * 1024
/** Slices that may be written and not acknowledged yet. */
const SLICES_IN_FLIGHT_MAX = 8
/** When a call stops early, it waits this long for its written slices, so that its error can say what is durable. */
const SETTLE_MAX_MS = 1000

/** Options of a method that writes many entries. */
export interface BulkOptions extends WriteOptions {
  /** Called after each slice that has become durable. */
  readonly onProgress?: (progress: BulkProgress) => void
}

export const BULK_OPTIONS: Known<BulkOptions> = { ...WRITE_OPTIONS, onProgress: true }

/** The receipt for all entries of an async iterable. */
export interface BulkReceipt extends BulkProgress {
  /** Durable copies that every entry has, this peer's included: 1 unless more were requested. */
  readonly copies: number
  /** Names the last write, as that of a receipt does. Undefined if there were no entries. */
  readonly token: string | undefined
}

/** One receipt for each entry of an iterable; one receipt for all entries of an async iterable. */
export type BulkResult<Source> = Source extends AsyncIterable<unknown> ? BulkReceipt : Receipt[]

/** An entry to write, and the call that it belongs to. */
interface OrderedEntry<Planned> {
  readonly planned: Planned
  readonly call: BulkCall | undefined
}

/** Entries that were written together. */
interface Slice {
  readonly durable: Promise<unknown>
  /** Resolves when they are durable and have the requested copies, or when that failed. */
  readonly acknowledged: Promise<void>
}

/**
 * Writes many entries, slice by slice. The event loop runs between slices. While too much waits for the store, this waits
 * too, so that it writes no faster than the store can take.
 */
export class BulkWrite<Entry, Planned> {
  readonly #writes: WritePath
  readonly #target: BulkTarget<Entry, Planned>
  readonly #options: BulkOptions
  /** Undefined if one receipt for all is enough. */
  readonly #receipts: Receipt[] | undefined
  /** The receipt of the last slice that was acknowledged, and the number of the first entry in it. */
  #last: WriteReceipt | undefined
  #lastFirst = 0
  readonly #inFlight = new Set<Slice>()
  /** The call that the entries belong to. A collection is one call; other sources begin one for each slice. */
  #call: BulkCall | undefined
  #isOneCall = false
  /** Entries of a collection that are not written yet. */
  #left = 0
  #planned: OrderedEntry<Planned>[] = []
  #plannedBytes = 0
  /** Resolves at the end of the turn of the event loop in which the slice began. */
  #turn: Promise<undefined> | undefined
  #applied = false
  #written = 0
  #durable = 0
  #copies = Infinity
  #stopped: { readonly error: unknown } | undefined
  #interrupt: ((error: unknown) => void) | undefined

  private constructor(writes: WritePath, target: BulkTarget<Entry, Planned>, options: BulkOptions, receipts: boolean) {
    this.#writes = writes
    this.#target = target
    this.#options = options
    this.#receipts = receipts ? [] : undefined
  }

  /** Resolves to a receipt for each entry. Rejects with a `BulkError`. */
  static async each<Entry, Planned>(
    writes: WritePath,
    target: BulkTarget<Entry, Planned>,
    source: Iterable<Entry>,
    options: BulkOptions = {},
  ): Promise<Receipt[]> {
    const bulk = new BulkWrite(writes, target, options, true)
    await bulk.#run(source)
    return bulk.#receipts!
  }

  /** Resolves to one receipt for all entries, so that memory does not grow with their number. Rejects with a `BulkError`. */
  static async all<Entry, Planned>(
    writes: WritePath,
    target: BulkTarget<Entry, Planned>,
    source: BulkSource<Entry>,
    options: BulkOptions = {},
  ): Promise<BulkReceipt> {
    const bulk = new BulkWrite(writes, target, options, false)
    await bulk.#run(source)
    const copies = Number.isFinite(bulk.#copies) ? bulk.#copies : 0
    return { ...bulk.#progress, copies, token: bulk.#last?.token }
  }

  get #progress(): BulkProgress {
    return { written: this.#written, durable: this.#durable }
  }

  async #run(source: BulkSource<Entry>): Promise<void> {
    const { signal } = this.#options
    const { closing } = this.#writes.pump
    const offs: (() => void)[] = []
    const abort = (): void => this.#stop(aborted(signal!))
    const close = (): void => this.#stop(new GridError('CLOSED', 'the grid was closed'))
    try {
      this.#writes.pump.checkOpen()
      checkBulkOptions(this.#options)
      if (closing.aborted) close()
      if (signal !== undefined) offs.push(onAbort(signal, abort))
      offs.push(onAbort(closing, close))
      await (isCollection(source) ? this.#writeCollection(source) : this.#writeStream(source))
      while (this.#inFlight.size > 0) await this.#firstAcknowledged()
    } catch (error) {
      this.#stopped ??= { error }
      await settlesWithin(Promise.allSettled([...this.#inFlight].map(({ durable }) => durable)), SETTLE_MAX_MS)
      throw new BulkError(this.#stopped.error, this.#progress)
    } finally {
      this.#endCall()
      for (const off of offs) off()
    }
  }

  /** Checks all entries before it writes the first one. */
  async #writeCollection(source: Iterable<Entry>): Promise<void> {
    this.#isOneCall = true
    const { calls } = this.#target
    this.#call = calls?.order.begin()
    if (calls?.afterEarlier === true) {
      let ended: Promise<void> | undefined
      while ((ended = calls.order.earlierEnded(this.#call!)) !== undefined) await this.#unlessStopped(ended)
    }
    const all: Planned[] = []
    for (const entry of [...source]) {
      if (all.length > 0 && all.length % SLICE_ENTRIES_MAX === 0) await this.#nextTurn()
      all.push(this.#plan(entry, all.length))
    }
    this.#left = all.length
    for (const planned of all) if (this.#add(planned)) await this.#writeSlice()
    if (this.#planned.length > 0) await this.#writeSlice()
  }

  /** Writes entries as they come, and asks for more when there is room for them. */
  async #writeStream(source: BulkSource<Entry>): Promise<void> {
    const iterator = isAsync(source) ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
    let isDone = false
    let count = 0
    try {
      for (;;) {
        const result = await this.#next(iterator)
        isDone = result.done === true
        if (result.done === true) break
        if (this.#add(this.#plan(result.value, count++))) await this.#writeSlice()
      }
    } catch (error) {
      // The entries before the invalid one are still written.
      if (this.#stopped === undefined && this.#planned.length > 0) await this.#writeSlice()
      throw error
    } finally {
      // Not awaited: a source that hangs would not return either.
      if (!isDone) void (async () => iterator.return?.())().catch(() => undefined)
    }
    if (this.#planned.length > 0) await this.#writeSlice()
  }

  /** The next entry of the source. If that takes longer than this turn, the entries before it are written meanwhile. */
  async #next(iterator: Iterator<Entry> | AsyncIterator<Entry>): Promise<IteratorResult<Entry>> {
    const next = iterator.next()
    if (!('then' in next)) return next
    if (this.#turn !== undefined) {
      const first = await this.#unlessStopped(Promise.race([next, this.#turn]))
      if (first !== undefined) return first
      await this.#writeSlice()
    }
    return this.#unlessStopped(next)
  }

  #plan(entry: Entry, index: number): Planned {
    try {
      return this.#target.plan(entry)
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      throw new GridError(error.code, `at index ${index}: ${error.message}`, { cause: error.cause })
    }
  }

  /** True when the slice is full. */
  #add(planned: Planned): boolean {
    this.#planned.push({ planned, call: this.#callNow() })
    this.#plannedBytes += this.#target.sizeBytes(planned)
    this.#turn ??= new Promise((resolve) => nextTurn(() => resolve(undefined)))
    return this.#planned.length >= SLICE_ENTRIES_MAX || this.#plannedBytes >= SLICE_MAX_BYTES
  }

  async #writeSlice(): Promise<void> {
    // The first slice is visible when the method returns. Later ones let the event loop run in between.
    if (this.#applied) await this.#nextTurn()
    while (this.#inFlight.size >= SLICES_IN_FLIGHT_MAX) await this.#firstAcknowledged()
    while (this.#writes.room.crowded) await this.#roomChanged()
    const planned = this.#planned
    this.#planned = []
    this.#plannedBytes = 0
    this.#turn = undefined
    this.#apply(planned)
  }

  #apply(entries: readonly OrderedEntry<Planned>[]): void {
    const { copies, timeoutMs } = this.#options
    const options = onlyDefined({ copies, timeoutMs })
    const write = (): BegunEntries => this.#writes.writeEach(this.#writesOf(entries), options)
    const { order } = this.#target.calls ?? {}
    const { written, begun, acknowledged, failure } =
      order === undefined || this.#call === undefined ? write() : order.write(this.#call, write)
    this.#left -= entries.length
    if (this.#left <= 0) this.#endCall()
    const first = this.#written
    this.#written += written.length
    this.#applied = true
    if (begun !== undefined) this.#follow(begun, acknowledged!, first, written)
    if (failure !== undefined) throw failure.error
  }

  *#writesOf(entries: readonly OrderedEntry<Planned>[]): Generator<EntryWrites, void, undefined> {
    const { calls } = this.#target
    for (const { planned, call } of entries) {
      yield (call && calls?.order.laterEntry(call, () => calls.slotsOf(planned))) ?? this.#target.pieces(planned)
    }
  }

  #callNow(): BulkCall | undefined {
    const order = this.#target.calls?.order
    this.#call ??= order?.begin()
    return this.#call && !this.#isOneCall ? order?.now(this.#call) : this.#call
  }

  #endCall(): void {
    if (this.#call !== undefined) this.#target.calls?.order.end(this.#call)
    this.#call = undefined
  }

  #follow(
    begun: BegunWrites,
    acknowledgement: Promise<WriteReceipt>,
    first: number,
    written: readonly (Version | undefined)[],
  ): void {
    const durable = begun.durable.then(
      (receipt) => {
        if (receipt.durable) this.#durable = first + written.length
        this.#reportProgress()
      },
      () => undefined,
    )
    const acknowledged = acknowledgement.then(
      (receipt) => this.#acknowledged(begun, receipt, first, written),
      (error: unknown) => this.#stop(error),
    )
    const slice = { durable, acknowledged: acknowledged.finally(() => this.#inFlight.delete(slice)) }
    this.#inFlight.add(slice)
  }

  #acknowledged(
    { parts }: BegunWrites,
    receipt: WriteReceipt,
    first: number,
    written: readonly (Version | undefined)[],
  ): void {
    // All entries are of one collection.
    const [{ name }] = [...parts.keys()] as unknown as [Partition]
    this.#copies = Math.min(this.#copies, receipt.copies)
    if (first >= this.#lastFirst) this.#last = receipt
    this.#lastFirst = Math.max(this.#lastFirst, first)
    for (const [i, each] of written.entries()) {
      if (this.#receipts === undefined || each === undefined) continue
      this.#receipts[first + i] = receipt.of(name, each)
    }
  }

  #reportProgress(): void {
    if (this.#stopped !== undefined) return
    try {
      const result: unknown = this.#options.onProgress?.(this.#progress)
      // An async function fails later.
      if (result instanceof Promise) result.catch((error: unknown) => this.#stop(error))
    } catch (error) {
      this.#stop(error)
    }
  }

  async #firstAcknowledged(): Promise<void> {
    const [first] = this.#inFlight
    await this.#unlessStopped(first!.acknowledged)
  }

  async #roomChanged(): Promise<void> {
    await this.#unlessStopped(this.#writes.roomChange())
  }

  #nextTurn(): Promise<void> {
    return this.#unlessStopped(new Promise((resolve) => nextTurn(resolve)))
  }

  /** Writes nothing more. */
  #stop(error: unknown): void {
    this.#stopped ??= { error }
    this.#interrupt?.(error)
  }

  /** Settles as the promise does, or rejects as soon as the call is stopped. */
  #unlessStopped<Result>(promise: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      if (this.#stopped !== undefined) reject(this.#stopped.error as Error)
      promise.then(resolve, reject)
    })
  }
}

/** Writes all entries of a source. Resolves to the receipts that `BulkResult` describes. */
export async function writeMany<Entry, Planned, Source extends BulkSource<Entry>>(
  writes: WritePath,
  source: Source,
  options: BulkOptions | undefined,
  target: BulkTarget<Entry, Planned>,
): Promise<BulkResult<Source>> {
  const result = isAsync(source)
    ? await BulkWrite.all(writes, target, source, options)
    : await BulkWrite.each(writes, target, source as Iterable<Entry>, options)
  return result as BulkResult<Source>
}

function checkBulkOptions(options: BulkOptions): void {
  checkWriteOptions(options)
  checkKind('onProgress', options.onProgress, 'function')
}
