import { GENERATION_MAX } from '../limits.ts'

/** Between a name and the number of its generation. No name of an application has it. */
const MARK = '\uE000'

/** A collection's name as the application knows it, and how often the name had been dropped when it was created. */
export interface NamedGeneration {
  readonly name: string
  readonly generation: number
}

/**
 * The name under which a generation of a collection is stored and travels: each drop of a name starts another one. So the rows of
 * two generations never meet, and peers of every version can hold both.
 */
export function generationName({ name, generation }: NamedGeneration): string {
  return generation === 0 ? name : `${name}${MARK}${generation}`
}

export function splitGeneration(stored: string): NamedGeneration {
  const at = stored.indexOf(MARK)
  const generation = Number(stored.slice(at + 1))
  return at > 0 && isGeneration(generation)
    ? { name: stored.slice(0, at), generation }
    : { name: stored, generation: 0 }
}

/** The name of a collection as the application knows it. */
export function plainName(stored: string): string {
  return splitGeneration(stored).name
}

/** Whether an application may give a collection this name. */
export function isPlain(name: string): boolean {
  return !name.includes(MARK)
}

/** Whether a number can be that of a generation. */
export function isGeneration(generation: number): boolean {
  return Number.isInteger(generation) && generation >= 0 && generation <= GENERATION_MAX
}
