import type { Colors } from '../terminal/colors.ts'
import { countText } from '../terminal/quantities.ts'

const NAME_COLUMNS = 22

/** A name that fits in a column. */
export function shortened(text: string): string {
  return text.length <= NAME_COLUMNS ? text : `${text.slice(0, NAME_COLUMNS - 1)}…`
}

/** How many copies are whole. What is not is on its way there. */
export function wholeText(owned: number, whole: number, colors: Colors): string {
  return whole < owned ? colors.yellow(countText(whole)) : countText(whole)
}
