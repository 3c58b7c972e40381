import fc from 'fast-check'
import { Query as MingoQuery } from 'mingo/query'
import { Context } from 'mingo/core'
import * as comparison from 'mingo/operators/query/comparison'
import * as logical from 'mingo/operators/query/logical'
import { $exists } from 'mingo/operators/query/element'
import { $elemMatch } from 'mingo/operators/query/array'
import { expect, it } from 'vitest'
import { spendFreely } from '../ordering/spend.ts'
import { matcherOf } from './matcher.ts'

const context = Context.init({ query: { ...comparison, ...logical, $exists, $elemMatch } as never })

const scalar = fc.constantFrom<unknown>(null, true, false, 0, 1, 2.5, -1, '', 'a', 'b')
const array = fc.array(scalar, { maxLength: 3 })
const object = fc.dictionary(fc.constantFrom('a', 'b'), scalar, { maxKeys: 2, noNullPrototype: true })
// Of a path that goes into an array without objects, mingo and we think otherwise: for us it leads to a missing value.
const document = fc.record(
  { a: fc.oneof(scalar, array), b: fc.oneof(scalar, array), c: fc.oneof(scalar, object) },
  { requiredKeys: [], noNullPrototype: true },
)
const bound = scalar.filter((value) => value !== null)
const operators: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
  ...['$eq', '$ne'].map((name) => scalar.map((value) => ({ [name]: value }))),
  ...['$gt', '$gte', '$lt', '$lte'].map((name) => bound.map((value) => ({ [name]: value }))),
  ...['$in', '$nin'].map((name) => fc.array(bound, { minLength: 1, maxLength: 3 }).map((all) => ({ [name]: all }))),
  fc.boolean().map((is) => ({ $exists: is })),
)
const condition = fc.oneof(
  operators,
  operators.map((inner) => ({ $not: inner })),
  fc.constantFrom('$gt', '$lt', '$eq').chain((name) => bound.map((value) => ({ $elemMatch: { [name]: value } }))),
  scalar,
)
const simple = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'c.a', 'c.b'), condition, {
  maxKeys: 3,
  noNullPrototype: true,
})
const where = fc.oneof(
  simple,
  fc.tuple(simple, simple).map(([one, other]) => ({ $or: [one, other] })),
  fc.tuple(simple, simple).map(([one, other]) => ({ $and: [one, other] })),
)

it('on JSON, a query means what it means in MongoDB, as mingo says', () => {
  fc.assert(
    fc.property(document, where, (value, query) => {
      const mingo = new MingoQuery(query as never, { context, scriptEnabled: false })
      expect(matcherOf(query, spendFreely)(value)).toBe(mingo.test(value as never))
    }),
    { numRuns: 5000 },
  )
})
