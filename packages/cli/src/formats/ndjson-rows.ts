import { parseExact } from './tagged-json.ts'
import { ROW_MAX_BYTES, rowOf } from './row.ts'
import type { Row, RowShape } from './row.ts'

const LINE_FEED = 10

/** Rows of NDJSON: one object a line. Empty lines are passed over. */
export async function* ndjsonRows(
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  let line = 0
  for await (const bytes of splitLines(source)) {
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
    return rowOf(parseExact(text), shape, line, bytes.length)
  } catch (error) {
    return { line, column: '', reason: (error as Error).message }
  }
}

// Not fatal bytes are a bad row, never a quietly changed one. A byte order mark is taken away.
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Lines as bytes; undefined for one that is too long, which is passed over without being held. */
async function* splitLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | undefined, void, undefined> {
  let parts: Uint8Array[] = []
  let partBytes = 0
  let tooLong = false
  const take = (): Uint8Array | undefined => {
    const line = tooLong ? undefined : parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    parts = []
    partBytes = 0
    tooLong = false
    return line
  }
  const hold = (part: Uint8Array): void => {
    partBytes += part.length
    if (partBytes > ROW_MAX_BYTES) tooLong = true
    if (tooLong) parts = []
    else parts.push(part)
  }
  for await (const chunk of source) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      hold(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    if (start < chunk.length) hold(chunk.subarray(start))
  }
  if (partBytes > 0) yield take()
}
