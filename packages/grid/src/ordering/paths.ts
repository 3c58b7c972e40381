import { spendFreely } from './spend.ts'
import type { Spend } from './spend.ts'
import { ARRAY, MISSING, OBJECT, rankOf, sortKeyOf } from './value-order.ts'
import type { SortKey } from './value-order.ts'

/** A dotted name, such as `address.city`, as its parts. */
export type Path = readonly string[]

const DIGITS = /^(?:0|[1-9]\d{0,8})$/
const ARRAYS: SortKey = { rank: ARRAY, payload: 0 }

export function pathOf(name: string): Path {
  return name.split('.')
}

/**
 * The values that a path leads to. It goes into each object in an array; a part of digits is also a place in an array. A value that
 * is not there is undefined, and there is always at least one.
 */
export function reachedBy(value: unknown, path: Path, spend: Spend = spendFreely): readonly unknown[] {
  const found: unknown[] = []
  reach(value, path, 0, found, spend)
  if (found.length === 0) found.push(undefined)
  return found
}

function reach(value: unknown, path: Path, at: number, found: unknown[], spend: Spend): void {
  if (at === path.length) {
    found.push(value)
    return
  }
  const part = path[at]!
  const rank = rankOf(value)
  if (rank === OBJECT) {
    const object = value as Readonly<Record<string, unknown>>
    reach(Object.hasOwn(object, part) ? object[part] : undefined, path, at + 1, found, spend)
  } else if (rank === ARRAY) {
    const array = value as readonly unknown[]
    if (DIGITS.test(part)) return reach(array[Number(part)], path, at + 1, found, spend)
    spend(array.length)
    for (const element of array) if (rankOf(element) === OBJECT) reach(element, path, at, found, spend)
  } else {
    found.push(undefined)
  }
}

/** How rows are ordered by a path. Where it meets an array that it goes through, or ends at one, all are equal. */
export function sortKeyAt(value: unknown, path: Path): SortKey {
  let at: unknown = value
  for (const part of path) {
    const rank = rankOf(at)
    if (rank === ARRAY && !DIGITS.test(part)) return ARRAYS
    if (rank !== OBJECT && rank !== ARRAY) return { rank: MISSING, payload: 0 }
    at = Object.hasOwn(at as object, part) ? (at as Readonly<Record<string, unknown>>)[part] : undefined
  }
  return sortKeyOf(at)
}
