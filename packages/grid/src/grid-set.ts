import { PRESENT, compositeKey, splitKey } from '@gossipgrid/core'
import type { Collection, Partition } from '@gossipgrid/core'
import type { Batch } from './batch.ts'
import { ChangeFeed } from './change-feed.ts'
import type { FeedOptions } from './change-feed.ts'
import { checkWriteOptions } from './checks.ts'
import type { RowWrite } from './layout.ts'
import type { Logger } from './logger.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import type { Runtime } from './runtime.ts'
import { onlyPartition } from './runtime.ts'
import { SetBatch } from './set-batch.ts'
import { decodeElement, encodeElement, isElementText } from './set-element.ts'
import { checkAborted } from './waiting.ts'

/** Rows looked at between two turns of the event loop while iterating. */
const ROWS_PER_TURN = 2048
/** Adds of one element by different peers that are kept side by side; the next one replaces them. */
const ADDS_MAX = 4

/** An element has come or gone, or the mark that some changes were left out. */
export interface SetChange<Element> {
  /** `lagged`: the reader was too slow and `missed` changes were left out; read the set to go on. */
  readonly type: 'add' | 'delete' | 'lagged'
  /** Undefined when lagged. */
  readonly element: Element | undefined
  /** How many changes were left out; 0 unless lagged. */
  readonly missed: number
}

/** How to follow a set. */
export interface SetChangesOptions extends FeedOptions {
  /** Begin with the elements that are there already, as `add` changes. */
  readonly initial?: boolean
}

/**
 * A replicated set of text, finite numbers, bigints, booleans, null, `Uint8Array`, `Date`, and arrays and plain objects
 * of these, equal when equal in content. Of an add and a remove that have not seen each other the add wins (an
 * observed-remove set: Shapiro and others, 2011). From `grid.set(name)`.
 */
export class GridSet<Element> {
  readonly name: string
  readonly #runtime: Runtime
  readonly #partition: Partition
  readonly #feed: ChangeFeed<SetChange<Element>>
  /** Kept from the first time that somebody asks. */
  #size: number | undefined

  /** @internal */
  constructor(runtime: Runtime, collection: Collection, logger: Logger) {
    this.name = collection.descriptor.name
    this.#runtime = runtime
    this.#partition = onlyPartition(collection)
    this.#feed = new ChangeFeed<SetChange<Element>>({
      logger,
      lagged: (missed) => ({ type: 'lagged', element: undefined, missed }),
      sizeOf: (change) => (change instanceof TextChange ? change.sizeBytes : 0),
      used: () => this.#observe(),
    })
  }

  /** Elements that this peer holds. The first time it counts them, which takes half a second for a million. */
  get size(): number {
    if (this.#size === undefined) {
      this.#size = this.#texts().length
      this.#observe()
    }
    return this.#size
  }

  /** Whether the element is in the set, wherever it lives. Throws `INVALID_VALUE`, `CLOSED`. */
  async has(element: Element): Promise<boolean> {
    return this.holds(element)
  }

  /** Whether this peer holds the element, at once. Throws `INVALID_VALUE`, `CLOSED`. */
  holds(element: Element): boolean {
    this.#runtime.checkOpen()
    return this.holdsText(encodeElement(element))
  }

  /**
   * Adds an element; resolves and rejects as `GridMap.set` does, with `INVALID_VALUE` for what cannot be an element or
   * takes more than 1,007 bytes in a key. It writes also when the element is there already: "it is to be there" holds
   * against a remove elsewhere that has not seen this add, whatever older ones it has seen.
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
      checkWriteOptions(options)
      return this.#add(text, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Takes out an element: every add of it that this peer has seen; resolves as `add` does, or to undefined when this peer
   * does not hold it. An add elsewhere that this peer has not seen brings it back.
   */
  async delete(element: Element, options?: WriteOptions): Promise<Receipt | undefined> {
    this.#runtime.checkOpen()
    checkWriteOptions(options)
    const rows = this.rows(encodeElement(element), false)
    return rows.length === 0 ? undefined : this.#write(rows, options)
  }

  /** Adds several elements, which share syncs of the disk; the receipts come in their order. Rejects as `add` does. */
  async addMany(elements: Iterable<Element>, options?: WriteOptions): Promise<Receipt[]> {
    // All are checked before the first is written.
    const texts = Array.from(elements, encodeElement)
    if (options !== undefined) checkWriteOptions(options)
    return Promise.all(texts.map((text) => this.#add(text, options)))
  }

  /** Takes out all elements that this peer holds; resolves to their number. */
  async clear(options?: WriteOptions): Promise<number> {
    this.#runtime.checkOpen()
    if (options !== undefined) checkWriteOptions(options)
    const texts = this.#texts()
    await Promise.all(texts.map((text) => this.#write(this.rows(text, false), options)))
    return texts.length
  }

  /** The elements that this peer holds, in no particular order. Changes made meanwhile may show or not. */
  async *values(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Element, void, undefined> {
    let rows = 0
    for (const text of this.#walk()) {
      if (rows++ % ROWS_PER_TURN === 0) {
        if (rows > 1) await new Promise((resolve) => setTimeout(resolve, 0))
        this.#runtime.checkOpen()
        checkAborted(options.signal)
      }
      if (text !== undefined) yield decodeElement(text) as Element
    }
  }

  /**
   * Every element that comes or goes from now on, in the order in which this peer applies it. A reader that falls behind
   * by more than `bufferMax` changes gets a `lagged` mark instead of those left out. The loop ends when it is left, when
   * the grid closes, or with `ABORTED` by its signal.
   */
  changes(options: SetChangesOptions = {}): AsyncIterableIterator<SetChange<Element>> {
    this.#runtime.checkOpen()
    const queue = this.#feed.changes(options)
    return options.initial === true ? this.#withInitial(queue, options.signal) : queue
  }

  /** Calls `listener` for every element that comes or goes; the function returned ends that. */
  on(
    _type: 'change',
    listener: (change: SetChange<Element>) => void,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#feed.on(listener, options)
  }

  /** Ends all loops over changes. @internal */
  close(): void {
    this.#feed.close()
  }

  /** This set inside of a batch. @internal */
  inBatch(batch: Batch): SetBatch<Element> {
    return batch.part(this, () => new SetBatch<Element>(batch, this))
  }

  /** @internal */
  holdsText(text: string): boolean {
    return this.#liveRows(text).length > 0
  }

  /**
   * The rows to be written so that an element is there, or is not. Beside its own add each peer keeps those of others, up
   * to a few; the add comes first, so that nobody sees the element go meanwhile. @internal
   */
  rows(text: string, present: boolean): RowWrite[] {
    const partition = this.#partition
    const live = this.#liveRows(text)
    const without = (keys: readonly string[]): RowWrite[] => keys.map((key) => ({ partition, key, bytes: undefined }))
    if (!present) return without(live)
    const own = this.#ownKey(text)
    const added = { partition, key: own, bytes: PRESENT }
    if (live.length < ADDS_MAX) return [added]
    const others = live.filter((key) => key !== own)
    return others.length < ADDS_MAX ? [added] : [added, ...without(others)]
  }

  #add(text: string, options: WriteOptions | undefined): Promise<Receipt> {
    // As good as always there is nothing to take the place of.
    if (this.#partition.replica.table.slotsOf(text).length >= ADDS_MAX)
      return this.#write(this.rows(text, true), options)
    return this.#runtime.write(this.#partition, this.#ownKey(text), PRESENT, options)
  }

  #ownKey(text: string): string {
    return compositeKey(text, this.#runtime.peer.slotId)
  }

  #write(rows: readonly RowWrite[], options: WriteOptions | undefined): Promise<Receipt> {
    const only = rows.length === 1 ? rows[0] : undefined
    if (only === undefined) return this.#runtime.writeAll(rows, options)
    return this.#runtime.write(only.partition, only.key, only.bytes, options)
  }

  /** Keys of the adds of an element that nobody has removed. */
  #liveRows(text: string): string[] {
    const { table } = this.#partition.replica
    const rows: string[] = []
    for (const slot of table.slotsOf(text)) if (!table.deleted(slot)) rows.push(table.key(slot))
    return rows
  }

  /** All elements here, as text. */
  #texts(): string[] {
    const texts: string[] = []
    for (const text of this.#walk()) if (text !== undefined) texts.push(text)
    return texts
  }

  /** One step for each row: an element where its first row is met that is live, else undefined. */
  *#walk(): Generator<string | undefined, void, undefined> {
    const { table } = this.#partition.replica
    const met: boolean[] = []
    for (let slot = 0; slot < table.slotCount; slot++) {
      const live = !table.deleted(slot)
      met.push(live)
      yield live ? this.#newlyMet(slot, met) : undefined
    }
  }

  #newlyMet(slot: number, met: readonly boolean[]): string | undefined {
    const { table } = this.#partition.replica
    const { main } = splitKey(table.key(slot))
    if (table.slotsOf(main).some((other) => other < slot && met[other] === true)) return undefined
    return isElementText(main) ? main : undefined
  }

  /** Core is asked to tell of changes only while somebody wants to know. */
  #observe(): void {
    const wanted = this.#size !== undefined || this.#feed.wanted
    this.#partition.replica.observer = wanted
      ? { changed: (slot, previous) => this.#changed(slot, previous), discarded: () => undefined }
      : undefined
  }

  /** A row has come or gone: so has the element, unless another row holds it. */
  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { table } = this.#partition.replica
    const live = !table.deleted(slot)
    if (live === (previous !== undefined)) return
    const { main } = splitKey(table.key(slot))
    if (table.slotsOf(main).some((other) => other !== slot && !table.deleted(other))) return
    if (!isElementText(main)) return
    if (this.#size !== undefined) this.#size += live ? 1 : -1
    if (!this.#feed.wanted) return
    const change = new TextChange<Element>(live ? 'add' : 'delete', main)
    this.#runtime.afterStep(() => this.#feed.tell(change))
  }

  /** The elements first, then the changes that came meanwhile: one that came meanwhile may show twice. */
  async *#withInitial(
    queue: AsyncIterableIterator<SetChange<Element>> & { end(): void },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SetChange<Element>, void, undefined> {
    try {
      for await (const element of this.values(signal === undefined ? {} : { signal })) {
        yield { type: 'add', element, missed: 0 }
      }
      yield* queue
    } finally {
      queue.end()
    }
  }
}

/** A change whose element is made when it is looked at, for each who looks anew. */
class TextChange<Element> implements SetChange<Element> {
  readonly type: 'add' | 'delete'
  readonly missed = 0
  readonly #text: string

  constructor(type: 'add' | 'delete', text: string) {
    this.type = type
    this.#text = text
  }

  get element(): Element {
    return decodeElement(this.#text) as Element
  }

  get sizeBytes(): number {
    return this.#text.length
  }
}
