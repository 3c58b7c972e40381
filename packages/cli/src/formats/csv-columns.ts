import { CliError } from '../cli-error.ts'
import { cellOfValue } from './cell.ts'
import { VALUE_COLUMN } from './csv-rows.ts'

const COLUMNS_MAX = 1000

/** The columns that the entries of a collection need, found by looking at all of them once. */
export class CsvColumns {
  readonly #keyColumn: string
  readonly #fields = new Set<string>()
  #needsWhole = false

  constructor(keyColumn: string) {
    this.#keyColumn = keyColumn
  }

  /** Takes note of what a value needs. Throws `USAGE` past 1,000 columns, or where a field is called like the key. */
  see(value: unknown): void {
    const fields = fieldsOf(value)
    if (fields === undefined) {
      this.#needsWhole = true
      return
    }
    for (const field of fields) {
      if (this.#fields.has(field)) continue
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
      this.#fields.add(field)
    }
  }

  get header(): string[] {
    return [this.#keyColumn, ...this.#fields, ...(this.#needsWhole ? [VALUE_COLUMN] : [])]
  }

  /** The cells of an entry. Throws `ENTRIES_CHANGED` when it has a field that was not there before. */
  cells(key: string, value: unknown): string[] {
    const fields = fieldsOf(value)
    if (fields === undefined) {
      if (!this.#needsWhole) throw changed()
      return [key, ...Array.from(this.#fields, () => ''), cellOfValue(value)]
    }
    if (!fields.every((field) => this.#fields.has(field))) throw changed()
    const object = value as Record<string, unknown>
    const cells = Array.from(this.#fields, (field) => (Object.hasOwn(object, field) ? cellOfValue(object[field]) : ''))
    return [key, ...cells, ...(this.#needsWhole ? [''] : [])]
  }
}

/** The fields of an object that can be spread over columns; undefined for what has to stay whole. */
function fieldsOf(value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = Object.keys(value)
  if (fields.length === 0 || fields.some((field) => field === '' || field.startsWith('$'))) return undefined
  return fields
}

function changed(): CliError {
  return new CliError(
    'ENTRIES_CHANGED',
    'a field appeared in the collection while it was exported, and the header has no column for it',
    'Run it again, or export as NDJSON.',
  )
}
