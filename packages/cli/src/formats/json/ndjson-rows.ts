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

/** The row in these bytes, undefined where there is nothing but space. */
export function parsedRow(bytes: Uint8Array, shape: RowShape, line: number): Row | undefined {
  let text: string
  try {
    text = decoder.decode(bytes).trim()
  } catch {
    return { line, column: '', reason: 'is not UTF-8' }
  }
  if (text === '') return undefined
  try {
    const parsed = parseExact(text)
    checkTags(parsed)
    return rowOf(parsed, shape, line, bytes.length)
  } catch (error) {
    const column = error instanceof TaggedJsonError ? error.path.join('.') : ''
    return { line, column, reason: (error as Error).message }
  }
}

// Not fatal bytes are a bad row, never a quietly changed one. A byte order mark is taken away.
const decoder = new TextDecoder('utf-8', { fatal: true })
