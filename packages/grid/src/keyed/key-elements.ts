import { ELEMENT_SEPARATOR, splitKey } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import type { RowWrite } from '../runtime/row-write.ts'
import { addRows, liveRows, removeRows } from '../sets/element-rows.ts'
import { isElementText } from '../sets/set-element.ts'

/** The text of an element, and the number of its rows that are there. */
export type Elements = ReadonlyMap<string, number>

/** What became of an element when a row changed. */
export interface ElementChange {
  readonly type: 'add' | 'delete'
  /** Key and element. */
  readonly main: string
}

/** The elements of the sets under all keys. */
export class KeyElements {
  readonly all: Map<string, Elements> = new Map<string, Elements>()
  readonly #partition: Partition

  constructor(partition: Partition) {
    this.#partition = partition
    const { table } = partition.replica
    for (const slot of table.slots()) if (!table.deleted(slot)) this.changed(slot, undefined)
  }

  has(main: string): boolean {
    const [key, text] = mainParts(main)
    return this.all.get(key)?.has(text) === true
  }

  /** Keys and elements of all sets. */
  *mains(): Generator<string, void, undefined> {
    for (const [key, elements] of this.all) for (const text of elements.keys()) yield mainOf(key, text)
  }

  /** The rows that add an element at the slot of a peer, or of a guest, or that remove all adds of it, as those of `GridSet`. */
  rows(main: string, isPresent: boolean, slotId: string, isGuest: boolean = false): RowWrite[] {
    const live = liveRows(this.#partition, main)
    if (!isPresent) return removeRows(this.#partition, live)
    return addRows(this.#partition, main, slotId, isGuest ? [] : live)
  }

  /** A row has changed. Undefined if its element is there, or not there, as before. */
  changed(slot: number, previous: Uint8Array | undefined): ElementChange | undefined {
    const { table } = this.#partition.replica
    const isThere = !table.deleted(slot)
    if (isThere === (previous !== undefined)) return undefined
    const { main } = splitKey(table.key(slot))
    const [key, text] = mainParts(main)
    const elements = (this.all.get(key) as Map<string, number> | undefined) ?? new Map<string, number>()
    const known = elements.get(text)
    // A row that no honest peer writes.
    if (known === undefined && !(isThere && isElementText(text))) return undefined
    const count = (known ?? 0) + (isThere ? 1 : -1)
    if (count > 0) elements.set(text, count)
    else elements.delete(text)
    if (elements.size === 0) this.all.delete(key)
    else if (elements.size === 1) this.all.set(key, elements)
    if (known !== undefined && count > 0) return undefined
    return { type: isThere ? 'add' : 'delete', main }
  }
}

/** Key and element in one text, as rows have it. */
export function mainOf(key: string, text: string): string {
  return [key, text].join(ELEMENT_SEPARATOR)
}

export function mainParts(main: string): [key: string, text: string] {
  const at = main.indexOf(ELEMENT_SEPARATOR)
  return [main.slice(0, at), main.slice(at + 1)]
}
