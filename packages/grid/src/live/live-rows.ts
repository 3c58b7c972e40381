import { SortedNumbers } from '../indexes/sorted-numbers.ts'
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

/** The rows that match, in order: in small chunks, since to insert into one array of 100,000 rows would move most of them. */
export class LiveRows {
  readonly #order: RowOrder
  /** An array, since it is read for every row that is shown. */
  readonly #byEntry: (LiveRow | undefined)[] = []
  readonly #sorted = new SortedNumbers((one, other) =>
    comparePositions(this.#order, this.#byEntry[one]!, this.#byEntry[other]!),
  )

  /** `rows` are in order. */
  constructor(order: RowOrder, rows: readonly FoundRow[]) {
    this.#order = order
    for (const row of rows) this.#byEntry[row.entry] = liveRow(row)
    this.#sorted.load(Uint32Array.from(rows, ({ entry }) => entry))
  }

  get count(): number {
    return this.#sorted.size
  }

  ofEntry(entry: number): LiveRow | undefined {
    return this.#byEntry[entry]
  }

  /** The rows from one index up to another one, which is left out. */
  between(from: number, to: number): LiveRow[] {
    const rows: LiveRow[] = []
    this.#sorted.walk(from, Math.min(to, this.count), false, (entry) => rows.push(this.#byEntry[entry]!) > 0)
    return rows
  }

  /** The index of a row, or where it would be. */
  indexOf(row: Position): number {
    return this.#sorted.countBefore((entry) => comparePositions(this.#order, this.#byEntry[entry]!, row) < 0)
  }

  /** Takes out the row of an entry. Returns where it was. */
  remove(row: LiveRow): number {
    const index = this.indexOf(row)
    this.#sorted.remove(row.entry)
    this.#byEntry[row.entry] = undefined
    return index
  }

  /** Returns the row and where it is. */
  insert(found: FoundRow): { readonly row: LiveRow; readonly index: number } {
    const row = liveRow(found)
    this.#add(row)
    return { row, index: this.indexOf(row) }
  }

  #add(row: LiveRow): void {
    this.#byEntry[row.entry] = row
    this.#sorted.add(row.entry)
  }
}

function liveRow({ key, sort, entry }: FoundRow): LiveRow {
  return { key, sort, entry, shown: undefined }
}
