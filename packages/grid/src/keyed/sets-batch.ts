import type { Batch, BatchPart } from '../batches/batch.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { SLOT_BYTES } from '../sets/element-rows.ts'
import { decodeElement } from '../sets/set-element.ts'
import { mainParts } from './key-elements.ts'

/** What a batch needs of sets under keys. Key and element are one text. */
export interface BatchedSets<Element> {
  mainOf(key: string, element: Element): string
  mainsOf(key: string): string[]
  hasMain(main: string): boolean
  rows(main: string, isPresent: boolean): RowWrite[]
}

/** Sets under keys within a batch. They read what the batch has written so far. From `grid.transact`. */
export class SetsBatch<Element> implements BatchPart {
  readonly #batch: Batch
  readonly #sets: BatchedSets<Element>
  readonly #planned = new Map<string, boolean>()

  /** @internal */
  constructor(batch: Batch, sets: BatchedSets<Element>) {
    this.#batch = batch
    this.#sets = sets
  }

  /** The elements under `key`. Undefined if there are none. Throws `INVALID_KEY`, `CLOSED`. */
  get(key: string): Element[] | undefined {
    const mains = this.#mainsOf(key)
    return mains.length === 0 ? undefined : mains.map((main) => decodeElement(mainParts(main)[1]) as Element)
  }

  /** Throws `INVALID_KEY`, `CLOSED`. */
  has(key: string): boolean {
    return this.#mainsOf(key).length > 0
  }

  /** Whether an element is there. Throws `INVALID_KEY`, `INVALID_VALUE`, `CLOSED`. */
  holds(key: string, element: Element): boolean {
    this.#batch.checkOpen()
    return this.#holds(this.#sets.mainOf(key, element))
  }

  /** Plans an add. Throws `INVALID_KEY`, `INVALID_VALUE`, `BATCH_TOO_LARGE`, `CLOSED`. */
  add(key: string, element: Element): void {
    this.#plan(this.#sets.mainOf(key, element), true)
  }

  /** Plans a remove. Returns whether the element is there. Throws as `add` does. */
  remove(key: string, element: Element): boolean {
    const isThere = this.holds(key, element)
    if (isThere) this.#plan(this.#sets.mainOf(key, element), false)
    return isThere
  }

  /** Plans a remove of all elements under `key`. Returns whether there are any. Throws as `add` does. */
  delete(key: string): boolean {
    const mains = this.#mainsOf(key)
    for (const main of mains) this.#plan(main, false)
    return mains.length > 0
  }

  /** The rows to write once the batch is over. @internal */
  rows(): RowWrite[] {
    return [...this.#planned].flatMap(([main, isPresent]) => this.#sets.rows(main, isPresent))
  }

  #mainsOf(key: string): string[] {
    this.#batch.checkOpen()
    const added = [...this.#planned].filter(([main, isPresent]) => isPresent && mainParts(main)[0] === key)
    const mains = new Set([...this.#sets.mainsOf(key), ...added.map(([main]) => main)])
    return [...mains].filter((main) => this.#holds(main))
  }

  #plan(main: string, isPresent: boolean): void {
    this.#batch.count(main.length + SLOT_BYTES)
    this.#planned.set(main, isPresent)
  }

  #holds(main: string): boolean {
    return this.#planned.get(main) ?? this.#sets.hasMain(main)
  }
}
