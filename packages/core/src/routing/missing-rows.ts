import type { Row } from '../entries/entry-table.ts'
import { compareRows } from './known-versions.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'

type Rows = readonly Readonly<Row>[]

/** Of each row the largest version that any of the copies has. */
export function largestOf(kind: number, ids: ReplicaIds, copies: readonly Rows[]): Rows {
  const largest = new Map<string, Readonly<Row>>()
  for (const row of copies.flat()) {
    const known = largest.get(row.key)
    if (known === undefined || compareRows(kind, ids, row, known) > 0) largest.set(row.key, row)
  }
  return [...largest.values()]
}

/**
 * The rows that a copy is behind by. A tombstone of which it has nothing is none of them: both say that there is no entry, and the
 * copy may have had the tombstone and purged it.
 */
export function missingIn(kind: number, ids: ReplicaIds, copy: Rows, largest: Rows): Rows {
  const has = new Map(copy.map((row) => [row.key, row]))
  return largest.filter((row) => {
    const known = has.get(row.key)
    return known === undefined ? row.bytes !== undefined : compareRows(kind, ids, row, known) > 0
  })
}
