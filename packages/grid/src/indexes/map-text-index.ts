import { GridError } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import type { EntrySource } from './entry-source.ts'
import { TextIndex } from './text-index.ts'
import type { TextEngine, TextSearch } from './text-index.ts'

/** A text index that can be opened. */
export interface TextIndexToOpen extends TextSearch {
  readonly names: readonly string[]
  readonly engine: TextEngine
}

interface Opened {
  readonly id: string
  readonly building: Promise<TextIndex>
  readonly end: () => void
  built?: TextIndex
}

/** The text index of a map at this peer, if it has one. */
export class MapTextIndex {
  readonly #source: EntrySource
  #opened: Opened | undefined

  constructor(source: EntrySource) {
    this.#source = source
  }

  /** The index that queries can use: a complete one. */
  get complete(): TextIndex | undefined {
    return this.#opened?.built
  }

  /** Resolves to the index when it is complete. Rejects with `INVALID_OPTION` if there is one of another kind. */
  open(asked: TextIndexToOpen, slices: () => TimeSlices): Promise<TextIndex> {
    const { names, prefix, fuzzy, boost } = asked
    const id = JSON.stringify([names, prefix, fuzzy, names.map((name) => boost[name] ?? 1)])
    const known = this.#opened
    if (known?.id === id) return known.building
    if (known !== undefined)
      return Promise.reject(
        new GridError('INVALID_OPTION', 'a map has one text index, and this one has another one: drop that first'),
      )
    const index = new TextIndex(this.#source, asked.engine, asked.names, asked)
    this.#source.refresh()
    // From here on nothing is missed.
    const end = this.#source.observe((entry) => index.follow(entry, slices))
    const opened: Opened = { id, building: index.build(slices()).then(() => index), end }
    this.#opened = opened
    opened.building.then(
      () => (opened.built = index),
      () => this.#forget(opened),
    )
    return opened.building
  }

  /** Ends the upkeep of the index. Returns false if it is not this one. */
  drop(index: TextIndex): boolean {
    const opened = this.#opened
    return opened?.built === index && this.#forget(opened)
  }

  #forget(opened: Opened): boolean {
    opened.end()
    if (this.#opened === opened) this.#opened = undefined
    return true
  }
}
