import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CliError } from '../cli-error.ts'
import { visible } from '../terminal/visible.ts'
import { valueOfCell } from './cell.ts'
import { ROW_MAX_BYTES } from './row.ts'
import type { Row, RowShape } from './row.ts'

/** How much of a header an error shows. */
const COLUMNS_SHOWN_MAX = 20
const COLUMN_SHOWN_MAX_CHARACTERS = 64

/** The column of values that are no flat objects. */
export const VALUE_COLUMN = '$value'

interface ParsedRecord {
  readonly record: readonly string[]
  readonly info: { readonly lines: number; readonly bytes: number }
}

/**
 * Rows of CSV with a header. Rejects with `USAGE` for a header without the key, or with one name twice, and with `BAD_ROW`
 * where quotes are wrong, past which nobody can tell cells from the text between, and where the file is not UTF-8.
 */
export async function* csvRows(
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  const { CsvError, parse } = await import('csv-parse')
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: ROW_MAX_BYTES,
  })
  // The rejection also reaches the loop below, through the parser.
  pipeline(Readable.from(checkedText(source)), parser).catch(() => undefined)
  let header: Header | undefined
  let bytesBefore = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedRecord>) {
      if (header === undefined) header = new Header(record, shape)
      else yield header.row(record, info.lines, info.bytes - bytesBefore)
      bytesBefore = info.bytes
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = Number(error['lines'] ?? 0)
    throw new CliError(
      'BAD_ROW',
      `line ${line}: ${error.message}`,
      'Quotes inside of a quoted cell are doubled (""). Correct the file; --skip-bad cannot pass over wrong quotes.',
      { cause: error },
    )
  }
}

/**
 * The same bytes, as far as they are UTF-8. The library would put U+FFFD for others, and so make different keys one. A file
 * in UTF-16 begins with 0xff, and the library reads it by its byte order mark.
 */
async function* checkedText(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let firstByte: number | undefined
  let line = 1
  try {
    for await (const chunk of source) {
      firstByte ??= chunk[0]
      if (firstByte !== 0xff) line += decoder.decode(chunk, { stream: true }).split('\n').length - 1
      yield chunk
    }
    if (firstByte !== 0xff) decoder.decode()
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new CliError('BAD_ROW', `the file is not UTF-8, in line ${line} or after it`, 'Save it as UTF-8.', { cause })
  }
}

function shown(column: string): string {
  return visible(column.slice(0, COLUMN_SHOWN_MAX_CHARACTERS))
}

/** What the columns of a file mean. */
class Header {
  readonly #columns: readonly string[]
  readonly #key: number
  readonly #value: number
  readonly #strings: boolean

  constructor(columns: readonly string[], { keyColumn = 'key', strings }: RowShape) {
    const twice = columns.find((name, i) => columns.indexOf(name) !== i)
    if (twice !== undefined) throw new CliError('USAGE', `the header names the column '${visible(twice)}' twice`)
    this.#columns = columns
    this.#key = columns.indexOf(keyColumn)
    this.#value = columns.indexOf(VALUE_COLUMN)
    this.#strings = strings
    if (this.#key !== -1) return
    throw new CliError(
      'USAGE',
      `the header has no column '${keyColumn}'; it has: ${columns.slice(0, COLUMNS_SHOWN_MAX).map(shown).join(', ')}`,
      'Say which column holds the key with --key-column NAME.',
    )
  }

  row(cells: readonly string[], line: number, sizeBytes: number): Row {
    const columns = this.#columns
    if (cells.length !== columns.length) {
      return { line, column: '', reason: `has ${cells.length} cells, and the header has ${columns.length}` }
    }
    const key = cells[this.#key]!
    if (key === '') return { line, column: columns[this.#key]!, reason: 'is empty, and it is the key' }
    const whole = this.#value === -1 ? '' : cells[this.#value]!
    if (whole !== '') return { key, value: valueOfCell(whole), line, sizeBytes }
    const value: Record<string, unknown> = {}
    for (let i = 0; i < columns.length; i++) {
      if (i === this.#key || i === this.#value || cells[i] === '') continue
      if (columns[i] === '__proto__') return { line, column: '__proto__', reason: 'cannot be the name of a field' }
      value[columns[i]!] = this.#strings ? cells[i]! : valueOfCell(cells[i]!)
    }
    return { key, value, line, sizeBytes }
  }
}
