import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { CsvError } from 'csv-parse'
import { CliError } from '../../cli-error.ts'
import { visible } from '../../terminal/visible.ts'
import { ROW_MAX_BYTES, expiryOf } from '../json/row.ts'
import type { CellType, Row, RowShape } from '../json/row.ts'
import { looksTagged } from '../json/tagged-json.ts'
import { valueOfCell } from './cell.ts'
import { CsvText } from './csv-text.ts'

/** How much of a header an error shows. */
const COLUMNS_SHOWN_MAX = 20
const COLUMN_SHOWN_MAX_CHARACTERS = 64

/** The column of values that are no flat objects. */
export const VALUE_COLUMN = '$value'
/** The column of the times at which entries expire. */
export const EXPIRY_COLUMN = '$expiresAt'

/** A record of CSV: the header, or the cells of a row. */
export interface CsvRecord {
  readonly cells: readonly string[]
  /** The line in which it begins, from 1. */
  readonly line: number
  readonly sizeBytes: number
}

interface ParsedRecord {
  readonly record: readonly string[]
  readonly info: { readonly bytes: number }
}

/**
 * Rows of CSV with a header. Rejects with `USAGE` for a header without the key, or with one name twice, and with `BAD_ROW`
 * where quotes are wrong, past which cells and the text between them cannot be distinguished, and where the file is not UTF-8.
 */
export async function* csvRows(
  source: AsyncIterable<Uint8Array>,
  shape: RowShape,
): AsyncGenerator<Row, void, undefined> {
  let header: CsvHeader | undefined
  for await (const record of csvRecords(source)) {
    if (header === undefined) header = new CsvHeader(record.cells, shape)
    else yield header.row(record)
  }
}

/** The records of CSV, the header first. A record ends at "\n", "\r\n" or "\r", whichever way the others end. */
export async function* csvRecords(source: AsyncIterable<Uint8Array>): AsyncGenerator<CsvRecord, void, undefined> {
  const csv = await import('csv-parse')
  const parser = csv.parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: ROW_MAX_BYTES,
    record_delimiter: ['\r\n', '\n', '\r'],
  })
  const text = new CsvText()
  // The rejection also reaches the loop below, through the parser.
  pipeline(Readable.from(text.chunks(source)), parser).catch(() => undefined)
  let bytesBefore = 0
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedRecord>) {
      yield { cells: record, line: text.startLine(info.bytes), sizeBytes: info.bytes - bytesBefore }
      bytesBefore = info.bytes
    }
  } catch (error) {
    if (!(error instanceof csv.CsvError)) throw error
    throw wrongQuotes(error, text)
  }
}

function wrongQuotes(error: CsvError, text: CsvText): CliError {
  const { openedLine, closedLine } = text.wrongQuote ?? {}
  const complaint =
    openedLine === undefined
      ? `line ${Number(error['lines'] ?? 0)}: ${otherComplaint(error)}`
      : closedLine === undefined
        ? `line ${openedLine}: a quote opens here, and is not closed`
        : `line ${openedLine}: a quote opens here, and after its end ${closedLine === openedLine ? '' : `in line ${closedLine} `}comes more text`
  return new CliError(
    'BAD_ROW',
    complaint,
    'Quotes inside of a quoted cell are doubled (""). Correct the file; --skip-bad cannot pass over wrong quotes.',
    { cause: error },
  )
}

function otherComplaint({ code, message }: CsvError): string {
  if (code === 'INVALID_OPENING_QUOTE') return 'a quote stands inside of a cell that does not begin with one'
  return code === 'CSV_MAX_RECORD_SIZE' ? `a row is longer than ${ROW_MAX_BYTES} bytes` : message
}

function shown(column: string): string {
  return visible(column.slice(0, COLUMN_SHOWN_MAX_CHARACTERS))
}

/** What the columns of a file mean. */
export class CsvHeader {
  readonly columns: readonly string[]
  readonly #types: readonly CellType[]
  readonly #key: number
  readonly #value: number
  readonly #expiry: number

  /** Throws `USAGE`. */
  constructor(columns: readonly string[], { keyColumn = 'key', types }: RowShape) {
    const twice = columns.find((name, i) => columns.indexOf(name) !== i)
    if (twice !== undefined) throw new CliError('USAGE', `the header names the column '${visible(twice)}' twice`)
    if (columns.includes('__proto__')) throw new CliError('USAGE', "'__proto__' cannot be the name of a column")
    this.columns = columns
    this.#types = columns.map((column) => types?.get(column) ?? 'text')
    this.#key = columns.indexOf(keyColumn)
    this.#value = columns.indexOf(VALUE_COLUMN)
    this.#expiry = columns.indexOf(EXPIRY_COLUMN)
    if (this.#key !== -1) return
    throw new CliError(
      'USAGE',
      `the header has no column '${keyColumn}'; it has: ${columns.slice(0, COLUMNS_SHOWN_MAX).map(shown).join(', ')}`,
      'Say which column holds the key with --key-column NAME.',
    )
  }

  /** The columns that hold values, by their places. */
  get valueColumns(): number[] {
    return [...this.columns.keys()].filter((i) => i !== this.#key && i !== this.#expiry)
  }

  row({ cells, line, sizeBytes }: CsvRecord): Row {
    const columns = this.columns
    if (cells.length !== columns.length) {
      return { line, column: '', reason: `has ${cells.length} cells, and the header has ${columns.length}` }
    }
    const key = cells[this.#key]!
    if (key === '') return { line, column: columns[this.#key]!, reason: 'is empty, and it is the key' }
    let column = EXPIRY_COLUMN
    try {
      const expiry = this.#expiry === -1 || cells[this.#expiry] === '' ? {} : expiryOf(cells[this.#expiry])
      const read = (i: number): unknown => {
        column = columns[i]!
        return valueOfCell(cells[i]!, this.#types[i]!)
      }
      const value = this.#value === -1 || cells[this.#value] === '' ? this.#object(cells, read) : read(this.#value)
      return { kind: 'entry', key, value, ...expiry, line, sizeBytes }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return { line, column, reason: error.message }
    }
  }

  #object(cells: readonly string[], read: (i: number) => unknown): Record<string, unknown> {
    const value: Record<string, unknown> = {}
    for (const i of this.valueColumns) {
      if (i !== this.#value && cells[i] !== '') value[this.columns[i]!] = read(i)
    }
    const [only = '', ...others] = Object.keys(value)
    // A column may be called like a tag.
    return others.length === 0 && looksTagged(only) ? { [`$${only}`]: value[only] } : value
  }
}
