import { GridError } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import type { EntrySource } from './entry-source.ts'
import { MapIndex } from './map-index.ts'

const INDEXES_MAX = 32

/** The indexes of a map at this peer. */
export class MapIndexes {
  readonly #source: EntrySource
  readonly #built = new Map<string, MapIndex>()
  readonly #building = new Map<string, Promise<MapIndex>>()
  readonly #endings = new Map<string, () => void>()

  constructor(source: EntrySource) {
    this.#source = source
  }

  /** The indexes that queries can use: those that are complete. */
  get all(): readonly MapIndex[] {
    return [...this.#built.values()]
  }

  /** Resolves to the index on these paths when it is complete. Rejects with `INVALID_OPTION` if there are too many. */
  open(names: readonly string[], slices: TimeSlices): Promise<MapIndex> {
    const id = idOf(names)
    const known = this.#building.get(id)
    if (known !== undefined) return known
    if (this.#building.size >= INDEXES_MAX)
      return Promise.reject(
        new GridError('INVALID_OPTION', `a map has at most ${INDEXES_MAX} indexes: drop one that no query needs`),
      )
    const building = this.#build(id, names, slices)
    this.#building.set(id, building)
    building.catch(() => this.#forget(id))
    return building
  }

  /** Ends the upkeep of an index. Queries do without it from now on. Returns false if it is not one of these. */
  drop(index: MapIndex): boolean {
    const id = idOf(index.names)
    return this.#built.get(id) === index && this.#forget(id)
  }

  #forget(id: string): boolean {
    this.#endings.get(id)?.()
    this.#endings.delete(id)
    this.#built.delete(id)
    return this.#building.delete(id)
  }

  async #build(id: string, names: readonly string[], slices: TimeSlices): Promise<MapIndex> {
    const source = this.#source
    const index = new MapIndex(source, names)
    source.refresh()
    // From here on nothing is missed: what changes during the walk is taken at once.
    this.#endings.set(
      id,
      source.observe((entry) => index.update(entry)),
    )
    await index.build(slices)
    this.#built.set(id, index)
    return index
  }
}

function idOf(names: readonly string[]): string {
  return names.join('\0')
}
