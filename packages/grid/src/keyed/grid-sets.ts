import { checkKnown } from '@gossipgrid/core'
import type { Collection } from '@gossipgrid/core'
import type { Batch } from '../batches/batch.ts'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import type { BulkTarget } from '../bulk/bulk-target.ts'
import { BULK_OPTIONS, BulkWrite } from '../bulk/bulk-write.ts'
import type { BulkOptions } from '../bulk/bulk-write.ts'
import { CallOrder } from '../bulk/call-order.ts'
import type { Logger } from '../logger.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { decodeElement } from '../sets/set-element.ts'
import { KeyElementChange, setsLagged } from './key-element-change.ts'
import type { SetsChange } from './key-element-change.ts'
import { KeyElements, mainOf } from './key-elements.ts'
import type { Elements } from './key-elements.ts'
import { KeyedFace, checkedMain } from './keyed-face.ts'
import { SetsBatch } from './sets-batch.ts'

/**
 * A set under each key, of what `GridSet` holds. Of a concurrent add and remove of an element, the add wins. From
 * `grid.sets(name)`.
 */
export class GridSets<Element> extends KeyedFace<Element[], SetsChange<Element>> {
  readonly #elements: KeyElements
  readonly #order: CallOrder

  /** @internal */
  constructor(writes: WritePath, collection: Collection, logger: Logger) {
    super(writes, collection, logger, setsLagged)
    this.#elements = new KeyElements(this.partition)
    this.#order = new CallOrder(this.partition, writes.pump.peer)
    this.partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  /**
   * The elements of the set under `key` at this peer, in no particular order, in a new array. Undefined if there are none: an
   * empty set is not there. Throws `INVALID_KEY`, `CLOSED`.
   */
  override peek(key: string): Element[] | undefined {
    this.checkKey(key)
    const elements = this.#elements.all.get(key)
    return elements === undefined ? undefined : Array.from(elements.keys(), (text) => decodeElement(text) as Element)
  }

  /** Whether an element is in the set under `key` at this peer, synchronously. Throws `INVALID_KEY`, `INVALID_VALUE`, `CLOSED`. */
  holds(key: string, element: Element): boolean {
    return this.#elements.has(this.mainOf(key, element))
  }

  /**
   * Adds an element to the set under `key`. Resolves and rejects as `GridSet.add` does, also with `INVALID_KEY`, and with
   * `INVALID_VALUE` if key and element take more than 1,005 bytes together as text.
   *
   * @example
   * ```ts
   * const tags = grid.sets<string>('tags')
   * await tags.add('post 1', 'red')
   * await tags.add('post 1', 'blue')
   * console.log(await tags.get('post 1')) // [ 'red', 'blue' ]
   * ```
   */
  add(key: string, element: Element, options?: WriteOptions): Promise<Receipt> {
    try {
      const main = this.mainOf(key, element)
      checkWriteOptions(options, WRITE_OPTIONS)
      return this.write(this.rows(main, true), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Removes an element from the set under `key`: every add of it that this peer has seen. Resolves as `add` does, or to
   * undefined if the element is not there. An add at another peer that this one has not seen brings the element back.
   */
  async remove(key: string, element: Element, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    return this.#remove([this.mainOf(key, element)], options)
  }

  /** Removes all elements under `key`, as `remove` does. Resolves to undefined if nothing is there. */
  async delete(key: string, options?: WriteOptions): Promise<Receipt | undefined> {
    checkWriteOptions(options, WRITE_OPTIONS)
    this.checkKey(key)
    return this.#remove(this.mainsOf(key), options)
  }

  /** Removes the elements under all keys at this peer. Resolves to the number of keys. Rejects as `GridMap.clear` does. */
  async clear(options?: BulkOptions): Promise<number> {
    checkKnown(options, BULK_OPTIONS)
    this.writes.pump.checkOpen()
    const count = this.size
    const target: BulkTarget<string, string> = {
      plan: (main) => main,
      sizeBytes: (main) => main.length,
      pieces: (main) => [this.rows(main, false)].filter(({ length }) => length > 0),
      calls: { order: this.#order, slotsOf: (main) => this.partition.replica.table.slotsOf(main) },
    }
    await BulkWrite.all(this.writes, target, [...this.#elements.mains()], options)
    return count
  }

  /** These sets within a batch. @internal */
  inBatch(batch: Batch): SetsBatch<Element> {
    return batch.part(this, () => new SetsBatch<Element>(batch, this))
  }

  /** Key and element in one text. Throws `INVALID_KEY`, `INVALID_VALUE`, `CLOSED`. @internal */
  mainOf(key: string, element: Element): string {
    this.checkKey(key)
    return checkedMain(key, element)
  }

  /** Keys and elements of the set under a key. Throws `INVALID_KEY`, `CLOSED`. @internal */
  mainsOf(key: string): string[] {
    this.checkKey(key)
    return Array.from(this.#elements.all.get(key)?.keys() ?? [], (text) => mainOf(key, text))
  }

  /** @internal */
  hasMain(main: string): boolean {
    return this.#elements.has(main)
  }

  /** The rows that add or remove an element. @internal */
  rows(main: string, isPresent: boolean): RowWrite[] {
    const { overlay, pump } = this.writes
    return this.#elements.rows(main, isPresent, pump.peer.slotId, overlay !== undefined)
  }

  /** @internal */
  override get keyCount(): number {
    return this.#elements.all.size
  }

  protected override current(): ReadonlyMap<string, Elements> {
    return this.#elements.all
  }

  protected override isThere(key: string): boolean {
    return this.#elements.all.has(key)
  }

  protected override *shown(key: string): Generator<{ key: string; entry: KeyElementChange<Element> | undefined }> {
    for (const main of this.mainsOf(key)) {
      const entry = this.#elements.has(main) ? new KeyElementChange<Element>('add', main) : undefined
      yield { key: main, entry }
    }
  }

  async #remove(mains: readonly string[], options: WriteOptions | undefined): Promise<Receipt | undefined> {
    const rows = mains.flatMap((main) => this.rows(main, false))
    return rows.length === 0 ? undefined : this.write(rows, options)
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const changed = this.#elements.changed(slot, previous)
    if (changed === undefined || !this.feed.wanted) return
    const change = new KeyElementChange<Element>(changed.type, changed.main)
    this.feed.push(change)
    this.writes.pump.afterStep(() => this.feed.emit(change))
  }
}
