import { shown } from '@gossipgrid/core'
import { invalidQuery } from './invalid-query.ts'

/** How many levels a query has at most, and how many parts a name. */
export const QUERY_DEPTH_MAX = 32

/** A part of the language as data. The names are checked. */
export type PlainWhere = Readonly<Record<string, unknown>>

/** Throws `INVALID_QUERY` unless this is the dotted name of a field. */
export function checkName(name: unknown, place: string): asserts name is string {
  if (typeof name !== 'string') throw invalidQuery(place, `the name of a field, not ${shown(name)}`)
  const parts = name.split('.')
  if (parts.length > QUERY_DEPTH_MAX) throw invalidQuery(place, `a name of more than ${QUERY_DEPTH_MAX} parts`)
  if (parts.includes('__proto__')) throw invalidQuery(place, 'no field can have the name __proto__')
  if (parts.includes('') || name.startsWith('$') || name.length > 1024 || !name.isWellFormed())
    throw invalidQuery(place, `${shown(name)} is not the name of a field`)
}

/**
 * The same where fields have no direction: in an index, a selection, an aggregate. A name such as `-age` would stand there for a field that no
 * value has, and do nothing without a word. Throws `INVALID_QUERY`.
 */
export function checkBareName(name: unknown, place: string): asserts name is string {
  checkName(name, place)
  if (name.startsWith('-'))
    throw invalidQuery(place, `only orderBy has directions: leave out the - of ${JSON.stringify(name)}`)
}
