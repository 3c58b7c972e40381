import { PRESENT, checkKnown, compositeKey, splitKey } from '@gossipgrid/core'
import type { Collection, Partition } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { checkSource, listed } from '../bulk/bulk-source.ts'
import type { BulkSource } from '../bulk/bulk-source.ts'
import { CallOrder } from '../bulk/call-order.ts'
import { BULK_OPTIONS, BulkWrite, writeMany } from '../bulk/bulk-write.ts'
import type { BulkTarget } from '../bulk/bulk-target.ts'
import type { BulkOptions, BulkResult } from '../bulk/bulk-write.ts'
import { frozen } from '../changes/frozen.ts'
import { ChangeFeed, INITIAL_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import type { InitialSteps } from '../changes/change-loop.ts'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { Logger } from '../logger.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { onlyPartition } from '../runtime/row-write.ts'
import { ADDS_MAX, addRows, liveRows, removeRows } from './element-rows.ts'
import { SetBatch } from './set-batch.ts'
import { decodeElement, encodeElement, isElementText } from './set-element.ts'
import type { UnreadChange } from '../changes/unread-change.ts'
import { afterToken } from '../reads/after-token.ts'
import type { ReadOptions } from '../reads/after-token.ts'
import { walkAfter } from '../reads/walk.ts'

/**
 * Honest peers leave a few rows of each element, the removed ones among them. Where there are more, what is found out by
 * looking through them is remembered, so that a hundred thousand made-up rows of one element cost no more than others.
 */
const CROWD_MIN = 32

/** An element was added or deleted, or the mark that changes were left out. A plain object that only this reader has. */
export interface SetChange<Element> {
  /** `lagged`: the reader was too slow, and `missed` changes were left out. Read the set to continue. */
  readonly type: 'add' | 'delete' | 'lagged'
  /** Undefined if lagged. */
  readonly element: Element | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

/** How to follow a set. */
export interface SetChangesOptions extends FeedOptions {
  /** Start with the current elements, as `add` changes. */
  readonly initial?: boolean
}

/**
 * A replicated set of text, finite numbers, bigints, booleans, null, `Uint8Array`, `Date`, and arrays and plain objects of
 * these. Elements with equal content are equal. Of a concurrent add and remove, the add wins (an observed-remove set: Shapiro
 * and others, 2011). From `grid.set(name)`.
 */
export class GridSet<Element> {
  /** The name of the set. */
  readonly name: string
  readonly #writes: WritePath
  readonly #partition: Partition
  readonly #feed: ChangeFeed<SetChange<Element>>
  readonly #order: CallOrder
  /** Counted at the first read of `size`, and kept up to date since. */
  #size: number | undefined
  /** Live rows of each element that has very many rows, for as long as changes are observed. */
  readonly #crowds = new Map<string, number>()
  #shown: readonly Element[] | undefined
  #endObserving: (() => void) | undefined

  /** @internal */
  constructor(writes: WritePath, collection: Collection, logger: Logger) {
    this.name = collection.title
    this.#writes = writes
    this.#partition = onlyPartition(collection)
    this.#order = new CallOrder(this.#partition, writes.pump.peer)
    this.#feed = new ChangeFeed<SetChange<Element>>({
      logger,
      lagged: (missed) => ({ type: 'lagged', element: undefined, missed }),
      used: () => this.#observe(),
    })
  }

  /** Number of elements at this peer. The first read counts them, which takes half a second for a million. */
  get size(): number {
    if (this.#size === undefined) {
      this.#size = this.#texts().length
      this.#observe()
    }
    return this.#size
  }

  /** Whether the element is in the set, wherever it is stored. Rejects with `INVALID_VALUE`; waits and rejects as `GridMap.get` does. */
  async has(element: Element, options?: ReadOptions): Promise<boolean> {
    if (options !== undefined) await afterToken(this.#writes.pump, options)
    return this.holds(element)
  }

  /** Whether the element is in the set at this peer, synchronously. Throws `INVALID_VALUE`, `CLOSED`. */
  holds(element: Element): boolean {
    this.#writes.pump.checkOpen()
    return this.holdsText(encodeElement(element))
  }

  /**
   * Adds an element. Resolves and rejects as `GridMap.set` does, with `INVALID_VALUE` for a value that cannot be an element
   * or takes more than 1,007 bytes in a key. It writes even if the element is there already, so that it wins over a remove at
   * another peer that has seen older adds, but not this one.
   *
   * @example
   * ```ts
   * const tags = grid.set<string>('tags')
   * await tags.add('red')
   * console.log(await tags.has('red')) // true
   * ```
   */
  add(element: Element, options?: WriteOptions): Promise<Receipt> {
    try {
      const text = encodeElement(element)
      checkWriteOptions(options, WRITE_OPTIONS)
      return this.#add(text, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Removes an element: every add of it that this peer has seen. Resolves as `add` does, or to undefined if the element is
   * not there. An add at another peer that this one has not seen brings the element back.
   */
  async delete(element: Element, options?: WriteOptions): Promise<Receipt | undefined> {
    this.#writes.pump.checkOpen()
    checkWriteOptions(options, WRITE_OPTIONS)
    const rows = this.rows(encodeElement(element), false)
    return rows.length === 0 ? undefined : this.#writes.writeRows(rows, options)
  }

  /**
   * Adds any number of elements, as `GridMap.setMany` writes entries. Rejects with a `BulkError`: its `code` is one of `add`,
   * or `INPUT_FAILED` when the iterable throws.
   */
  async addMany<Source extends BulkSource<Element>>(
    elements: Source,
    options?: BulkOptions,
  ): Promise<BulkResult<Source>> {
    checkSource(elements, 'elements')
    checkKnown(options, BULK_OPTIONS)
    return writeMany(this.#writes, elements, options, this.#target(encodeElement, true))
  }

  /** Removes all elements at this peer. Resolves to their number. Rejects as `addMany` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options, BULK_OPTIONS)
    const target = this.#target((text: string) => text, false)
    const texts = listed(() => this.#texts())
    const { written } = await BulkWrite.all(this.#writes, target, texts, options)
    return written
  }

  /**
   * The elements that are there when the iteration starts, in no particular order. Elements that are removed before the
   * iteration reaches them are skipped, and elements that are added meanwhile are not included. Throws `ABORTED` when its
   * signal is aborted and `CLOSED` when the grid closes; with `after`, the first step throws as `Grid.reached` does.
   */
  values(options: ReadOptions = {}): AsyncGenerator<Element, void, undefined> {
    return walkAfter(this.#writes.pump, options, () => this.#elements())
  }

  /**
   * Every change of the set from now on, in the order in which this peer applies them. If a reader falls behind by more than
   * `bufferMax` changes, changes are left out and a `lagged` mark takes their place. The loop ends when you leave it and when
   * the grid closes, and throws `ABORTED` when its signal is aborted.
   */
  changes(options: SetChangesOptions = {}): AsyncIterableIterator<SetChange<Element>> {
    checkFeedOptions(options, INITIAL_OPTIONS)
    this.#writes.pump.checkOpen()
    return this.#feed.changes(options, options.initial === true ? { initial: () => this.#initial() } : {})
  }

  /** Calls `listener` for every change. The returned function ends that. */
  on(
    type: 'change',
    listener: (change: SetChange<Element>) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#feed.on(type, listener, options)
  }

  /** Calls `listener` after every change: with `getSnapshot`, what `useSyncExternalStore` and its like ask for. */
  readonly subscribe = (listener: () => unknown): (() => void) => this.on('change', () => listener())
  /** The elements at this peer, in a frozen array that is the same one until something in it changes. */
  readonly getSnapshot = (): readonly Element[] => {
    if (this.#shown === undefined) {
      this.#shown = frozen(
        this.#texts()
          .sort()
          .map((text) => decodeElement(text) as Element),
      )
      this.#observe()
    }
    return this.#shown
  }

  /** Its collection was dropped. @internal */
  get isDropped(): boolean {
    return this.#partition.dropped
  }

  /** Of what was dropped, nothing is left. @internal */
  get isEmptied(): boolean {
    return this.#partition.replica.table.size === 0
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    this.#feed.close()
  }

  /** This set within a batch. @internal */
  inBatch(batch: Batch): SetBatch<Element> {
    return batch.part(this, () => new SetBatch<Element>(batch, this))
  }

  /** Elements of an earlier call are still to be added. @internal */
  get isFilling(): boolean {
    return this.#order.isOpen
  }

  /** @internal */
  holdsText(text: string): boolean {
    return liveRows(this.#partition, text).length > 0
  }

  /**
   * The rows that add or remove an element. An add keeps up to a few adds of other peers. It comes before the rows that
   * remove the others, so that readers never see the element missing. An add of a guest may be refused, so the member that takes it
   * removes the others. @internal
   */
  rows(text: string, present: boolean): RowWrite[] {
    const live = liveRows(this.#partition, text)
    const { overlay, pump } = this.#writes
    if (present) return addRows(this.#partition, text, pump.peer.slotId, overlay === undefined ? live : [])
    // A call of before may still add it.
    return removeRows(this.#partition, live.length === 0 && this.isFilling ? [this.#ownKey(text)] : live)
  }

  #add(text: string, options: WriteOptions | undefined): Promise<Receipt> {
    // The common case: no adds to replace.
    if (this.#partition.replica.table.slotsOf(text).length >= ADDS_MAX)
      return this.#writes.writeRows(this.rows(text, true), options)
    return this.#writes.write(this.#partition, this.#ownKey(text), PRESENT, options)
  }

  #target<Entry>(plan: (entry: Entry) => string, present: boolean): BulkTarget<Entry, string> {
    const slotsOf = (text: string): readonly number[] => this.#partition.replica.table.slotsOf(text)
    const calls = { order: this.#order, afterEarlier: !present, slotsOf }
    return { plan, sizeBytes: (text) => text.length, pieces: (text) => [this.rows(text, present)], calls }
  }

  #ownKey(text: string): string {
    return compositeKey(text, this.#writes.pump.peer.slotId)
  }

  /** All elements at this peer, encoded as text. */
  #texts(): string[] {
    const texts: string[] = []
    for (const step of this.#walk()) if (step?.present === true) texts.push(step.text)
    return texts
  }

  *#elements(): Generator<Element | undefined, void, undefined> {
    for (const step of this.#walk()) yield step?.present === true ? (decodeElement(step.text) as Element) : undefined
  }

  /** The current elements, as `add` changes. */
  *#initial(): InitialSteps<SetChange<Element>> {
    for (const step of this.#walk()) {
      if (step === undefined) yield undefined
      else yield { key: step.text, entry: step.present ? new TextChange<Element>('add', step.text) : undefined }
    }
  }

  /**
   * One step for each row. At the first row of an element: the element, and whether it is still there. Elements that are
   * added after the first step are left out.
   */
  *#walk(): Generator<{ readonly text: string; readonly present: boolean } | undefined, void, undefined> {
    const { table } = this.#partition.replica
    const live = table.liveness()
    const crowds = new Set<string>()
    for (let slot = 0; slot < live.length; slot++) {
      const text = live[slot] === 0 || table.isFree(slot) ? undefined : splitKey(table.key(slot)).main
      if (text === undefined || crowds.has(text) || !isElementText(text)) yield undefined
      else {
        const slots = table.slotsOf(text)
        if (slots.length >= CROWD_MIN) crowds.add(text)
        const isMet = slots.some((other) => other < slot && live[other] === 1)
        yield isMet ? undefined : { text, present: slots.some((other) => !table.deleted(other)) }
      }
    }
  }

  /** Observes the replica only while that is needed. */
  #observe(): void {
    const wanted = this.#size !== undefined || this.#shown !== undefined || this.#feed.wanted
    if (wanted === (this.#endObserving !== undefined)) return
    this.#endObserving?.()
    this.#crowds.clear()
    this.#endObserving = wanted
      ? this.#partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
      : undefined
  }

  /** A row was added or removed. The element was too, unless another row of it is there. */
  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { table } = this.#partition.replica
    const live = !table.deleted(slot)
    if (live === (previous !== undefined)) return
    const { main } = splitKey(table.key(slot))
    if (this.#liveAfter(main, live) !== (live ? 1 : 0)) return
    if (!isElementText(main)) return
    this.#shown = undefined
    if (this.#size !== undefined) this.#size += live ? 1 : -1
    if (!this.#feed.wanted) return
    const change = new TextChange<Element>(live ? 'add' : 'delete', main)
    this.#feed.push(change)
    this.#writes.pump.afterStep(() => this.#feed.emit(change))
  }

  /** How many live rows an element has, of which one has just come or gone. */
  #liveAfter(text: string, hasCome: boolean): number {
    const known = this.#crowds.get(text)
    const { table } = this.#partition.replica
    const slots = known === undefined ? table.slotsOf(text) : []
    const count = known === undefined ? slots.filter((slot) => !table.deleted(slot)).length : known + (hasCome ? 1 : -1)
    if (known !== undefined || slots.length >= CROWD_MIN) this.#crowds.set(text, count)
    return count
  }
}

/** A change with its element encoded as text. */
class TextChange<Element> implements UnreadChange<SetChange<Element>> {
  readonly key: string
  readonly #type: 'add' | 'delete'

  constructor(type: 'add' | 'delete', text: string) {
    this.key = text
    this.#type = type
  }

  get sizeBytes(): number {
    return this.key.length
  }

  kept(): this {
    return this
  }

  read(): SetChange<Element> {
    return { type: this.#type, element: decodeElement(this.key) as Element, missed: 0 }
  }
}
