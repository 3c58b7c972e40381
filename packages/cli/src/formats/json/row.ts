import { isTime } from './tagged-json.ts'

/** How the cells of a column of CSV are read. */
export type CellType = 'text' | 'number' | 'boolean' | 'date' | 'json'

/** One row of an import, read or not. */
export type Row = GoodRow | BadRow

/** What a row is: an entry of a map, an element of a set, or the value of a counter. */
export type RowKind = 'entry' | 'element' | 'counter'

export interface GoodRow {
  readonly kind: RowKind
  /** Of an element, its JSON; of a counter, ''. */
  readonly key: string
  /** Tagged JSON. */
  readonly value: unknown
  /** When the entry expires: milliseconds of wall time. */
  readonly expiresAtMs?: number
  /** Where it begins in the source, from 1. */
  readonly line: number
  readonly sizeBytes: number
}

export interface BadRow {
  readonly line: number
  readonly column: string
  readonly reason: string
}

/** Which part of a row is the key, and how the others are read. */
export interface RowShape {
  /** The column or field with the key; undefined: `key`, with the value in `value`, in NDJSON and JSON. */
  readonly keyColumn: string | undefined
  /** CSV: how each column is read. Columns that are not in it are text. */
  readonly types?: ReadonlyMap<string, CellType>
}

/** The longest row that is imported: one of the largest value fits, however it is written in JSON. */
export const ROW_MAX_BYTES: number = (32 * 1024 - 64) * 1024

const ENTRY_FIELDS: ReadonlySet<string> = new Set(['key', 'value', 'expiresAt'])

/** The row that an object of NDJSON or JSON describes. */
export function rowOf(parsed: unknown, shape: RowShape, line: number, sizeBytes: number): Row {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { line, column: '', reason: 'is no object' }
  }
  const { keyColumn } = shape
  const object = parsed as Record<string, unknown>
  const [only = '', ...others] = Object.keys(object)
  if (keyColumn === undefined && others.length === 0 && (only === 'element' || only === 'counter')) {
    const value = object[only]
    return { kind: only, key: only === 'element' ? JSON.stringify(value) : '', value, line, sizeBytes }
  }
  const field = keyColumn ?? 'key'
  if (!Object.hasOwn(object, field)) return { line, column: field, reason: 'is missing' }
  const named = object[field]
  const key = typeof named === 'number' ? String(named) : named
  if (typeof key !== 'string') return { line, column: field, reason: 'is no text and no number' }
  if (keyColumn !== undefined) {
    const { [keyColumn]: _, ...value } = object
    return { kind: 'entry', key, value, line, sizeBytes }
  }
  const extra = Object.keys(object).find((name) => !ENTRY_FIELDS.has(name))
  if (!Object.hasOwn(object, 'value')) return { line, column: 'value', reason: 'is missing' }
  if (extra !== undefined) {
    return { line, column: extra, reason: 'is neither key, value nor expiresAt; name the key with --key-column' }
  }
  try {
    const expiry = Object.hasOwn(object, 'expiresAt') ? expiryOf(object['expiresAt']) : {}
    return { kind: 'entry', key, value: object['value'], ...expiry, line, sizeBytes }
  } catch (error) {
    return { line, column: 'expiresAt', reason: (error as Error).message }
  }
}

/** Throws `SyntaxError` for what is no time. */
export function expiryOf(written: unknown): { readonly expiresAtMs: number } {
  if (typeof written === 'string' && isTime(written)) return { expiresAtMs: Date.parse(written) }
  throw new SyntaxError('is no time such as 2026-01-31T12:00:00.000Z')
}
