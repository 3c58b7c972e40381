import { comparePositions } from '../queries/row-order.ts'
import type { Position, RowOrder } from '../queries/row-order.ts'
import type { FoundRow } from '../queries/found-rows.ts'
import type { QueryRow } from '../queries/query.ts'

/** A row that matches. It has no bytes: they would keep the memory alive that they are a part of. */
export interface LiveRow extends Position {
  readonly entry: number
  /** As it is shown. Undefined for a row beyond the limit. */
  shown: QueryRow<unknown> | undefined
}

/** The rows that match, in order. */
export class LiveRows {
  readonly #order: RowOrder
  readonly #rows: LiveRow[]
  readonly #byEntry = new Map<number, LiveRow>()

  /** `rows` are in order. */
  constructor(order: RowOrder, rows: readonly FoundRow[]) {
    this.#order = order
    this.#rows = rows.map(liveRow)
    for (const row of this.#rows) this.#byEntry.set(row.entry, row)
  }

  get count(): number {
    return this.#rows.length
  }

  ofEntry(entry: number): LiveRow | undefined {
    return this.#byEntry.get(entry)
  }

  at(index: number): LiveRow | undefined {
    return this.#rows[index]
  }

  first(count: number): readonly LiveRow[] {
    return this.#rows.slice(0, count)
  }

  /** The index of a row, or where it would be. */
  indexOf(row: Position): number {
    let low = 0
    let high = this.#rows.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (comparePositions(this.#order, this.#rows[middle]!, row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Takes out the row of an entry. Returns where it was. */
  remove(row: LiveRow): number {
    const index = this.indexOf(row)
    this.#rows.splice(index, 1)
    this.#byEntry.delete(row.entry)
    return index
  }

  /** Returns the row and where it is. */
  insert(found: FoundRow): { readonly row: LiveRow; readonly index: number } {
    const row = liveRow(found)
    const index = this.indexOf(row)
    this.#rows.splice(index, 0, row)
    this.#byEntry.set(row.entry, row)
    return { row, index }
  }

  /** Takes out the last row. */
  cut(): LiveRow {
    const row = this.#rows.pop()!
    this.#byEntry.delete(row.entry)
    return row
  }
}

function liveRow({ key, sort, entry }: FoundRow): LiveRow {
  return { key, sort, entry, shown: undefined }
}
