import { isPlainObject } from '@gossipgrid/core'
import { pathOf, reachedBy } from '../ordering/paths.ts'
import type { Spend } from '../ordering/spend.ts'
import { ARRAY, BYTES, NULL, OBJECT, comparePayloads, equalValues, payloadOf, rankOf } from '../ordering/value-order.ts'
import type { Payload } from '../ordering/value-order.ts'
import type { PlainWhere } from './checks/check-name.ts'
import { isOperators } from './checks/check-where.ts'

/** Whether a value matches. */
export type Matcher = (value: unknown) => boolean

type Test = (found: unknown) => boolean
/** An operator: with the name of the field and what stands beside the operator. Tests spend what they cost. */
type Operator = (name: string, operand: never, spend: Spend) => Matcher

/** The operator holds if one of the values that a path leads to passes, or one element of those that are arrays. */
function some(testOf: (operand: never, spend: Spend) => Test): Operator {
  return (name, operand, spend) => {
    const path = pathOf(name)
    const test = testOf(operand, spend)
    const passes = (found: unknown): boolean => test(found) || (Array.isArray(found) && someElement(found, test, spend))
    if (path.length > 1) return (value) => reachedBy(value, path, spend).some(passes)
    return (value) => (isObject(value) ? passes(fieldOf(value, name)) : reachedBy(value, path, spend).some(passes))
  }
}

function someElement(array: readonly unknown[], test: Test, spend: Spend): boolean {
  spend(array.length)
  return array.some(test)
}

function none(testOf: (operand: never, spend: Spend) => Test): Operator {
  const operator = some(testOf)
  return (name, operand, spend) => {
    const matches = operator(name, operand, spend)
    return (value) => !matches(value)
  }
}

/** Equal. A field that is not there is equal to null. */
function equals(operand: unknown, spend: Spend): Test {
  if (operand === null) return (found) => found === null || found === undefined
  if (typeof operand === 'string' || typeof operand === 'boolean') return (found) => found === operand
  return (found) => equalValues(found, operand, spend)
}

/** Looked up, since a query can have thousands of operands. */
function isOneOf(operands: readonly unknown[], spend: Spend): Test {
  const scalars = new Map<number, Set<Payload>>()
  const others: Test[] = []
  let bytesMax = 0
  for (const operand of operands) {
    const rank = rankOf(operand)
    if (rank === ARRAY || rank === OBJECT || rank === NULL) others.push(equals(operand, spend))
    else scalars.set(rank, (scalars.get(rank) ?? new Set()).add(payloadOf(operand, rank)))
    bytesMax = Math.max(bytesMax, lengthBeyond(operand, rank))
  }
  return (found) => {
    const rank = rankOf(found)
    const alike = scalars.get(rank)
    if (alike !== undefined && alike.has(payloadOf(found, rank, bytesMax))) return true
    return others.length > 0 && someOf(others, found, spend)
  }
}

/** So many bytes of a long byte string are enough to compare it with the operand. */
function lengthBeyond(operand: unknown, rank: number): number {
  return rank === BYTES ? (operand as Uint8Array).length + 1 : 0
}

/** Of the same type, and in this relation. */
function compares(holds: (order: number) => boolean): (operand: never, spend: Spend) => Test {
  return (operand) => {
    const rank = rankOf(operand)
    const payload = payloadOf(operand, rank)
    const bytesMax = lengthBeyond(operand, rank)
    return (found) => rankOf(found) === rank && holds(comparePayloads(payloadOf(found, rank, bytesMax), payload))
  }
}

/** Whether the field is there, also with null. */
function exists(name: string, operand: boolean, spend: Spend): Matcher {
  const path = pathOf(name)
  return (value) => reachedBy(value, path, spend).some((found) => found !== undefined) === operand
}

/** One element of an array matches the whole operand: a condition of the element itself, or of its fields. */
function elementMatches(name: string, operand: PlainWhere, spend: Spend): Matcher {
  const path = pathOf(name)
  const ofElement = Object.keys(operand).some((each) => each.startsWith('$') && each !== '$and' && each !== '$or')
  const matches = matcherOf(ofElement ? { element: operand } : operand, spend)
  const test: Test = ofElement
    ? (element) => !Array.isArray(element) && matches({ element })
    : (element) => isPlainObject(element) && matches(element)
  return (value) =>
    reachedBy(value, path, spend).some((found) => Array.isArray(found) && someElement(found, test, spend))
}

function not(name: string, operand: PlainWhere, spend: Spend): Matcher {
  const matches = fieldMatcher(name, operand, spend)
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

/** Tests values by a condition that `checkWhere` has returned. `spend` hears of what takes long. */
export function matcherOf(where: PlainWhere, spend: Spend): Matcher {
  const tests = Object.entries(where).map(([name, condition]) => {
    const each = (): Matcher[] => (condition as readonly PlainWhere[]).map((part) => matcherOf(part, spend))
    if (name === '$and') return all(each(), spend)
    if (name === '$or') return any(each(), spend)
    return fieldMatcher(name, condition, spend)
  })
  return all(tests, spend)
}

function fieldMatcher(name: string, condition: unknown, spend: Spend): Matcher {
  if (!isOperators(condition)) return OPERATORS['$eq']!(name, condition as never, spend)
  const tests = Object.entries(condition).map(([operator, operand]) =>
    OPERATORS[operator]!(name, operand as never, spend),
  )
  return all(tests, spend)
}

/** So few tests cost no more than to take note of them. */
const FEW = 8

function all(tests: readonly Matcher[], spend: Spend): Matcher {
  const [only] = tests
  if (tests.length === 1) return only!
  if (tests.length <= FEW) return (value) => tests.every((test) => test(value))
  return (value) => {
    spend(tests.length)
    return tests.every((test) => test(value))
  }
}

function any(tests: readonly Matcher[], spend: Spend): Matcher {
  return (value) => someOf(tests, value, spend)
}

function someOf(tests: readonly Matcher[], value: unknown, spend: Spend): boolean {
  if (tests.length > FEW) spend(tests.length)
  return tests.some((test) => test(value))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fieldOf(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}
