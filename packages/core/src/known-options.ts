import { GridError } from './errors.ts'

/** Every option of a method, by name. */
export type Known<Options> = Readonly<Record<keyof Options, true>>

/** An option that differs in more letters than this is not suggested. */
const EDITS_MAX = 3

/**
 * Throws `INVALID_OPTION` for options that are not an object, and for an unknown option: otherwise a misspelt option would
 * be ignored silently. The error suggests the option that may be meant. Costs nothing if no options are passed.
 */
export function checkKnown<Options>(
  options: Options | undefined,
  known: Readonly<Record<keyof Options, unknown>>,
): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null) {
    throw new GridError('INVALID_OPTION', `options are an object, not ${options === null ? 'null' : typeof options}`)
  }
  for (const name in options) {
    if (!Object.hasOwn(known, name)) throw new GridError('INVALID_OPTION', unknownText(name, Object.keys(known)))
  }
}

function unknownText(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: editsBetween(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.min(EDITS_MAX, Math.floor(candidate.length / 2)))
    .toSorted((a, b) => a.edits - b.edits)
  const shown = JSON.stringify(name.slice(0, 64))
  if (nearest !== undefined) return `there is no option ${shown}: did you mean '${nearest.candidate}'?`
  return `there is no option ${shown}: there are ${known.join(', ')}`
}

/** How many letters have to be added, removed, replaced or swapped with the next one (optimal string alignment). */
function editsBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > EDITS_MAX) return Infinity
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, before[j - 2]! + 1)
      row.push(edits)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
