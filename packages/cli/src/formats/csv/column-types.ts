import { CliError } from '../../cli-error.ts'
import { visible } from '../../terminal/visible.ts'
import type { CellType, RowShape } from '../json/row.ts'
import { CELL_TYPES, shownCell } from './cell.ts'
import { ColumnValues } from './column-values.ts'
import { CsvHeader, csvRecords } from './csv-rows.ts'

/** The name that stands for all columns that are not named. */
export const OTHER_COLUMNS = '*'

/** How a column of a CSV file is read, and why. */
export interface ColumnType {
  readonly column: string
  readonly type: CellType
  /** What decided, in words; '' where it is plain. */
  readonly reason: string
}

/** The types in `balance=number,name=text`, by column. Throws `USAGE`. */
export function parseTypes(typed: string, before: ReadonlyMap<string, CellType> = new Map()): Map<string, CellType> {
  const types = new Map(before)
  for (const part of typed.split(',')) {
    const at = part.lastIndexOf('=')
    const [column, type] = [part.slice(0, at), part.slice(at + 1) as CellType]
    if (at < 1 || !CELL_TYPES.includes(type)) {
      throw new CliError(
        'USAGE',
        `--types: '${part}' is not COLUMN=TYPE`,
        `Types are ${CELL_TYPES.join(', ')}; '${OTHER_COLUMNS}' stands for all columns that are not named.`,
      )
    }
    if (types.has(column)) throw new CliError('USAGE', `--types names the column '${column}' twice`)
    types.set(column, type)
  }
  return types
}

/**
 * How each column of a CSV file is read: as `given` says, and otherwise as all of its cells are written. Reads to the end of
 * the source, but only its header where all columns are given. Throws as `csvRows` does, and `USAGE` for a given column that
 * the file does not have.
 */
export async function columnTypes(
  source: AsyncIterable<Uint8Array>,
  keyColumn: string | undefined,
  given: ReadonlyMap<string, CellType>,
): Promise<ColumnType[]> {
  let columns: readonly TypedColumn[] = []
  let width = 0
  for await (const { cells, line } of csvRecords(source)) {
    if (width === 0) {
      width = cells.length
      columns = typedColumns(new CsvHeader(cells, { keyColumn }), given)
      if (columns.every((column) => column.given !== undefined)) break
    } else if (cells.length === width) {
      for (const { place, values } of columns) if (cells[place] !== '') values.see(cells[place]!, line)
    }
  }
  return columns.map(({ name, given: type, values }) => {
    if (type !== undefined) return { column: name, type, reason: 'as --types says' }
    return { column: name, type: values.type ?? 'text', reason: reasonOf(values) }
  })
}

/** The same as a part of a `RowShape`. */
export function typesOf(columns: readonly ColumnType[]): NonNullable<RowShape['types']> {
  return new Map(columns.map(({ column, type }) => [column, type]))
}

/** `column 'balance': text, since line 2 has '20.30'`. */
export function columnTypeText({ column, type, reason }: ColumnType): string {
  return visible(`column '${column}': ${type}${reason === '' ? '' : `, ${reason}`}`)
}

interface TypedColumn {
  readonly name: string
  readonly place: number
  readonly given: CellType | undefined
  readonly values: ColumnValues
}

function typedColumns(header: CsvHeader, given: ReadonlyMap<string, CellType>): TypedColumn[] {
  const columns = header.valueColumns.map((place) => {
    const name = header.columns[place]!
    return { name, place, given: given.get(name) ?? given.get(OTHER_COLUMNS), values: new ColumnValues() }
  })
  const unknown = [...given.keys()].find(
    (name) => name !== OTHER_COLUMNS && !columns.some((column) => column.name === name),
  )
  if (unknown === undefined) return columns
  const names = columns.map(({ name }) => visible(name)).join(', ')
  throw new CliError('USAGE', `--types names '${unknown}', which is no column with values`, `There are: ${names}`)
}

function reasonOf({ type, reason }: ColumnValues): string {
  if (type === undefined) return 'and all cells are empty, so it is left out'
  return reason === undefined ? '' : `since line ${reason.line} has ${shownCell(reason.cell)}`
}
