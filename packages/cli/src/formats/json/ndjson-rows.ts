import { JsonError, placeIn } from './json-fault.ts'
import { byteLines } from './lines.ts'
import { TaggedJsonError, checkTags, parseExact } from './tagged-json.ts'
import { ROW_MAX_BYTES, rowOf } from './row.ts'
import type { Row, RowShape } from './row.ts'

/** Rows of NDJSON: one object a line. Empty lines are passed over. */
export async function* ndjsonRows(
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  let line = 0
  for await (const bytes of byteLines(source, ROW_MAX_BYTES)) {
    line += 1
    if (bytes === undefined) {
      yield { line, column: '', reason: `is longer than ${ROW_MAX_BYTES} bytes` }
      continue
    }
    const row = parsedRow(bytes, shape, line)
    if (row !== undefined) yield row
  }
}

/** Where in the source the bytes of a row begin. */
export interface RowStart {
  readonly line: number
  readonly column: number
}

/** The row in these bytes, which is reported by its `line`; undefined where there is nothing but space. */
export function parsedRow(
  bytes: Uint8Array,
  shape: RowShape,
  line: number,
  start: RowStart = { line, column: 1 },
): Row | undefined {
  let whole: string
  try {
    whole = decoder.decode(bytes)
  } catch {
    return { line, column: '', reason: 'is not UTF-8' }
  }
  const text = whole.trim()
  if (text === '') return undefined
  try {
    const parsed = parseExact(text)
    checkTags(parsed)
    return rowOf(parsed, shape, line, bytes.length)
  } catch (error) {
    if (error instanceof JsonError) return noJson(whole, error, start)
    const column = error instanceof TaggedJsonError ? error.path.join('.') : ''
    return { line, column, reason: (error as Error).message }
  }
}

/** The row by the line in which it stops being JSON. */
function noJson(whole: string, { index, words }: JsonError, start: RowStart): Row {
  const before = whole.length - whole.trimStart().length
  const { line, column } = placeIn(whole, before + index)
  const inSource = line === 1 ? start.column + column - 1 : column
  return { line: start.line + line - 1, column: '', reason: `is no JSON at column ${inSource}: ${words}` }
}

// Not fatal bytes are a bad row, never a quietly changed one. A byte order mark is taken away.
const decoder = new TextDecoder('utf-8', { fatal: true })
