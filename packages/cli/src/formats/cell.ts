import { parseExact } from './tagged-json.ts'

/**
 * A cell of CSV as tagged JSON. It is text, unless it is exactly how JSON would write a number, `true`, `false` or
 * `null`, or is an object, an array or a quoted text of JSON. So `36` is a number, and `007`, `1.10` and `1e5`, which
 * would lose something, are text.
 */
export function valueOfCell(cell: string): unknown {
  if (cell === 'true') return true
  if (cell === 'false') return false
  if (cell === 'null') return null
  if (isExactNumber(cell)) return Number(cell)
  if (!/^[[{"]/.test(cell)) return cell
  try {
    return parseExact(cell)
  } catch {
    return cell
  }
}

/** The cell that `valueOfCell` reads as this value of tagged JSON. Never empty: an empty cell is a field left out. */
export function cellOfValue(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  return value === '' || valueOfCell(value) !== value ? JSON.stringify(value) : value
}

function isExactNumber(cell: string): boolean {
  if (!/^-?\d/.test(cell)) return false
  const number = Number(cell)
  return String(number) === cell && Number.isFinite(number)
}
