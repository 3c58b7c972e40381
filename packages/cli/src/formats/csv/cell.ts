import { checkTags, parseExact, parseTagged, stringifyTagged } from '../json/tagged-json.ts'
import type { CellType } from '../json/row.ts'

export const CELL_TYPES: readonly CellType[] = ['text', 'number', 'boolean', 'date', 'json']

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i
/** How much of a cell an error shows. */
const CELL_SHOWN_MAX_CHARACTERS = 40

/** The value of a cell, as tagged JSON. Throws `SyntaxError` where the cell is not of that type. */
export function valueOfCell(cell: string, type: CellType): unknown {
  switch (type) {
    case 'text':
      return cell
    case 'number':
      if (!JSON_NUMBER.test(cell)) throw new SyntaxError(`${shownCell(cell)} is no number as JSON writes one`)
      return parseExact(cell)
    case 'boolean':
      if (cell !== 'true' && cell !== 'false') throw new SyntaxError(`${shownCell(cell)} is neither true nor false`)
      return cell === 'true'
    case 'date':
      return dateOf(cell)
    case 'json': {
      const value = parseExact(cell)
      checkTags(value)
      return value
    }
  }
}

/** A value of tagged JSON as a cell of a column with other kinds of values. Texts have quotes in it, so it is never empty. */
export function cellOfValue(value: unknown): string {
  return JSON.stringify(value)
}

/** True where the cell is exactly how JSON writes a number, and the number has all its digits. */
export function isNumberCell(cell: string): boolean {
  if (!/^-?\d/.test(cell)) return false
  const number = Number(cell)
  return String(number) === cell && Number.isFinite(number)
}

/**
 * True where the cell is exactly what an export writes for its value. A malformed tag counts as well, so that it is refused
 * when it is read, and does not become a text.
 */
export function isJsonCell(cell: string): boolean {
  if (cell === 'true' || cell === 'false' || cell === 'null' || isNumberCell(cell)) return true
  if (!/^[[{"]/.test(cell)) return false
  try {
    if (JSON.stringify(parseExact(cell)) !== cell) return false
  } catch {
    return false
  }
  try {
    return stringifyTagged(parseTagged(cell)) === cell
  } catch {
    return true
  }
}

/** A cell, short enough for a message. */
export function shownCell(cell: string): string {
  return `'${cell.length > CELL_SHOWN_MAX_CHARACTERS ? `${cell.slice(0, CELL_SHOWN_MAX_CHARACTERS)}…` : cell}'`
}

function dateOf(cell: string): unknown {
  try {
    return { $date: (parseTagged(JSON.stringify({ $date: cell })) as Date).toISOString() }
  } catch (cause) {
    throw new SyntaxError(
      `${shownCell(cell)} is no date such as 2026-01-31 or 2026-01-31T12:00:00Z, with Z or an offset after a time`,
      { cause },
    )
  }
}
