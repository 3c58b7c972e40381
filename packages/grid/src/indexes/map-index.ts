import { decodeValue } from '@gossipgrid/core'
import type { TimeSlices } from '../flow/time-slices.ts'
import { IndexColumns, boundsOf } from './columns/index-columns.ts'
import { FieldReader } from '../ordering/field-reader.ts'
import type { Interval } from '../ordering/interval.ts'
import { pathOf, reachedBy, sortKeyAt } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import { ARRAY, compareSortKeys, sortKeyOf } from '../ordering/value-order.ts'
import type { SortKey } from '../ordering/value-order.ts'
import { noContent } from './entry-source.ts'
import type { EntrySource } from './entry-source.ts'
import { KeptKeys } from './columns/kept-keys.ts'
import { sortInTurns } from './sort-in-turns.ts'
import { SortedNumbers } from './sorted-numbers.ts'

/** Of an array with more elements, only the array is in the index. */
const ELEMENTS_MAX = 1000

/** A place in the order of an index, from one of its paths on: that of the row `key` with these values. */
export interface IndexPlace {
  readonly part: number
  readonly sort: readonly SortKey[]
  readonly key: string
}

/** Which stretch of an index to walk through, and how. */
export interface IndexWalk {
  /** For the first paths of the index: points, and then at most one longer stretch. */
  readonly within: readonly Interval[]
  readonly backwards: boolean
  /** Where to go on. */
  readonly after?: IndexPlace | undefined
  /** Each entry once, at the place that it has in the order of rows: without the elements of arrays. */
  readonly once: boolean
}

/** What is known while an index is built. */
interface Building {
  /** What is in the columns, in no order: the first `count` of these. */
  numbers: Uint32Array
  count: number
  /** The keys of the entries, as they were when they were read. */
  readonly keys: KeptKeys
  /** Entries that have changed since the walk began. */
  readonly stale: Set<number>
}

/**
 * The entries of a map in the order of one or more paths, then of keys. An index on one path also has an entry for each element
 * of an array. Takes about 15 bytes for each entry with a number, and for one with text its length and 23 bytes.
 */
export class MapIndex {
  readonly names: readonly string[]
  readonly #source: EntrySource
  readonly #paths: readonly Path[]
  readonly #readers: readonly FieldReader[]
  readonly #columns: IndexColumns
  readonly #sorted = new SortedNumbers((one, other) => this.#compare(one, other))
  readonly #content = noContent()
  /** Entries with an array whose elements are too many. */
  readonly #crowded = new Set<number>()
  #building: Building | undefined

  constructor(source: EntrySource, names: readonly string[]) {
    this.#source = source
    this.names = names
    this.#paths = names.map(pathOf)
    this.#readers = this.#paths.map((path) => new FieldReader(path))
    this.#columns = new IndexColumns(names.length, source.span)
  }

  /** Entries and elements. */
  get size(): number {
    return this.#sorted.size
  }

  /** Whether entries can be looked up by what stands at this path. Not where the index lacks elements of arrays. */
  finds(part: number): boolean {
    return !this.hasArrays(part) || (this.names.length === 1 && this.#crowded.size === 0)
  }

  /** Whether one entry can match several points, and one entry several conditions at different points. */
  hasArrays(part: number): boolean {
    return this.#columns.hasArrays(part)
  }

  /** How many numbers the stretch has. */
  count(walk: IndexWalk): number {
    const [from, to] = this.#stretch(walk)
    return Math.max(0, to - from)
  }

  /** Visits the entries of a stretch until `visit` returns false. */
  walk(walk: IndexWalk, visit: (entry: number, number: number) => boolean): void {
    const [from, to] = this.#stretch(walk)
    this.#sorted.walk(from, to, walk.backwards, (number) => {
      if (!this.#columns.isElement(number)) return visit(number, number)
      return walk.once || visit(this.#columns.entryOf(number), number)
    })
  }

  /** The place of a number that `walk` has visited. */
  placeOf(number: number): IndexPlace {
    return { part: 0, sort: this.#columns.sortOf(number), key: this.#keyOf(number) }
  }

  /** Takes in all entries, in turns of the event loop. What changes meanwhile is taken in at the end. */
  async build(slices: TimeSlices): Promise<void> {
    const { span } = this.#source
    const keys = new KeptKeys()
    const building: Building = { numbers: new Uint32Array(span), count: 0, keys, stale: new Set() }
    this.#building = building
    slices.begin()
    for (let entry = 0; entry < span; entry++) {
      const isThere = this.#source.read(entry, this.#content)
      if (isThere) {
        keys.set(entry, this.#source.key(entry))
        this.#take(entry, this.#read())
      }
      if (slices.isOver(entry, isThere ? this.#content.end - this.#content.start : 0)) await slices.next()
    }
    const { stale } = building
    const numbers = building.numbers.subarray(0, building.count)
    const weights = await this.#columns.weightsOf(numbers, slices)
    const compare = (one: number, other: number): number => this.#compare(one, other)
    await this.#sorted.loadInTurns(await sortInTurns(numbers, weights, compare, slices), slices)
    let step = 0
    // Also those that become stale meanwhile. They are where their old keys have brought them.
    for (const entry of stale) {
      if (this.#columns.has(entry)) this.#remove(entry)
      if (slices.isOver(step++)) await slices.next()
    }
    this.#building = undefined
    for (const entry of stale) {
      this.update(entry)
      if (slices.isOver(step++)) await slices.next()
    }
  }

  /** Takes an entry as it is now. */
  update(entry: number): void {
    if (this.#building !== undefined) {
      this.#building.stale.add(entry)
      return
    }
    const wasThere = this.#columns.has(entry)
    if (!this.#source.read(entry, this.#content)) {
      if (wasThere) this.#remove(entry)
      return
    }
    const isPlain = this.#read()
    if (wasThere) {
      if (isPlain && this.#columns.isAt(entry, this.#readers)) return
      this.#remove(entry)
    }
    this.#take(entry, isPlain)
  }

  /** Reads the paths of the content. Returns false at an array. */
  #read(): boolean {
    const { bytes, start } = this.#content
    for (let part = 0; part < this.#readers.length; part++) if (!this.#readers[part]!.read(bytes, start)) return false
    return true
  }

  /** Takes in the content, that of an entry that is not in the index. */
  #take(entry: number, isPlain: boolean): void {
    if (isPlain) {
      this.#columns.set(entry, this.#readers)
      this.#insert(entry)
    } else this.#takeDecoded(entry)
  }

  /** An entry with an array on one of the paths. */
  #takeDecoded(entry: number): void {
    const { bytes, start, end } = this.#content
    const value = decodeValue(bytes.subarray(start, end))
    const sort = this.#paths.map((path) => sortKeyAt(value, path))
    this.#columns.set(entry, sort)
    this.#insert(entry)
    if (sort.length > 1 || sort[0]!.rank !== ARRAY) return
    const elements = this.#elementsOf(value, sort[0]!)
    if (elements === undefined) this.#crowded.add(entry)
    for (const element of elements ?? []) this.#insert(this.#columns.addElement(entry, element))
  }

  /** The elements of an array, which is at `own` itself. Undefined if there are too many. */
  #elementsOf(value: unknown, own: SortKey): SortKey[] | undefined {
    const found: SortKey[] = []
    let elements = 0
    for (const reached of reachedBy(value, this.#paths[0]!)) {
      if (Array.isArray(reached)) elements += reached.length
      if (elements > ELEMENTS_MAX || found.length > 2 * ELEMENTS_MAX) return undefined
      if (Array.isArray(reached)) found.push(...reached.map(sortKeyOf))
      found.push(sortKeyOf(reached))
    }
    return distinctFrom(own, found)
  }

  #insert(number: number): void {
    const building = this.#building
    if (building === undefined) {
      this.#sorted.add(number)
      return
    }
    if (building.count === building.numbers.length) {
      const { numbers } = building
      building.numbers = new Uint32Array(2 * building.count + 1)
      building.numbers.set(numbers)
    }
    building.numbers[building.count] = number
    building.count += 1
  }

  #remove(entry: number): void {
    this.#sorted.remove(entry)
    for (const number of this.#columns.elementsOf(entry)) this.#sorted.remove(number)
    this.#columns.clear(entry)
    this.#crowded.delete(entry)
  }

  /** The places of the sorted numbers to walk through: from the first one, and up to the second one. */
  #stretch({ within, backwards, after }: IndexWalk): readonly [number, number] {
    const [columns, sorted] = [this.#columns, this.#sorted]
    const bounds = within.map(boundsOf)
    const from = bounds.length === 0 ? 0 : sorted.countBefore((number) => columns.relation(number, 0, bounds) < 0)
    const to =
      bounds.length === 0 ? sorted.size : sorted.countBefore((number) => columns.relation(number, 0, bounds) <= 0)
    if (after === undefined) return [from, to]
    const place = after.sort.map(({ rank, payload }) => boundsOf({ rank, low: payload, high: payload }))
    const compare = (number: number): number =>
      columns.relation(number, after.part, place) || compareText(this.#keyOf(number), after.key)
    const before = sorted.countBefore((number) => (backwards ? compare(number) < 0 : compare(number) <= 0))
    return backwards ? [from, Math.min(to, before)] : [Math.max(from, before), to]
  }

  #compare(one: number, other: number): number {
    const order = this.#columns.compare(one, other)
    return order !== 0 ? order : compareText(this.#keyOf(one), this.#keyOf(other)) || one - other
  }

  /** While the index is built, the key is the one that the entry had when it was read. */
  #keyOf(number: number): string {
    const entry = this.#columns.entryOf(number)
    return this.#building === undefined ? this.#source.key(entry) : this.#building.keys.get(entry)
  }
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

/** Without `own`, and without what comes twice. */
function distinctFrom(own: SortKey, found: readonly SortKey[]): SortKey[] {
  const sorted = found.filter((each) => compareSortKeys(each, own) !== 0).toSorted(compareSortKeys)
  return sorted.filter((each, i) => i === 0 || compareSortKeys(each, sorted[i - 1]!) !== 0)
}
