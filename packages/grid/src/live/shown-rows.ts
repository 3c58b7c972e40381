import type { QueryRow } from '../queries/query.ts'

/** Nothing is known of the rows. */
const UNKNOWN = -1
/** Changes that are made in a copy of the last array. With more of them, a new one is made. */
const EDITS_MAX = 100

/** A row that was taken out, or put in. */
interface Edit {
  readonly at: number
  readonly row: ShownRow | undefined
}

/** A row that matches, and as which object it is shown. */
interface ShownRow {
  readonly shown: QueryRow<unknown> | undefined
}

/**
 * The rows of a live query as one frozen array, until they change. A change of one row makes a copy of the last array with the new row in it:
 * to go through 100,000 rows takes a hundred times as long.
 */
export class ShownRows {
  readonly #limit: number
  #last: readonly (QueryRow<unknown> | undefined)[] | undefined
  #edits: Edit[] = []
  /** So many of the first rows are those of the last array with the edits. */
  #known = UNKNOWN
  #hasChanged = false

  constructor(limit: number) {
    this.#limit = limit
  }

  removed(at: number): void {
    if (at >= this.#known) return
    this.#known -= 1
    this.#edit({ at, row: undefined })
  }

  inserted(at: number, row: ShownRow): void {
    if (at > this.#known || at >= this.#limit) return
    this.#known = Math.min(this.#known + 1, this.#limit)
    this.#edit({ at, row })
  }

  /** The array is another one from now on. */
  changed(): void {
    this.#hasChanged = true
  }

  /** `rowsFrom` gives the rows from an index on, up to the limit. */
  rows(rowsFrom: (index: number) => readonly QueryRow<unknown>[]): readonly QueryRow<unknown>[] {
    if (this.#last === undefined || this.#hasChanged) {
      const rows = this.#edited()
      for (const row of rowsFrom(rows.length)) rows.push(row)
      this.#last = Object.freeze(rows)
      this.#known = rows.length
      this.#edits = []
      this.#hasChanged = false
    }
    return this.#last as readonly QueryRow<unknown>[]
  }

  #edited(): (QueryRow<unknown> | undefined)[] {
    if (this.#last === undefined || this.#known === UNKNOWN) return []
    // Of a frozen array, `slice` takes twice as long.
    const rows = [...this.#last]
    for (let i = 0; i < this.#edits.length; i++) {
      const { at, row } = this.#edits[i]!
      const next = this.#edits[i + 1]
      if (row !== undefined) rows.splice(at, 0, row.shown)
      else if (next?.row === undefined || next.at !== at) rows.splice(at, 1)
      else {
        rows[at] = next.row.shown
        i += 1
      }
      if (rows.length > this.#limit) rows.pop()
    }
    return rows
  }

  #edit(edit: Edit): void {
    this.#edits.push(edit)
    if (this.#edits.length <= EDITS_MAX) return
    this.#edits = []
    this.#known = UNKNOWN
  }
}
