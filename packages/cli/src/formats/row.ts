/** One row of an import, read or not. */
export type Row = GoodRow | BadRow

export interface GoodRow {
  readonly key: string
  /** Tagged JSON. */
  readonly value: unknown
  /** Where it stands in the source, from 1. */
  readonly line: number
  readonly sizeBytes: number
}

export interface BadRow {
  readonly line: number
  readonly column: string
  readonly reason: string
}

/** Which part of a row is the key. */
export interface RowShape {
  /** The column or field with the key; undefined: `key`, with the value in `value`, in NDJSON and JSON. */
  readonly keyColumn: string | undefined
  /** CSV: take all cells as text. */
  readonly strings: boolean
}

/** The longest row that is imported: one of the largest value fits, however it is written in JSON. */
export const ROW_MAX_BYTES: number = (32 * 1024 - 64) * 1024

/** The row that an object of NDJSON or JSON describes. */
export function rowOf(parsed: unknown, shape: RowShape, line: number, sizeBytes: number): Row {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { line, column: '', reason: 'is no object' }
  }
  const { keyColumn } = shape
  const object = parsed as Record<string, unknown>
  const field = keyColumn ?? 'key'
  if (!Object.hasOwn(object, field)) return { line, column: field, reason: 'is missing' }
  const named = object[field]
  const key = typeof named === 'number' ? String(named) : named
  if (typeof key !== 'string') return { line, column: field, reason: 'is no text and no number' }
  if (keyColumn !== undefined) {
    const { [keyColumn]: _, ...value } = object
    return { key, value, line, sizeBytes }
  }
  const extra = Object.keys(object).find((name) => name !== 'key' && name !== 'value')
  if (!Object.hasOwn(object, 'value')) return { line, column: 'value', reason: 'is missing' }
  if (extra !== undefined) {
    return { line, column: extra, reason: 'is neither key nor value; name the key with --key-column' }
  }
  return { key, value: object['value'], line, sizeBytes }
}
