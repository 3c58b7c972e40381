import type { EntryTable, Row } from '../entries/entry-table.ts'
import { isSwept, lastingEnd } from '../entries/value-header.ts'

/** Orders two values of one version by their bytes; a tombstone is larger than any value. */
export function compareValues(row: Readonly<Row>, table: EntryTable, slot: number): number {
  const stored = table.value(slot)
  if (row.bytes === undefined) return stored === undefined ? 0 : 1
  if (stored === undefined) return -1
  // A value that has expired may be swept on one side only. It is the same version all the same.
  const date = lastingEnd(stored, 0, stored.length)
  const swept = isSwept(row.bytes, row.start, row.end) || table.deleted(slot)
  if (swept && lastingEnd(row.bytes, row.start, row.end) - row.start === date) {
    return compareBytes(row.bytes, row.start, row.start + date, stored, date)
  }
  return compareBytes(row.bytes, row.start, row.end, stored, stored.length)
}

/** Equal values are no conflict. */
export function hasSameValue(row: Readonly<Row>, table: EntryTable, slot: number): boolean {
  const stored = table.value(slot)
  if (row.bytes === undefined || stored === undefined) return row.bytes === stored
  return compareBytes(row.bytes, row.start, row.end, stored, stored.length) === 0
}

function compareBytes(bytes: Uint8Array, start: number, end: number, stored: Uint8Array, storedLength: number): number {
  const length = end - start
  if (length !== storedLength) return length - storedLength
  for (let i = 0; i < length; i++) {
    const order = bytes[start + i]! - stored[i]!
    if (order !== 0) return order
  }
  return 0
}
