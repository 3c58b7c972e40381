import { isJsonCell, isNumberCell } from './cell.ts'
import type { CellType } from '../json/row.ts'

/** A cell that decided what its column is. */
export interface DecidingCell {
  readonly cell: string
  readonly line: number
}

/** What all cells so far have in common. At the next level are the texts that the cells of this one quote. */
interface Level {
  areNumbers: boolean
  areBooleans: boolean
  areJson: boolean
  areQuoted: boolean
  hasEmpty: boolean
}

/**
 * Finds how a column is read, from all of its cells. A column is numbers, booleans or JSON only where every cell is written
 * exactly as an export writes it, so that each cell comes back byte for byte. All other columns are text, cell by cell.
 */
export class ColumnValues {
  readonly #levels: Level[] = []
  #number: DecidingCell | undefined
  #other: DecidingCell | undefined

  /** Cells that are empty are left out: they have no value. */
  see(cell: string, line: number = 0): void {
    this.#remember(cell, line)
    let text: string | undefined = cell
    for (let depth = 0; text !== undefined; depth++) {
      if (depth === this.#levels.length) {
        this.#levels.push({ areNumbers: true, areBooleans: true, areJson: true, areQuoted: true, hasEmpty: false })
      }
      text = narrow(this.#levels[depth]!, text)
      if (text === undefined) this.#levels.length = depth + 1
    }
  }

  /** Undefined where there was no cell. */
  get type(): CellType | undefined {
    return this.#levels.length === 0 ? undefined : this.#typeAt(0)
  }

  /** True where texts with these contents must be quoted, since the column would be read as something else than text. */
  get mustQuote(): boolean {
    const [first] = this.#levels
    return first !== undefined && (first.hasEmpty || this.#typeAt(0) !== 'text')
  }

  /** In a column of text that has numbers too: the first cell that is none. */
  get reason(): DecidingCell | undefined {
    return this.type === 'text' && this.#number !== undefined ? this.#other : undefined
  }

  #remember(cell: string, line: number): void {
    if (this.#number !== undefined && this.#other !== undefined) return
    if (isNumberCell(cell)) this.#number ??= { cell, line }
    else this.#other ??= { cell, line }
  }

  /** Quoted texts stay as they are, with their quotes, unless an export of their contents would write these quotes. */
  #typeAt(depth: number): CellType {
    const level = this.#levels[depth]!
    if (level.areNumbers) return 'number'
    if (level.areBooleans) return 'boolean'
    if (!level.areJson) return 'text'
    if (!level.areQuoted) return 'json'
    return this.#levels[depth + 1]!.hasEmpty || this.#typeAt(depth + 1) !== 'text' ? 'json' : 'text'
  }
}

/** Takes a text into account. Returns the text that it quotes, if all of the level do so. */
function narrow(level: Level, text: string): string | undefined {
  if (text === '') level.hasEmpty = true
  if (level.areNumbers && !isNumberCell(text)) level.areNumbers = false
  if (level.areBooleans && text !== 'true' && text !== 'false') level.areBooleans = false
  if (level.areJson && !isJsonCell(text)) level.areJson = false
  if (level.areQuoted && !(level.areJson && text.startsWith('"'))) level.areQuoted = false
  return level.areQuoted ? (JSON.parse(text) as string) : undefined
}
