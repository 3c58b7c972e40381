import { decodeValue } from '@gossipgrid/core'
import { FieldReader } from '../ordering/field-reader.ts'
import type { Interval } from '../ordering/interval.ts'
import { pathOf, reachedBy, sortKeyAt } from '../ordering/paths.ts'
import type { Path } from '../ordering/paths.ts'
import { ARRAY, comparePayloads, compareSortKeys, sortKeyOf } from '../ordering/value-order.ts'
import type { Payload, SortKey } from '../ordering/value-order.ts'
import { noContent } from './entry-source.ts'
import type { EntrySource } from './entry-source.ts'
import { SortedNumbers } from './sorted-numbers.ts'

/** In the column of ranks: no such entry. */
const ABSENT = 255
/** Numbers from this one on stand for elements of an array, and smaller ones for entries. */
const ELEMENTS = 0x8000_0000
/** Of an array with more elements, only the array is in the index. */
const ELEMENTS_MAX = 1000
const ENTRIES_FIRST = 1024

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

/** What an index has of one path: the sort keys of the entries, by entry. */
interface Column {
  ranks: Uint8Array
  payloads: Payload[]
}

/** An element of an array, in an index on a single path. */
interface Elements {
  readonly ranks: number[]
  readonly payloads: Payload[]
  readonly entries: number[]
  readonly free: number[]
  readonly ofEntry: Map<number, readonly number[]>
}

/**
 * The entries of a map in the order of one or more paths, then of keys. An index on one path also has an entry for each element
 * of an array. Takes about 15 bytes for each entry besides its text, of which equal ones are kept once.
 */
export class MapIndex {
  readonly names: readonly string[]
  readonly #source: EntrySource
  readonly #paths: readonly Path[]
  readonly #readers: readonly FieldReader[]
  readonly #columns: readonly Column[]
  readonly #elements: Elements = { ranks: [], payloads: [], entries: [], free: [], ofEntry: new Map() }
  readonly #sorted = new SortedNumbers((one, other) => this.#compare(one, other))
  readonly #content = noContent()
  /** Entries with an array at each path. */
  readonly #arrays: number[]
  /** Entries with an array whose elements are too many. */
  readonly #crowded = new Set<number>()

  constructor(source: EntrySource, names: readonly string[]) {
    this.#source = source
    this.names = names
    this.#paths = names.map(pathOf)
    this.#readers = this.#paths.map((path) => new FieldReader(path))
    this.#columns = names.map(() => ({ ranks: new Uint8Array(ENTRIES_FIRST).fill(ABSENT), payloads: [] }))
    this.#arrays = names.map(() => 0)
  }

  /** Entries and elements. */
  get size(): number {
    return this.#sorted.size
  }

  /** Whether entries can be looked up by what stands at this path. Not where the index lacks elements of arrays. */
  finds(part: number): boolean {
    return this.#arrays[part] === 0 || (this.names.length === 1 && this.#crowded.size === 0)
  }

  /** Whether one entry can match several points, and one entry several conditions at different points. */
  hasArrays(part: number): boolean {
    return this.#arrays[part]! > 0
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
      if (number < ELEMENTS) return visit(number, number)
      return walk.once || visit(this.#elements.entries[number - ELEMENTS]!, number)
    })
  }

  /** The place of a number that `walk` has visited. */
  placeOf(number: number): IndexPlace {
    const sort = this.names.map((_, part) => ({ rank: this.#rank(number, part), payload: this.#payload(number, part) }))
    return { part: 0, sort, key: this.#source.key(this.#entry(number)) }
  }

  /** Takes an entry as it is now. */
  update(entry: number): void {
    const isThere = this.#source.read(entry, this.#content)
    const wasThere = entry < this.#columns[0]!.ranks.length && this.#columns[0]!.ranks[entry] !== ABSENT
    if (!isThere) {
      if (wasThere) this.#remove(entry)
      return
    }
    const { bytes, start } = this.#content
    let isPlain = true
    let isSame = wasThere
    for (const [part, reader] of this.#readers.entries()) {
      isPlain &&= reader.read(bytes, start)
      isSame &&= isPlain && this.#isAt(entry, part, reader)
    }
    if (isSame) return
    if (wasThere) this.#remove(entry)
    if (isPlain) this.#add(entry, this.#readers)
    else this.#addDecoded(entry)
  }

  /** Gives back the memory that growing has left over. */
  trim(): void {
    for (const column of this.#columns) column.payloads = column.payloads.slice()
  }

  #isAt(entry: number, part: number, { rank, payload }: SortKey): boolean {
    const { ranks, payloads } = this.#columns[part]!
    return ranks[entry] === rank && payloads[entry] === payload
  }

  /** An entry with an array on one of the paths. */
  #addDecoded(entry: number): void {
    const { bytes, start, end } = this.#content
    const value = decodeValue(bytes.subarray(start, end))
    const sort = this.#paths.map((path) => sortKeyAt(value, path))
    this.#add(entry, sort)
    if (sort.length === 1 && sort[0]!.rank === ARRAY) this.#addElements(entry, value, sort[0]!)
  }

  #addElements(entry: number, value: unknown, own: SortKey): void {
    const found: SortKey[] = []
    let elements = 0
    for (const reached of reachedBy(value, this.#paths[0]!)) {
      if (Array.isArray(reached)) elements += reached.length
      if (elements > ELEMENTS_MAX || found.length > 2 * ELEMENTS_MAX) {
        this.#crowded.add(entry)
        break
      }
      if (Array.isArray(reached)) found.push(...reached.map(sortKeyOf))
      found.push(sortKeyOf(reached))
    }
    const { ranks, payloads, entries, free, ofEntry } = this.#elements
    const distinct = this.#crowded.has(entry) ? [] : distinctFrom(own, found)
    const numbers = distinct.map(({ rank, payload }) => {
      const place = free.pop() ?? ranks.length
      ranks[place] = rank
      payloads[place] = payload
      entries[place] = entry
      const number = ELEMENTS + place
      this.#sorted.add(number)
      return number
    })
    ofEntry.set(entry, numbers)
  }

  #add(entry: number, sort: readonly SortKey[]): void {
    for (const [part, { rank, payload }] of sort.entries()) {
      const column = this.#columns[part]!
      if (entry >= column.ranks.length) column.ranks = wider(column.ranks, entry)
      // A gap would turn the array into one that takes far more memory.
      while (column.payloads.length < entry) column.payloads.push(0)
      column.ranks[entry] = rank
      column.payloads[entry] = payload
      if (rank === ARRAY) this.#arrays[part]! += 1
    }
    const neighbour = this.#sorted.add(entry)
    if (neighbour === undefined || neighbour >= ELEMENTS) return
    // The same text, so that equal ones are kept once.
    for (const { payloads } of this.#columns)
      if (payloads[neighbour] === payloads[entry]) payloads[entry] = payloads[neighbour]!
  }

  #remove(entry: number): void {
    const numbers = this.#elements.ofEntry.get(entry)
    this.#sorted.remove(entry)
    for (const [part, { ranks, payloads }] of this.#columns.entries()) {
      if (ranks[entry] === ARRAY) this.#arrays[part]! -= 1
      ranks[entry] = ABSENT
      payloads[entry] = 0
    }
    for (const number of numbers ?? []) {
      this.#sorted.remove(number)
      this.#elements.payloads[number - ELEMENTS] = 0
      this.#elements.free.push(number - ELEMENTS)
    }
    this.#elements.ofEntry.delete(entry)
    this.#crowded.delete(entry)
  }

  /** The places of the sorted numbers to walk through: from the first one, and up to the second one. */
  #stretch({ within, backwards, after }: IndexWalk): readonly [number, number] {
    const sorted = this.#sorted
    const from = within.length === 0 ? 0 : sorted.countBefore((number) => this.#relation(number, within) < 0)
    const to = within.length === 0 ? sorted.size : sorted.countBefore((number) => this.#relation(number, within) <= 0)
    if (after === undefined) return [from, to]
    if (backwards)
      return [
        from,
        Math.min(
          to,
          sorted.countBefore((number) => this.#comparePlace(number, after) < 0),
        ),
      ]
    return [
      Math.max(
        from,
        sorted.countBefore((number) => this.#comparePlace(number, after) <= 0),
      ),
      to,
    ]
  }

  /** Below 0 if a number comes before the stretch, 0 within it, above 0 after it. */
  #relation(number: number, within: readonly Interval[]): number {
    for (const [part, { rank, low, high }] of within.entries()) {
      const byRank = this.#rank(number, part) - rank
      if (byRank !== 0) return byRank
      const payload = this.#payload(number, part)
      if (low !== undefined && comparePayloads(payload, low) < 0) return -1
      if (high !== undefined && comparePayloads(payload, high) > 0) return 1
    }
    return 0
  }

  #comparePlace(number: number, { part, sort, key }: IndexPlace): number {
    for (const [i, { rank, payload }] of sort.entries()) {
      const order = this.#rank(number, part + i) - rank || comparePayloads(this.#payload(number, part + i), payload)
      if (order !== 0) return order
    }
    const own = this.#source.key(this.#entry(number))
    return own < key ? -1 : own > key ? 1 : 0
  }

  #compare(one: number, other: number): number {
    for (let part = 0; part < this.#columns.length; part++) {
      const order =
        this.#rank(one, part) - this.#rank(other, part) ||
        comparePayloads(this.#payload(one, part), this.#payload(other, part))
      if (order !== 0) return order
    }
    const [key, otherKey] = [this.#source.key(this.#entry(one)), this.#source.key(this.#entry(other))]
    return key < otherKey ? -1 : key > otherKey ? 1 : one - other
  }

  #rank(number: number, part: number): number {
    return number < ELEMENTS ? this.#columns[part]!.ranks[number]! : this.#elements.ranks[number - ELEMENTS]!
  }

  #payload(number: number, part: number): Payload {
    return number < ELEMENTS ? this.#columns[part]!.payloads[number]! : this.#elements.payloads[number - ELEMENTS]!
  }

  #entry(number: number): number {
    return number < ELEMENTS ? number : this.#elements.entries[number - ELEMENTS]!
  }
}

function wider(ranks: Uint8Array, entry: number): Uint8Array {
  const grown = new Uint8Array(Math.ceil((entry + 1) * 1.25)).fill(ABSENT)
  grown.set(ranks)
  return grown
}

/** Without `own`, and without what comes twice. */
function distinctFrom(own: SortKey, found: readonly SortKey[]): SortKey[] {
  const sorted = found.filter((each) => compareSortKeys(each, own) !== 0).toSorted(compareSortKeys)
  return sorted.filter((each, i) => i === 0 || compareSortKeys(each, sorted[i - 1]!) !== 0)
}
