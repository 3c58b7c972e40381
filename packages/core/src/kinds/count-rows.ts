import { compositeKey, splitKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { left, largest, readShare } from './shares.ts'
import type { Share } from './shares.ts'

/** Between the slot that counts and the slot of the peer that has seen its count and deleted it. */
const DELETER_MARK = '-'

/** The row of a slot that has counted under a key. */
export interface CountRow {
  /** The key of the row. */
  readonly rowKey: string
  /** Its slot. */
  readonly slot: string
  /** The version of the row. Undefined where only its writer knows the row. */
  readonly hlc: number | undefined
  /** What the slot has counted. */
  readonly share: Share
}

/** What the rows of one key say. */
export interface CountRows {
  /** The slots that are there. */
  readonly counts: readonly CountRow[]
  /** How much deletes had seen of a slot, by the key of its row. */
  readonly seen: ReadonlyMap<string, Share>
}

/** The key of the row in which a deleter says how much it has seen of a slot. */
export function deleteRowKey(rowKey: string, deleter: string): string {
  return `${rowKey}${DELETER_MARK}${deleter}`
}

/** The key of the slot's row that a delete's row is about; undefined for other rows. */
export function deletedRow(rowKey: string): string | undefined {
  const { main, sub = '' } = splitKey(rowKey)
  const at = sub.indexOf(DELETER_MARK)
  return at < 0 ? undefined : compositeKey(main, sub.slice(0, at))
}

/** Reads the rows of one key, tombstones among them. */
export function countRows(rows: Iterable<Readonly<Row>>): CountRows {
  const counts: CountRow[] = []
  const seen = new Map<string, Share>()
  for (const { key, hlc, bytes, start, end } of rows) {
    if (bytes === undefined) continue
    const share = readShare(bytes.subarray(start, end))
    const of = deletedRow(key)
    if (of !== undefined) seen.set(of, largest(seen.get(of), share))
    else counts.push({ rowKey: key, slot: splitKey(key).sub ?? '', hlc, share })
  }
  return { counts, seen }
}

/** What all slots have counted, less what deletes had seen of them. Undefined if nothing is left. */
export function sumOf({ counts, seen }: CountRows): bigint | undefined {
  const parts = counts.map(({ rowKey, share }) => left(share, seen.get(rowKey))).filter(({ slots }) => slots > 0)
  return parts.length === 0 ? undefined : parts.reduce((sum, { net }) => sum + net, 0n)
}
