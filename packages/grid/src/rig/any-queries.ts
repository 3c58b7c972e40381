import fc from 'fast-check'
import { sortKeyOf } from '../ordering/value-order.ts'
import { anyScalar, anyValue } from './any-values.ts'

export type Fields = Record<string, unknown>

/** The name of a field of `entry`. */
export const anyField: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'c.a', 'c.b', 'a.0')
const entry = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(anyValue, fc.array(fc.dictionary(fc.constantFrom('a', 'b'), anyScalar, { maxKeys: 2 }), { maxLength: 2 })),
  { maxKeys: 3 },
)
const operand = anyValue.filter((value) => value !== undefined)
const bound = operand.filter((value) => value !== null && !Array.isArray(value) && sortKeyOf(value).rank !== 5)
const operators: fc.Arbitrary<Fields> = fc.oneof(
  ...['$eq', '$ne'].map((name) => operand.map((value) => ({ [name]: value }))),
  ...['$gt', '$gte', '$lt', '$lte'].map((name) => bound.map((value) => ({ [name]: value }))),
  ...['$in', '$nin'].map((name) => fc.array(operand, { maxLength: 12 }).map((values) => ({ [name]: values }))),
  fc.boolean().map((is) => ({ $exists: is })),
  fc.constantFrom('', 'a', 'L', '\uFFFF', '\u{1F600}').map((prefix) => ({ $startsWith: prefix })),
  fc.tuple(bound, bound).map(([low, high]) => ({ $gte: low, $lte: high })),
)
const condition: fc.Arbitrary<unknown> = fc.oneof(
  operators,
  operators,
  operators.map((inner) => ({ $not: inner })),
  operators.map((inner) => ({ $elemMatch: inner })),
  operators.map((inner) => ({ $elemMatch: { a: inner } })),
  operand.filter((value) => sortKeyOf(value).rank !== 5),
)
const simple: fc.Arbitrary<Fields> = fc.dictionary(anyField, condition, { maxKeys: 2 })
/** Conditions on such entries. */
export const anyWhere: fc.Arbitrary<Fields> = fc.oneof(
  simple,
  simple,
  fc.tuple(simple, simple).map(([one, other]) => ({ $and: [one, other] })),
  fc.tuple(simple, simple).map(([one, other]) => ({ ...one, $or: [other, one] })),
)
/** Fields to order them by. */
export const anyOrderBy: fc.Arbitrary<string[]> = fc
  .array(fc.tuple(anyField, fc.boolean()), { maxLength: 2 })
  .map((parts) => {
    return parts.map(([name, descends]) => (descends ? `-${name}` : name))
  })
const key = fc.integer({ min: 0, max: 30 }).map(String)
/** A key, and the entry that is written there; undefined deletes. */
export const anyEdit: fc.Arbitrary<[string, Fields | undefined]> = fc.tuple(
  key,
  fc.option(entry, { nil: undefined, freq: 4 }),
)
