import { GridError, decodeValue, encodeValue, isPlainObject, nearestOf, shown } from '@gossipgrid/core'
import { ARRAY, MISSING, NULL, OBJECT, rankOf } from '../../ordering/value-order.ts'
import { QUERY_DEPTH_MAX, checkName } from './check-name.ts'
import type { PlainWhere } from './check-name.ts'
import { noTextHere } from './check-text.ts'
import { invalidQuery } from './invalid-query.ts'

const QUERY_MAX_BYTES: number = 64 * 1024

const OPERATORS = [
  ...['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$and', '$or', '$not'],
  ...['$exists', '$elemMatch', '$startsWith'],
]
/** As one may write them. */
const EXAMPLE = 'such as { $gte: 18 }'

/** A copy of a condition, of which every part is known. Throws `INVALID_QUERY`. */
export function checkWhere(where: unknown): PlainWhere {
  if (where === undefined) return {}
  // A copy: what is checked is what is run, whatever getters do, and whatever becomes of the original. It is made first, since that ends
  // at the limit, and what is larger need not be looked through.
  let copy: unknown
  try {
    copy = decodeValue(encoded(where))
    new WhereWalk().where(where, 'where', 1)
  } catch (error) {
    if (error instanceof GridError) throw error
    throw invalidQuery('where', 'cannot be read', error)
  }
  new WhereWalk().where(copy, 'where', 1)
  return copy as PlainWhere
}

function encoded(where: unknown): Uint8Array {
  try {
    return encodeValue(where, QUERY_MAX_BYTES)
  } catch (error) {
    if (!(error instanceof GridError)) throw error
    if (error.code === 'VALUE_TOO_LARGE') throw invalidQuery('where', `larger than ${QUERY_MAX_BYTES / 1024} KiB`)
    // Says the same with the place of the fault.
    new WhereWalk(checkStorable).where(where, 'where', 1)
    throw notStorable('where', error)
  }
}

function checkStorable(value: unknown, place: string): void {
  try {
    encodeValue(value, QUERY_MAX_BYTES)
  } catch (error) {
    throw notStorable(place, error)
  }
}

function notStorable(place: string, cause: unknown): GridError {
  return invalidQuery(place, 'cannot be stored in a map, and so not be found there', cause)
}

/** Goes through a condition. Throws `INVALID_QUERY` with the place of the first fault. */
class WhereWalk {
  readonly #checkScalar: ((value: unknown, place: string) => void) | undefined

  constructor(checkScalar?: (value: unknown, place: string) => void) {
    this.#checkScalar = checkScalar
  }

  where(where: unknown, place: string, depth: number): void {
    checkDepth(place, depth)
    if (!isPlainObject(where)) throw invalidQuery(place, `a plain object of conditions, not ${shown(where)}`)
    for (const [name, condition] of entriesOf(where, place)) {
      const below = `${place}.${name}`
      if (name === '$and' || name === '$or') this.#conditions(condition, below, depth + 1)
      else if (name === '$text') throw noTextHere(below)
      else if (name.startsWith('$')) throw notHere(name, below, ['$and', '$or'], 'is for the condition of a field')
      else {
        checkName(name, below)
        this.#condition(condition, below, depth + 1)
      }
    }
  }

  #conditions(list: unknown, place: string, depth: number): void {
    checkDepth(place, depth)
    if (!Array.isArray(list) || list.length === 0)
      throw invalidQuery(place, `an array of at least one, not ${shown(list)}`)
    for (const [i, each] of list.entries()) this.where(each, `${place}[${i}]`, depth + 1)
  }

  #condition(condition: unknown, place: string, depth: number): void {
    checkDepth(place, depth)
    if (isOperators(condition)) this.#operators(condition, place, depth)
    else this.#value(condition, place, depth)
  }

  #operators(operators: object, place: string, depth: number): void {
    checkDepth(place, depth)
    for (const [name, operand] of entriesOf(operators, place)) {
      const below = `${place}.${name}`
      if (name === '$and' || name === '$or') throw invalidQuery(below, `${name} stands beside the names of fields`)
      if (name === '$text') throw noTextHere(below)
      if (!OPERATORS.includes(name)) throw notHere(name, below, OPERATORS, '')
      this.#operand(name, operand, below, depth + 1)
    }
  }

  #operand(name: string, operand: unknown, place: string, depth: number): void {
    switch (name) {
      case '$eq':
      case '$ne':
        return this.#value(operand, place, depth)
      case '$in':
      case '$nin':
        checkDepth(place, depth)
        if (!Array.isArray(operand)) throw invalidQuery(place, `an array, not ${shown(operand)}`)
        return this.#elements(operand, place, depth, false)
      case '$exists':
        if (typeof operand !== 'boolean') throw invalidQuery(place, `true or false, not ${shown(operand)}`)
        return
      case '$startsWith':
        if (typeof operand !== 'string') throw invalidQuery(place, `text, not ${shown(operand)}`)
        return this.#checkScalar?.(operand, place)
      case '$not':
        if (!isOperators(operand))
          throw invalidQuery(place, `an object of operators, ${EXAMPLE}, not ${shown(operand)}`)
        return this.#operators(operand, place, depth)
      case '$elemMatch':
        return isOperators(operand) && !('$and' in operand || '$or' in operand)
          ? this.#operators(operand, place, depth)
          : this.where(operand, place, depth)
      default:
        return this.#bound(operand, place, depth)
    }
  }

  /** What a field can be larger or smaller than. */
  #bound(operand: unknown, place: string, depth: number): void {
    this.#value(operand, place, depth)
    const rank = rankOf(operand)
    if (rank === NULL || rank === ARRAY || rank === OBJECT)
      throw invalidQuery(place, `compares with a number, text, a date, bytes or a boolean, not ${shown(operand)}`)
  }

  /** A value as maps store them. */
  #value(value: unknown, place: string, depth: number): void {
    checkDepth(place, depth)
    switch (rankOf(value)) {
      case MISSING:
        throw invalidQuery(place, 'undefined: leave the name out, or ask for { $exists: false }')
      case ARRAY:
        return this.#elements(value as readonly unknown[], place, depth, true)
      case OBJECT:
        if (!isPlainObject(value)) throw invalidQuery(place, `a plain value, not ${shown(value)}`)
        for (const [name, each] of entriesOf(value, place)) {
          const below = `${place}.${name}`
          if (name.startsWith('$')) throw invalidQuery(below, 'an operator cannot stand within a value')
          this.#checkScalar?.(name, below)
          if (each !== undefined) this.#value(each, below, depth + 1)
        }
        return
      default:
        if (typeof value === 'function' || typeof value === 'symbol')
          throw invalidQuery(place, `a plain value, not ${shown(value)}`)
        this.#checkScalar?.(value, place)
    }
  }

  #elements(list: readonly unknown[], place: string, depth: number, mayBeMissing: boolean): void {
    const isKnown = (each: unknown): boolean =>
      this.#checkScalar === undefined && (typeof each === 'number' || typeof each === 'string')
    for (const [i, each] of list.entries()) {
      // There may be thousands, and to name the place of each takes longer than to look at it.
      if (isKnown(each) || (each === undefined && mayBeMissing)) continue
      this.#value(each, `${place}[${i}]`, depth + 1)
    }
  }
}

function entriesOf(object: object, place: string): [string, unknown][] {
  if (Object.hasOwn(object, '__proto__'))
    throw invalidQuery(`${place}.__proto__`, 'no field can have the name __proto__')
  if (Object.getOwnPropertySymbols(object).length > 0) throw invalidQuery(place, 'a symbol is no name of a field')
  return Object.entries(object)
}

/** Whether an object is one of operators, and no value to be equal to. */
export function isOperators(condition: unknown): condition is object {
  return isPlainObject(condition) && Object.keys(condition).some((name) => name.startsWith('$'))
}

function checkDepth(place: string, depth: number): void {
  if (depth > QUERY_DEPTH_MAX) throw invalidQuery(place, `deeper than ${QUERY_DEPTH_MAX} levels`)
}

function notHere(name: string, place: string, known: readonly string[], why: string): GridError {
  if (OPERATORS.includes(name)) return invalidQuery(place, `${name} ${why}`)
  return invalidQuery(
    place,
    `there is no such operator${nearestOf(name, known) || `: there are ${OPERATORS.join(', ')}`}`,
  )
}
