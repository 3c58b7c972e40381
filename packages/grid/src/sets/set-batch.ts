import type { Batch, BatchPart } from '../batches/batch.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { SLOT_BYTES } from './element-rows.ts'
import { encodeElement } from './set-element.ts'

/** What a batch needs of a set. Elements are encoded as text. */
export interface BatchedSet {
  holdsText(text: string): boolean
  /** True while an earlier bulk call is still adding elements. */
  readonly isFilling: boolean
  /** The rows that add an element, or remove it. */
  rows(text: string, present: boolean): RowWrite[]
}

/**
 * A set within a batch. It reads what the batch has added and removed so far; nothing else does before the batch is over.
 * From `grid.transact`.
 */
export class SetBatch<Element> implements BatchPart {
  readonly #batch: Batch
  readonly #set: BatchedSet
  readonly #planned = new Map<string, boolean>()

  /** @internal */
  constructor(batch: Batch, set: BatchedSet) {
    this.#batch = batch
    this.#set = set
  }

  /** Throws `INVALID_VALUE`, `CLOSED`. */
  has(element: Element): boolean {
    this.#batch.checkOpen()
    return this.#has(encodeElement(element))
  }

  /** Plans an add. Throws `INVALID_VALUE`, `BATCH_TOO_LARGE`, `CLOSED`. */
  add(element: Element): void {
    this.#plan(encodeElement(element), true)
  }

  /** Plans a remove. Returns whether the element is there. Throws as `add` does. */
  delete(element: Element): boolean {
    this.#batch.checkOpen()
    const text = encodeElement(element)
    const present = this.#has(text)
    if (present || this.#set.isFilling) this.#plan(text, false)
    return present
  }

  /** The rows to write once the batch is over. @internal */
  rows(): RowWrite[] {
    return [...this.#planned].flatMap(([text, present]) => this.#set.rows(text, present))
  }

  #plan(text: string, present: boolean): void {
    this.#batch.count(text.length + SLOT_BYTES)
    this.#planned.set(text, present)
  }

  #has(text: string): boolean {
    return this.#planned.get(text) ?? this.#set.holdsText(text)
  }
}
