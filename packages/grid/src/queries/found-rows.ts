import type { TimeSlices } from '../flow/time-slices.ts'
import { comparePositions } from './row-order.ts'
import type { Position, RowOrder } from './row-order.ts'

/** Rows are sorted in runs of so many, which are then merged. */
const RUN_ROWS = 2048
/** Rows that are kept beyond the limit, for those that change while the query runs. */
const SPARE_ROWS = 256

/** A row that matches. The value is decoded only when it is needed. */
export interface FoundRow extends Position {
  readonly entry: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly value: unknown
}

/** The first rows in an order, of all that are found. With a small limit, those that come too late are let go. */
export class FoundRows {
  readonly #order: RowOrder
  readonly #keptMax: number
  #rows: FoundRow[] = []
  #end: Position | undefined

  constructor(order: RowOrder, limit: number) {
    this.#order = order
    this.#keptMax = limit + SPARE_ROWS <= RUN_ROWS ? limit + SPARE_ROWS : Infinity
  }

  get count(): number {
    return this.#rows.length
  }

  /** Rows after it were not kept. */
  get end(): Position | undefined {
    return this.#end
  }

  /** The walk has ended at this row, and says nothing of later ones. */
  endAt(position: Position): void {
    this.#end = position
  }

  add(row: FoundRow): void {
    if (this.#end !== undefined && comparePositions(this.#order, row, this.#end) > 0) return
    this.#rows.push(row)
    if (this.#rows.length < 2 * this.#keptMax) return
    this.#rows.sort((one, other) => comparePositions(this.#order, one, other))
    this.#rows.length = this.#keptMax
    this.#end = this.#rows.at(-1)
  }

  /** Takes the rows of entries out again. */
  forget(entries: ReadonlySet<number>): void {
    this.#rows = this.#rows.filter(({ entry }) => !entries.has(entry))
  }

  /** All rows in order. */
  async sorted(slices: TimeSlices): Promise<readonly FoundRow[]> {
    const compare = (one: FoundRow, other: FoundRow): number => comparePositions(this.#order, one, other)
    let runs: FoundRow[][] = []
    for (let from = 0; from < this.#rows.length; from += RUN_ROWS) {
      runs.push(this.#rows.slice(from, from + RUN_ROWS).sort(compare))
      if (from > 0) await slices.next()
    }
    while (runs.length > 1) {
      const merged: FoundRow[][] = []
      for (let i = 0; i < runs.length; i += 2) merged.push(await merge(runs[i]!, runs[i + 1] ?? [], compare, slices))
      runs = merged
    }
    return runs[0] ?? []
  }
}

async function merge<Row>(
  one: readonly Row[],
  other: readonly Row[],
  compare: (one: Row, other: Row) => number,
  slices: TimeSlices,
): Promise<Row[]> {
  const merged: Row[] = []
  for (let i = 0, j = 0; i < one.length || j < other.length;) {
    const isFirst = j === other.length || (i < one.length && compare(one[i]!, other[j]!) <= 0)
    merged.push(isFirst ? one[i++]! : other[j++]!)
    if (slices.isOver(merged.length)) await slices.next()
  }
  return merged
}
