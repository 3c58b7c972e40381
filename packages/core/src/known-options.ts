import { GridError } from './errors.ts'
import { shown } from './shown.ts'

/** Every option of a method, by name. */
export type Known<Options> = Readonly<Record<keyof Options, true>>

/** A word that differs in more letters than this is not suggested. */
const EDITS_MAX = 3
/** A part of a word that is shorter than this says nothing. */
const PART_MIN_LETTERS = 3

/**
 * Throws `INVALID_OPTION` for options that are not an object, and for an unknown option: otherwise a misspelt option would
 * be ignored silently. The error suggests the option that may be meant. Costs nothing if no options are passed.
 */
export function checkKnown<Options>(
  options: Options | undefined,
  known: Readonly<Record<keyof Options, unknown>>,
): void {
  if (options !== undefined) requireKnown(options, known)
}

/** The same where options must be passed. */
export function requireKnown(options: unknown, known: Readonly<Record<string, unknown>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new GridError('INVALID_OPTION', `options are an object, not ${shown(options)}`)
  }
  for (const name in options) if (!Object.hasOwn(known, name)) throw unknownName('option', name, Object.keys(known))
}

/** The error for a name that is none of those `known`. `what` it names. */
export function unknownName(what: string, name: string, known: readonly string[]): GridError {
  const hint = nearestOf(name, known) || `: there are ${known.join(', ')}`
  return new GridError('INVALID_OPTION', `there is no ${what} ${JSON.stringify(name.slice(0, 64))}${hint}`)
}

/** Asks whether the word was meant that is nearest to `given`; '' where none is near. */
export function nearestOf(given: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: editsBetween(given.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.min(EDITS_MAX, Math.floor(candidate.length / 2)))
    .toSorted((a, b) => a.edits - b.edits)
  const meant = nearest?.candidate ?? known.find((candidate) => isPart(given.toLowerCase(), candidate.toLowerCase()))
  return meant === undefined ? '' : `: did you mean '${meant}'?`
}

/** Whether one is a part of the other, as dir is of directory. */
function isPart(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= PART_MIN_LETTERS && (a.includes(b) || b.includes(a))
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
