import type { TimeSlices } from '../../flow/time-slices.ts'
import type { Interval } from '../../ordering/interval.ts'
import { ARRAY } from '../../ordering/value-order.ts'
import type { Payload, SortKey } from '../../ordering/value-order.ts'
import { SortColumn, weightOf } from './sort-column.ts'

/** Numbers from this one on stand for elements of an array, and smaller ones for entries. */
const ELEMENTS = 0x8000_0000

/** An end of a stretch, with its weight. */
interface Bound {
  readonly payload: Payload
  readonly weight: number
}

/** An interval, to compare many numbers with. */
export interface Bounds {
  readonly rank: number
  readonly low: Bound | undefined
  readonly high: Bound | undefined
}

export function boundsOf({ rank, low, high }: Interval): Bounds {
  const lower = boundOf(low)
  return { rank, low: lower, high: high === low ? lower : boundOf(high) }
}

function boundOf(payload: Payload | undefined): Bound | undefined {
  return payload === undefined ? undefined : { payload, weight: weightOf(payload) }
}

/**
 * What an index has of its entries: a column of sort keys for each path, and, in an index on a single path, one for the elements of
 * arrays. A number is that of an entry, or stands for an element.
 */
export class IndexColumns {
  readonly #columns: readonly SortColumn[]
  /** How many entries have an array at each path. */
  readonly #arrays: number[]
  readonly #elements: SortColumn = new SortColumn()
  /** By element. */
  readonly #entries: number[] = []
  readonly #freeElements: number[] = []
  readonly #elementsOf = new Map<number, number[]>()

  /** `capacity`: for how many entries there is room at once. */
  constructor(paths: number, capacity: number) {
    this.#columns = Array.from({ length: paths }, () => new SortColumn(capacity))
    this.#arrays = this.#columns.map(() => 0)
  }

  has(entry: number): boolean {
    return this.#columns[0]!.has(entry)
  }

  hasArrays(part: number): boolean {
    return this.#arrays[part]! > 0
  }

  /** Whether a number is that of an element. */
  isElement(number: number): boolean {
    return number >= ELEMENTS
  }

  /** The entry that a number is of. */
  entryOf(number: number): number {
    return number < ELEMENTS ? number : this.#entries[number - ELEMENTS]!
  }

  /** The numbers of an entry's elements. */
  elementsOf(entry: number): readonly number[] {
    return this.#elementsOf.get(entry) ?? []
  }

  /** Whether an entry has these sort keys. */
  isAt(entry: number, sort: readonly SortKey[]): boolean {
    for (let part = 0; part < sort.length; part++) {
      const { rank, payload } = sort[part]!
      if (!this.#columns[part]!.is(entry, rank, payload)) return false
    }
    return true
  }

  /** Keeps the sort keys of an entry that has none. */
  set(entry: number, sort: readonly SortKey[]): void {
    for (let part = 0; part < sort.length; part++) {
      const { rank, payload } = sort[part]!
      this.#columns[part]!.set(entry, rank, payload)
      if (rank === ARRAY) this.#arrays[part]! += 1
    }
  }

  /** Adds an element of an entry. Returns its number. */
  addElement(entry: number, { rank, payload }: SortKey): number {
    const place = this.#freeElements.pop() ?? this.#entries.length
    this.#elements.set(place, rank, payload)
    this.#entries[place] = entry
    const numbers = this.#elementsOf.get(entry)
    if (numbers === undefined) this.#elementsOf.set(entry, [ELEMENTS + place])
    else numbers.push(ELEMENTS + place)
    return ELEMENTS + place
  }

  /** Takes out an entry with its elements. */
  clear(entry: number): void {
    for (let part = 0; part < this.#columns.length; part++) {
      const column = this.#columns[part]!
      if (column.rank(entry) === ARRAY) this.#arrays[part]! -= 1
      column.clear(entry)
    }
    if (this.#elementsOf.size === 0) return
    for (const number of this.elementsOf(entry)) {
      this.#elements.clear(number - ELEMENTS)
      this.#freeElements.push(number - ELEMENTS)
    }
    this.#elementsOf.delete(entry)
  }

  /** The sort keys of a number. */
  sortOf(number: number): SortKey[] {
    if (number >= ELEMENTS) return [sortKeyIn(this.#elements, number - ELEMENTS)]
    return this.#columns.map((column) => sortKeyIn(column, number))
  }

  /** Compares the sort keys of two numbers. */
  compare(one: number, other: number): number {
    if (one >= ELEMENTS || other >= ELEMENTS) return this.#compareElements(one, other)
    const columns = this.#columns
    for (let part = 0; part < columns.length; part++) {
      const column = columns[part]!
      const order = SortColumn.compare(column, one, column, other)
      if (order !== 0) return order
    }
    return 0
  }

  /**
   * Of each of these numbers the weight at the first path, in turns of the event loop. All are 0 if not all values are of one type: then
   * weights say nothing.
   */
  async weightsOf(numbers: Uint32Array, slices: TimeSlices): Promise<Float64Array> {
    const weights = new Float64Array(numbers.length)
    let rank: number | undefined
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!
      const column = number < ELEMENTS ? this.#columns[0]! : this.#elements
      const place = number < ELEMENTS ? number : number - ELEMENTS
      rank ??= column.rank(place)
      if (column.rank(place) !== rank) return weights.fill(0)
      weights[i] = column.weight(place)
      if (slices.isOver(i)) await slices.next()
    }
    return weights
  }

  /** Below 0 if a number comes before a stretch of the paths from `first` on, 0 within it, above 0 after it. */
  relation(number: number, first: number, within: readonly Bounds[]): number {
    const place = number < ELEMENTS ? number : number - ELEMENTS
    for (let i = 0; i < within.length; i++) {
      const { rank, low, high } = within[i]!
      const column = number < ELEMENTS ? this.#columns[first + i]! : this.#elements
      const byRank = column.rank(place) - rank
      if (byRank !== 0) return byRank
      const fromLow = low === undefined ? 0 : column.compareTo(place, low.payload, low.weight)
      if (fromLow < 0) return -1
      // A point, of which one comparison says all.
      if (low === high) {
        if (fromLow > 0) return 1
      } else if (high !== undefined && column.compareTo(place, high.payload, high.weight) > 0) return 1
    }
    return 0
  }

  #compareElements(one: number, other: number): number {
    const column = one < ELEMENTS ? this.#columns[0]! : this.#elements
    const otherColumn = other < ELEMENTS ? this.#columns[0]! : this.#elements
    const place = one < ELEMENTS ? one : one - ELEMENTS
    return SortColumn.compare(column, place, otherColumn, other < ELEMENTS ? other : other - ELEMENTS)
  }
}

function sortKeyIn(column: SortColumn, place: number): SortKey {
  return { rank: column.rank(place), payload: column.payload(place) }
}
