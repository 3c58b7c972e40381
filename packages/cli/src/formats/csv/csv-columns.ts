import { CliError } from '../../cli-error.ts'
import { looksTagged } from '../json/tagged-json.ts'
import { cellOfValue } from './cell.ts'
import { ColumnValues } from './column-values.ts'
import { EXPIRY_COLUMN, VALUE_COLUMN } from './csv-rows.ts'

const COLUMNS_MAX = 1000

/** The columns that the entries of a collection need, found by looking at all of them once. */
export class CsvColumns {
  readonly #keyColumn: string
  readonly #fields = new Map<string, ExportedColumn>()
  readonly #whole = new ExportedColumn()
  #needsWhole = false
  #needsExpiry = false

  constructor(keyColumn: string) {
    this.#keyColumn = keyColumn
  }

  /** Takes note of what an entry needs. Throws `USAGE` past 1,000 columns, or where a field is called like the key. */
  see(value: unknown, expiresAt?: string): void {
    if (expiresAt !== undefined) this.#needsExpiry = true
    const fields = fieldsOf(value)
    if (fields === undefined) {
      this.#needsWhole = true
      this.#whole.see(value)
      return
    }
    const object = value as Record<string, unknown>
    for (const field of fields) (this.#fields.get(field) ?? this.#added(field)).see(object[field])
  }

  get header(): string[] {
    return [
      this.#keyColumn,
      ...this.#fields.keys(),
      ...(this.#needsWhole ? [VALUE_COLUMN] : []),
      ...(this.#needsExpiry ? [EXPIRY_COLUMN] : []),
    ]
  }

  /** The cells of an entry. Throws `ENTRIES_CHANGED` when it has what was not there before. */
  cells(key: string, value: unknown, expiresAt: string = ''): string[] {
    if (expiresAt !== '' && !this.#needsExpiry) throw changed()
    const expiry = this.#needsExpiry ? [expiresAt] : []
    const fields = fieldsOf(value)
    if (fields === undefined) {
      if (!this.#needsWhole) throw changed()
      return [key, ...Array.from(this.#fields, () => ''), this.#whole.cell(value), ...expiry]
    }
    if (!fields.every((field) => this.#fields.has(field))) throw changed()
    const object = value as Record<string, unknown>
    const cells = Array.from(this.#fields, ([field, column]) =>
      Object.hasOwn(object, field) ? column.cell(object[field]) : '',
    )
    return [key, ...cells, ...(this.#needsWhole ? [''] : []), ...expiry]
  }

  #added(field: string): ExportedColumn {
    if (field === this.#keyColumn) {
      throw new CliError(
        'USAGE',
        `a value has a field '${field}', which is the column of the key`,
        'Name that column otherwise, for instance --key-column _key, or export as NDJSON.',
      )
    }
    if (this.#fields.size >= COLUMNS_MAX) {
      throw new CliError('USAGE', `the values have more than ${COLUMNS_MAX} fields`, 'Export as NDJSON.')
    }
    const column = new ExportedColumn()
    this.#fields.set(field, column)
    return column
  }
}

/** A column of an export: texts as they are, if all values are texts that an import reads as text again, else JSON. */
class ExportedColumn {
  readonly #texts = new ColumnValues()
  #areTexts = true

  see(value: unknown): void {
    if (typeof value !== 'string') this.#areTexts = false
    else if (this.#areTexts) this.#texts.see(value)
  }

  /** Throws `ENTRIES_CHANGED` for a value that the column was not made for. */
  cell(value: unknown): string {
    if (!this.#areTexts || this.#texts.mustQuote) return cellOfValue(value)
    if (typeof value !== 'string' || value === '') throw changed()
    return value
  }
}

/** The fields of an object that can be spread over columns; undefined for what has to stay whole. No cells are an empty object. */
function fieldsOf(value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = Object.keys(value)
  return fields.some(isNoColumn) ? undefined : fields
}

function isNoColumn(field: string): boolean {
  return field === '' || field === VALUE_COLUMN || field === EXPIRY_COLUMN || looksTagged(field)
}

function changed(): CliError {
  return new CliError(
    'ENTRIES_CHANGED',
    'an entry was written during the export, and the columns that were chosen do not hold it',
    'Run it again, or export as NDJSON.',
  )
}
