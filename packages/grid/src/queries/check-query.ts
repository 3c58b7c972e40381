import { GridError, decodeValue, encodeValue, isPlainObject, nearestOf, shown } from '@gossipgrid/core'
import { pathOf } from '../ordering/paths.ts'
import { ARRAY, MISSING, NULL, OBJECT, rankOf } from '../ordering/value-order.ts'
import { QUERY_DEPTH_MAX, checkName } from './checks/check-name.ts'
import { noTextHere } from './checks/check-text.ts'
import { invalidQuery } from './checks/invalid-query.ts'
import { readPosition } from './row-order.ts'
import type { OrderPart, Position, RowOrder } from './row-order.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { checkSelect } from './selection.ts'
import type { Selection } from './selection.ts'

const QUERY_MAX_BYTES: number = 64 * 1024
const QUERY_ROWS_MAX = 100_000
const ORDER_FIELDS_MAX = 8

/** A query that can be run: it is a copy, and every part of it is known. */
export interface CheckedQuery {
  readonly where: PlainWhere
  readonly order: RowOrder
  readonly limit: number
  readonly after: Position | undefined
  readonly select: Selection | undefined
}

const OPERATORS = [
  ...['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$and', '$or', '$not'],
  ...['$exists', '$elemMatch', '$startsWith'],
]
const PARTS = ['where', 'orderBy', 'limit', 'after', 'select']

/** Throws `INVALID_QUERY`, naming the place of the fault. */
export function checkQuery(query: unknown): CheckedQuery {
  const { where, orderBy, limit, after, select } = partsOf(query, PARTS)
  const parts = checkOrder(orderBy)
  const order = { parts, keysDescend: parts.at(-1)?.descending === true }
  if (
    limit !== undefined &&
    !(Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= QUERY_ROWS_MAX)
  )
    throw invalidQuery('limit', `a whole number from 1 to ${QUERY_ROWS_MAX}, not ${shown(limit)}`)
  return {
    where: checkWhere(where),
    order,
    limit: (limit as number | undefined) ?? QUERY_ROWS_MAX,
    after: after === undefined ? undefined : readPosition(after, order),
    select: checkSelect(select),
  }
}

/** The parts of a query. Throws `INVALID_QUERY` for one that does not exist. */
export function partsOf(query: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isPlainObject(query)) throw invalidQuery('the query', `a plain object, not ${shown(query)}`)
  for (const name of Object.keys(query))
    if (!known.includes(name))
      throw invalidQuery(name, `no part of a query${nearestOf(name, known) || `: there are ${known.join(', ')}`}`)
  return query as Readonly<Record<string, unknown>>
}

/** The condition of `count`. One that looks like a whole query would count nothing without a word. Throws `INVALID_QUERY`. */
export function checkCounted(where: unknown): PlainWhere {
  const parts: [string, unknown][] = isPlainObject(where) ? Object.entries(where) : []
  const inner = parts.length === 1 && parts[0]![0] === 'where' ? parts[0]![1] : undefined
  if (isPlainObject(inner) && !isOperators(inner))
    throw invalidQuery('where.where', "count takes the conditions alone, as in count({ city: 'Lyon' })")
  return checkWhere(where)
}

/** A copy of a condition, of which every part is known. Throws `INVALID_QUERY`. */
export function checkWhere(where: unknown): PlainWhere {
  if (where === undefined) return {}
  // A copy: what is checked is what is run, whatever getters do, and whatever becomes of the original.
  let copy: unknown
  try {
    walkWhere(where, 'where', 1)
    copy = decodeValue(encodeValue(where, QUERY_MAX_BYTES))
  } catch (error) {
    if (error instanceof GridError && error.code === 'INVALID_QUERY') throw error
    const isLarge = error instanceof GridError && error.code === 'VALUE_TOO_LARGE'
    if (isLarge) throw invalidQuery('where', `larger than ${QUERY_MAX_BYTES / 1024} KiB`)
    throw invalidQuery('where', 'a value in it cannot be stored in a map, and so not be found there', error)
  }
  walkWhere(copy, 'where', 1)
  return copy as PlainWhere
}

/** The fields to order by, each with its direction. Throws `INVALID_QUERY`. */
function checkOrder(orderBy: unknown): readonly OrderPart[] {
  const names = orderBy === undefined ? [] : Array.isArray(orderBy) ? (orderBy as unknown[]) : [orderBy]
  if (names.length > ORDER_FIELDS_MAX) throw invalidQuery('orderBy', `at most ${ORDER_FIELDS_MAX} fields`)
  return names.map((given, i) => {
    const place = Array.isArray(orderBy) ? `orderBy[${i}]` : 'orderBy'
    if (typeof given !== 'string')
      throw invalidQuery(place, `the name of a field, with - before it for the largest first, not ${shown(given)}`)
    const descending = given.startsWith('-')
    const name = descending ? given.slice(1) : given
    checkName(name, place)
    return { name, path: pathOf(name), descending }
  })
}

function walkWhere(where: unknown, place: string, depth: number): void {
  checkDepth(place, depth)
  if (!isPlainObject(where)) throw invalidQuery(place, `an object of conditions, not ${shown(where)}`)
  for (const [name, condition] of entriesOf(where, place)) {
    const below = `${place}.${name}`
    if (name === '$and' || name === '$or') walkEach(condition, below, depth + 1, walkWhere)
    else if (name === '$text') throw noTextHere(below)
    else if (name.startsWith('$')) throw notHere(name, below, ['$and', '$or'], 'is for the condition of a field')
    else {
      checkName(name, below)
      walkCondition(condition, below, depth + 1)
    }
  }
}

function walkCondition(condition: unknown, place: string, depth: number): void {
  checkDepth(place, depth)
  if (isOperators(condition)) walkOperators(condition, place, depth)
  else walkValue(condition, place, depth)
}

function walkOperators(operators: object, place: string, depth: number): void {
  checkDepth(place, depth)
  for (const [name, operand] of entriesOf(operators, place)) {
    const below = `${place}.${name}`
    if (name === '$and' || name === '$or') throw invalidQuery(below, `${name} stands beside the names of fields`)
    if (name === '$text') throw noTextHere(below)
    if (!OPERATORS.includes(name)) throw notHere(name, below, OPERATORS, '')
    walkOperand(name, operand, below, depth + 1)
  }
}

function walkOperand(name: string, operand: unknown, place: string, depth: number): void {
  switch (name) {
    case '$eq':
    case '$ne':
      return walkValue(operand, place, depth)
    case '$in':
    case '$nin':
      return walkEach(operand, place, depth, walkValue, 0)
    case '$exists':
      if (typeof operand !== 'boolean') throw invalidQuery(place, `true or false, not ${shown(operand)}`)
      return
    case '$startsWith':
      if (typeof operand !== 'string') throw invalidQuery(place, `text, not ${shown(operand)}`)
      return
    case '$not':
      if (!isOperators(operand)) throw invalidQuery(place, `an object of operators, not ${shown(operand)}`)
      return walkOperators(operand, place, depth)
    case '$elemMatch':
      return isOperators(operand) && !('$and' in operand || '$or' in operand)
        ? walkOperators(operand, place, depth)
        : walkWhere(operand, place, depth)
    default:
      return walkBound(operand, place, depth)
  }
}

/** What a field can be larger or smaller than. */
function walkBound(operand: unknown, place: string, depth: number): void {
  walkValue(operand, place, depth)
  const rank = rankOf(operand)
  if (rank === NULL || rank === ARRAY || rank === OBJECT)
    throw invalidQuery(place, `compares with a number, text, a date, bytes or a boolean, not ${shown(operand)}`)
}

function walkEach(
  list: unknown,
  place: string,
  depth: number,
  walk: (each: unknown, place: string, depth: number) => void,
  countMin = 1,
): void {
  checkDepth(place, depth)
  if (!Array.isArray(list) || list.length < countMin)
    throw invalidQuery(place, `an array${countMin > 0 ? ' of at least one' : ''}, not ${shown(list)}`)
  for (const [i, each] of list.entries()) walk(each, `${place}[${i}]`, depth + 1)
}

/** A value as maps store them. */
function walkValue(value: unknown, place: string, depth: number): void {
  checkDepth(place, depth)
  switch (rankOf(value)) {
    case MISSING:
      throw invalidQuery(place, 'undefined: leave the name out, or ask for { $exists: false }')
    case ARRAY:
      for (const [i, each] of (value as unknown[]).entries())
        if (each !== undefined) walkValue(each, `${place}[${i}]`, depth + 1)
      return
    case OBJECT:
      if (!isPlainObject(value)) throw invalidQuery(place, `a plain value, not ${shown(value)}`)
      for (const [name, each] of entriesOf(value, place)) {
        if (name.startsWith('$')) throw invalidQuery(`${place}.${name}`, 'an operator cannot stand within a value')
        if (each !== undefined) walkValue(each, `${place}.${name}`, depth + 1)
      }
  }
  if (typeof value === 'function' || typeof value === 'symbol')
    throw invalidQuery(place, `a plain value, not ${shown(value)}`)
}

function entriesOf(object: object, place: string): [string, unknown][] {
  if (Object.hasOwn(object, '__proto__'))
    throw invalidQuery(`${place}.__proto__`, 'no field can have the name __proto__')
  if (Object.getOwnPropertySymbols(object).length > 0) throw invalidQuery(place, 'a symbol is no name of a field')
  return Object.entries(object)
}

/** Whether an object is one of operators, and no value to be equal to. */
function isOperators(condition: unknown): condition is object {
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
