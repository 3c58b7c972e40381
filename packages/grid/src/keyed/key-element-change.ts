import type { UnreadChange } from '../changes/unread-change.ts'
import { decodeElement } from '../sets/set-element.ts'
import { mainParts } from './key-elements.ts'

/** An element came into a set under a key, or left it. A plain object that only this reader has. */
export interface SetsChange<Element> {
  /** `lagged`: the reader was too slow, and `missed` changes were left out. Read the sets to continue. */
  readonly type: 'add' | 'delete' | 'lagged'
  /** '' if lagged. */
  readonly key: string
  /** Undefined if lagged. */
  readonly element: Element | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

export function setsLagged(missed: number): SetsChange<never> {
  return { type: 'lagged', key: '', element: undefined, missed }
}

/** A change with its key and element as text. */
export class KeyElementChange<Element> implements UnreadChange<SetsChange<Element>> {
  /** Key and element. */
  readonly key: string
  readonly #type: 'add' | 'delete'

  constructor(type: 'add' | 'delete', main: string) {
    this.key = main
    this.#type = type
  }

  get sizeBytes(): number {
    return this.key.length
  }

  kept(): this {
    return this
  }

  read(): SetsChange<Element> {
    const [key, text] = mainParts(this.key)
    return { type: this.#type, key, element: decodeElement(text) as Element, missed: 0 }
  }
}
