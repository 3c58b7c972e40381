import { isPlainObject, nearestOf, shown } from '@gossipgrid/core'
import { pathOf } from '../ordering/paths.ts'
import { checkName } from './checks/check-name.ts'
import { checkWhere, isOperators } from './checks/check-where.ts'
import { invalidQuery } from './checks/invalid-query.ts'
import { readPosition } from './row-order.ts'
import type { OrderPart, Position, RowOrder } from './row-order.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { checkSelect } from './selection.ts'
import type { Selection } from './selection.ts'

const QUERY_ROWS_MAX = 100_000
const ORDER_FIELDS_MAX = 8

/** A query that can be run: it is a copy, and every part of it is known. */
export interface CheckedQuery {
  readonly where: PlainWhere
  readonly order: RowOrder
  readonly limit: number
  readonly after: Position | undefined
  readonly select: Selection | undefined
  /** Only entries whose keys begin with one of these texts. No part of the language: it bounds what a guest is given. */
  readonly within?: readonly string[] | undefined
}

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
