import type { Row } from '@gossipgrid/core'
import type { TimeSlices } from '../../flow/time-slices.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import type { FoundRow } from '../../queries/found-rows.ts'
import { comparePositions } from '../../queries/row-order.ts'
import type { Position } from '../../queries/row-order.ts'
import { RowTest } from '../../queries/run-query.ts'
import type { FoundEntry } from '../routed-entries.ts'
import { OneEntry } from '../../indexes/one-entry.ts'
import type { Part, PartKey } from './own-part.ts'

/** Makes the entry of a key from its rows. */
export type EntryOf = (key: string, rows: readonly Readonly<Row>[]) => FoundEntry

/** A row with the key that it comes from. */
export interface PartRow {
  readonly row: FoundRow
  readonly from: PartKey
}

/** Rows in order, up to a place behind which others may follow. */
export interface PartPage {
  readonly rows: readonly PartRow[]
  readonly end: Position | undefined
}

/** Tests the entries that peers give as rows of a query, and puts them in order: no peer is taken at its word. */
export class PartRows {
  readonly #query: CheckedQuery
  readonly #entryOf: EntryOf
  readonly #entry = new OneEntry()
  readonly #test: RowTest

  constructor(query: CheckedQuery, entryOf: EntryOf) {
    this.#query = query
    this.#entryOf = entryOf
    this.#test = new RowTest(this.#entry, query)
  }

  /** The row of a key, if it matches and is behind `after`, and not behind `end`. */
  rowOf(from: PartKey, end: Position | undefined): PartRow | undefined {
    const { order, after } = this.#query
    const content = from.picked?.content ?? this.#entryOf(from.key, from.rows).content
    if (content === undefined) return undefined
    this.#entry.set(from.key, content)
    const row = this.#test.rowOf(0)
    if (row === undefined || (after !== undefined && comparePositions(order, row, after) <= 0)) return undefined
    return end !== undefined && comparePositions(order, row, end) > 0 ? undefined : { row, from }
  }

  /** The first rows of all parts together, each key once. */
  async page(parts: readonly Part[], more: readonly PartKey[], slices: TimeSlices): Promise<PartPage> {
    const { order, limit } = this.#query
    const ends = parts.flatMap(({ end }) => (end === undefined ? [] : [end]))
    const first = ends.reduce<Position | undefined>(
      (least, each) => (least === undefined || comparePositions(order, each, least) < 0 ? each : least),
      undefined,
    )
    const rows = new Map<string, PartRow>()
    let step = 0
    for (const keys of [...parts.map((part) => part.keys), more]) {
      for (const from of keys) {
        const row = this.rowOf(from, first)
        // A later read of the key counts.
        if (row === undefined) rows.delete(from.key)
        else rows.set(from.key, row)
        if (slices.isOver(step++, this.#test.work)) await slices.next()
      }
    }
    // At most a page of each peer.
    const sorted = [...rows.values()].sort((one, other) => comparePositions(order, one.row, other.row))
    const page = sorted.slice(0, limit)
    return { rows: page, end: sorted.length > limit ? page.at(-1)!.row : first }
  }
}
