import { isPlainObject } from '@gossipgrid/core'
import { pathOf, reachedBy } from '../ordering/paths.ts'
import { ARRAY, NULL, OBJECT, comparePayloads, equalValues, payloadOf, rankOf } from '../ordering/value-order.ts'
import type { Payload } from '../ordering/value-order.ts'
import type { PlainWhere } from './checks/check-name.ts'

/** Whether a value matches. */
export type Matcher = (value: unknown) => boolean

type Test = (found: unknown) => boolean
/** An operator: with the name of the field and what stands beside the operator. */
type Operator = (name: string, operand: never) => Matcher

/** The operator holds if one of the values that a path leads to passes, or one element of those that are arrays. */
function some(testOf: (operand: never) => Test): Operator {
  return (name, operand) => {
    const path = pathOf(name)
    const test = testOf(operand)
    const passes = (found: unknown): boolean => test(found) || (Array.isArray(found) && found.some(test))
    if (path.length > 1) return (value) => reachedBy(value, path).some(passes)
    return (value) => (isObject(value) ? passes(fieldOf(value, name)) : reachedBy(value, path).some(passes))
  }
}

function none(testOf: (operand: never) => Test): Operator {
  const operator = some(testOf)
  return (name, operand) => {
    const matches = operator(name, operand)
    return (value) => !matches(value)
  }
}

/** Equal. A field that is not there is equal to null. */
function equals(operand: unknown): Test {
  if (operand === null) return (found) => found === null || found === undefined
  if (typeof operand === 'string' || typeof operand === 'boolean') return (found) => found === operand
  return (found) => equalValues(found, operand)
}

/** Looked up, since a query can have thousands of operands. */
function isOneOf(operands: readonly unknown[]): Test {
  const scalars = new Map<number, Set<Payload>>()
  const others: Test[] = []
  for (const operand of operands) {
    const rank = rankOf(operand)
    if (rank === ARRAY || rank === OBJECT || rank === NULL) others.push(equals(operand))
    else scalars.set(rank, (scalars.get(rank) ?? new Set()).add(payloadOf(operand, rank)))
  }
  return (found) => {
    const rank = rankOf(found)
    const alike = scalars.get(rank)
    return (alike !== undefined && alike.has(payloadOf(found, rank))) || others.some((test) => test(found))
  }
}

/** Of the same type, and in this relation. */
function compares(holds: (order: number) => boolean): (operand: never) => Test {
  return (operand) => {
    const rank = rankOf(operand)
    const payload = payloadOf(operand, rank)
    return (found) => rankOf(found) === rank && holds(comparePayloads(payloadOf(found, rank), payload))
  }
}

/** Whether the field is there, also with null. */
function exists(name: string, operand: boolean): Matcher {
  const path = pathOf(name)
  return (value) => reachedBy(value, path).some((found) => found !== undefined) === operand
}

/** One element of an array matches the whole operand: a condition of the element itself, or of its fields. */
function elementMatches(name: string, operand: PlainWhere): Matcher {
  const path = pathOf(name)
  const ofElement = Object.keys(operand).some((each) => each.startsWith('$') && each !== '$and' && each !== '$or')
  const matches = matcherOf(ofElement ? { element: operand } : operand)
  const test: Test = ofElement
    ? (element) => !Array.isArray(element) && matches({ element })
    : (element) => isPlainObject(element) && matches(element)
  return (value) => reachedBy(value, path).some((found) => Array.isArray(found) && found.some(test))
}

function not(name: string, operand: PlainWhere): Matcher {
  const matches = fieldMatcher(name, operand)
  return (value) => !matches(value)
}

/** The operators of a field. With `$and` and `$or`, which stand beside the names of fields, they are the whole language. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  $eq: some(equals),
  $ne: none(equals),
  $in: some(isOneOf),
  $nin: none(isOneOf),
  $gt: some(compares((order) => order > 0)),
  $gte: some(compares((order) => order >= 0)),
  $lt: some(compares((order) => order < 0)),
  $lte: some(compares((order) => order <= 0)),
  $startsWith: some((prefix: string) => (found) => typeof found === 'string' && found.startsWith(prefix)),
  $exists: exists,
  $elemMatch: elementMatches,
  $not: not,
}

/** Tests values by a condition that `checkWhere` has returned. */
export function matcherOf(where: PlainWhere): Matcher {
  const tests = Object.entries(where).map(([name, condition]) => {
    if (name === '$and') return all((condition as readonly PlainWhere[]).map(matcherOf))
    if (name === '$or') return any((condition as readonly PlainWhere[]).map(matcherOf))
    return fieldMatcher(name, condition)
  })
  return all(tests)
}

function fieldMatcher(name: string, condition: unknown): Matcher {
  const operators = isPlainObject(condition) ? Object.entries(condition) : []
  if (!operators.some(([operator]) => operator.startsWith('$'))) return OPERATORS['$eq']!(name, condition as never)
  return all(operators.map(([operator, operand]) => OPERATORS[operator]!(name, operand as never)))
}

function all(tests: readonly Matcher[]): Matcher {
  const [only] = tests
  return tests.length === 1 ? only! : (value) => tests.every((test) => test(value))
}

function any(tests: readonly Matcher[]): Matcher {
  return (value) => tests.some((test) => test(value))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fieldOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}
