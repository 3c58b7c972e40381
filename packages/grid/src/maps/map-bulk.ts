import { misfit } from '../batches/checks.ts'
import type { BulkTarget } from '../bulk/bulk-target.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import type { MapEntries } from './map-entries.ts'

/** Rows of one object that are deleted in one piece. */
const DELETES_MAX = 500

interface PlannedEntry {
  readonly key: string
  readonly content: Uint8Array
}

/** Sets many entries of a map. `expiresAtMs` returns when an entry that is written now expires. */
export function settingEntries(
  entries: MapEntries,
  expiresAtMs: () => number,
): BulkTarget<readonly [string, unknown], PlannedEntry> {
  return {
    plan(entry) {
      if (!Array.isArray(entry) || entry.length !== 2) {
        throw misfit('an entry', 'an array of two, the key and the value', entry)
      }
      const [key, value]: readonly unknown[] = entry
      entries.checkKey(key)
      return { key, content: entries.encode(value) }
    },
    sizeBytes: ({ key, content }) => key.length + content.length,
    pieces: ({ key, content }) => [entries.checked(entries.layout.rows(key, content, expiresAtMs()))],
    calls: { order: entries.order, slotsOf: ({ key }) => entries.layout.slotsOf(key) },
  }
}

/** Deletes many entries of a map. */
export function deletingEntries(entries: MapEntries): BulkTarget<string, string> {
  return {
    plan: (key) => key,
    sizeBytes: (key) => key.length,
    pieces: (key) => piecesOf(entries.layout.rows(key, undefined, Infinity)),
    calls: { order: entries.order, afterEarlier: true, slotsOf: (key) => entries.layout.slotsOf(key) },
  }
}

/** Splits the rows of an object. Only several peers together can make an object of so many rows. */
export function* piecesOf(rows: readonly RowWrite[]): Generator<readonly RowWrite[], void, undefined> {
  for (let i = 0; i < rows.length; i += DELETES_MAX) yield rows.slice(i, i + DELETES_MAX)
}
