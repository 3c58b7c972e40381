import { expect, it } from 'vitest'
import { checkAggregate } from './aggregate.ts'
import { checkCounted, checkQuery } from './check-query.ts'
import { checkIndexNames } from './checks/check-index.ts'
import type { Query } from './query.ts'

function fault(query: unknown): string {
  try {
    checkQuery(query)
    return 'none'
  } catch (error) {
    expect((error as { readonly code?: unknown }).code).toBe('INVALID_QUERY')
    return (error as Error).message
  }
}

const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) })
const conjunctions = (depth: number): unknown => (depth === 0 ? { a: 1 } : { $and: [conjunctions(depth - 1)] })

it.each([
  [{ where: { age: { $gtt: 1 } } }, /^where\.age\.\$gtt: there is no such operator: did you mean '\$gte?'\?/],
  [{ where: { age: { $regex: 'a' } } }, /^where\.age\.\$regex: there is no such operator: there are \$eq, /],
  [{ where: { $where: 'this.a' } }, /^where\.\$where: there is no such operator/],
  [{ where: { $eq: 1 } }, /^where\.\$eq: \$eq is for the condition of a field/],
  [{ where: { a: { $and: [] } } }, /^where\.a\.\$and: \$and stands beside the names of fields/],
  [{ where: { a: { $gt: 1, b: 2 } } }, /^where\.a\.b: there is no such operator/],
  [{ where: { a: () => true } }, /^where\.a: a plain value, not a function/],
  [{ where: { a: /x/ } }, /^where\.a: a plain value, not an object \(RegExp\)/],
  [{ where: { a: { $in: [1, /x/] } } }, /^where\.a\.\$in\[1\]: a plain value, not an object \(RegExp\)/],
  [{ where: { a: Symbol('x') } }, /^where\.a: a plain value, not a symbol/],
  [{ where: { a: undefined } }, /^where\.a: undefined: leave the name out/],
  [{ where: { ['__proto__']: 1 } }, /^where\.__proto__: no field can have the name __proto__/],
  [{ where: { 'a.__proto__.b': 1 } }, /^where\.a\.__proto__\.b: no field can have the name __proto__/],
  [{ where: JSON.parse('{"a":{"__proto__":{"$gt":1}}}') as unknown }, /^where\.a\.__proto__: /],
  [{ where: { a: { b: { $gt: 1 } } } }, /^where\.a\.b\.\$gt: an operator cannot stand within a value/],
  [{ where: { 'a..b': 1 } }, /is not the name of a field/],
  [{ where: { a: { $gt: [1] } } }, /^where\.a\.\$gt: compares with a number, .* not an array of 1/],
  [{ where: { a: { $exists: 1 } } }, /^where\.a\.\$exists: true or false, not 1/],
  [{ where: { a: { $startsWith: 1 } } }, /^where\.a\.\$startsWith: text, not 1/],
  [{ where: { a: { $not: 1 } } }, /^where\.a\.\$not: an object of operators, such as \{ \$gte: 18 \}, not 1/],
  [{ where: { $or: [] } }, /^where\.\$or: an array of at least one/],
  [{ where: [] }, /^where: a plain object of conditions/],
  [{ where: { a: new Map() } }, /^where\.a: a plain value, not an object \(Map\)/],
  [{ where: { a: 'half \uD800' } }, /^where\.a: cannot be stored in a map, and so not be found there/],
  [{ where: { a: { $in: [1, 2n ** 70n] } } }, /^where\.a\.\$in\[1\]: cannot be stored/],
  [{ where: { $or: [{ a: 1 }, { b: { $gt: new Date(NaN) } }] } }, /^where\.\$or\[1\]\.b\.\$gt: cannot be stored/],
  [{ where: { a: { $startsWith: '\uD800' } } }, /^where\.a\.\$startsWith: cannot be stored/],
  [{ where: { a: { b: [{ '\uD800': 1 }] } } }, /^where\.a\.b\[0\]\.\uD800: cannot be stored/],
  [{ where: new (class Where {})() }, /^where: a plain object of conditions, not an object/],
  [{ where: nested(40) }, /: deeper than 32 levels$/],
  [{ where: conjunctions(20) }, /: deeper than 32 levels$/],
  [{ where: { a: 'x'.repeat(70_000) } }, /^where: larger than 64 KiB/],
  [{ orderBy: 'a..b' }, /^orderBy: .* is not the name of a field/],
  [{ orderBy: { a: -1 } }, /^orderBy: the name of a field, with - before it for the largest first, not an object/],
  [{ orderBy: ['a', 1] }, /^orderBy\[1\]: the name of a field, with - before it .* not 1/],
  [{ orderBy: Array.from({ length: 9 }, () => 'a') }, /^orderBy: at most 8 fields/],
  [{ limit: 0 }, /^limit: a whole number from 1 to 100000, not 0/],
  [{ limit: '3' }, /^limit: /],
  [{ after: 'nonsense' }, /^after: not the next of a page/],
  [{ after: 5 }, /^after: the next of a page, not 5/],
  [{ were: {} }, /^were: no part of a query: did you mean 'where'\?/],
  ['where', /^the query: a plain object/],
])('a query is refused with the place of its fault: %#', (query, message) => {
  expect(fault(query)).toMatch(message)
})

it('what is checked is a copy, so a getter that changes its mind changes nothing', () => {
  let reads = 0
  const where = {
    get a() {
      return ++reads < 3 ? 1 : { $where: 'x' }
    },
  }
  expect(['none', 'where.a.$where: there is no such operator']).toContain(fault({ where }).split(': there are')[0])
  expect(
    fault({
      where: {
        get a(): never {
          throw new Error('no')
        },
      } as object,
    }).length,
  ).toBeGreaterThan(0)
})

it('a whole query where only its condition belongs is a fault, and a field of that name is not', () => {
  expect(() => checkCounted({ where: { city: 'Lyon' } })).toThrow(/count takes the conditions alone/)
  for (const where of [{ where: 'here' }, { where: { $gt: 1 } }, { where: { $eq: { city: 'Lyon' } } }, {}, undefined])
    expect(() => checkCounted(where)).not.toThrow()
})

it('every operator of the language passes, nested as deep as is allowed', () => {
  const every = {
    a: { $eq: 1, $ne: 2, $gt: 0, $gte: 1, $lt: 3, $lte: 2, $in: [1], $nin: [2], $not: { $exists: false } },
    b: { $startsWith: 'x' },
    c: { $elemMatch: { $gt: 1 } },
    d: { $elemMatch: { e: 1, $or: [{ f: 1 }] } },
    $and: [{ g: null }],
    $or: [{ h: [1, new Date(0), Uint8Array.of(1), 5n] }],
  }
  expect(fault({ where: every })).toBe('none')
  expect(fault({ where: conjunctions(14) })).toBe('none')
})

interface Person {
  name: string
  age?: number
  address: { city: string; geo: readonly number[] }
  tags: string[]
  orders: { price: number; at: Date }[]
  photo: Uint8Array | null
}

it('types: a misspelt field, another type and an unknown operator do not compile', () => {
  const good: Query<Person>[] = [
    { where: { name: 'Ada', age: { $gte: 30 }, 'address.city': { $in: ['Lyon', null] } }, orderBy: '-age' },
    { where: { tags: 'x', 'orders.price': { $lt: 5 }, 'orders.at': { $gt: new Date(0) }, 'orders.0.price': 1 } },
    { where: { tags: { $elemMatch: { $startsWith: 'a' } }, orders: { $elemMatch: { price: { $gt: 1 } } } } },
    {
      where: { photo: null, $or: [{ age: null }, { 'address.geo.0': { $not: { $gt: 3 } } }] },
      orderBy: ['name', '-age'],
    },
  ]
  const loose: Query<unknown>[] = [{ where: { anything: { $gt: 1 }, 'deep.down': 'x' }, orderBy: '-whatever' }]
  const bad: Query<Person>[] = [
    // @ts-expect-error there is no field of this name
    { where: { nmae: 'Ada' } },
    // @ts-expect-error nor of this one
    { where: { 'address.citi': 'Lyon' } },
    // @ts-expect-error a number is no text
    { where: { name: 5 } },
    // @ts-expect-error a number is compared with numbers
    { where: { age: { $gt: 'x' } } },
    // @ts-expect-error there is no such operator
    { where: { age: { $gtt: 1 } } },
    // @ts-expect-error elements are text
    { where: { tags: 5 } },
    // @ts-expect-error there is no field of this name to order by
    { orderBy: '-agee' },
    // @ts-expect-error a condition is typed within $or, too
    { where: { $or: [{ nmae: 'Ada' }] } },
  ]
  expect([good.length, loose.length, bad.length]).toEqual([4, 1, 8])
})

it.each([
  ['index', () => checkIndexNames('-age')],
  ['index', () => checkIndexNames(['city', '-age'])],
  ['select', () => checkQuery({ select: '-age' })],
  ['groupBy', () => checkAggregate({ groupBy: '-age', count: true })],
  ['sum', () => checkAggregate({ sum: '-age' })],
])('in %s a direction is refused: it would stand for a field that no value has', (place, check) => {
  expect(check).toThrow(`${place}: only orderBy has directions: leave out the - of "-age"`)
  expect(check).toThrow(expect.objectContaining({ code: 'INVALID_QUERY' }))
})

it('what is far too large is refused at its limit, and is not looked through', () => {
  let shared: unknown = [1]
  for (let i = 0; i < 25; i++) shared = [shared, shared]
  const long = Array.from({ length: 3_000_000 }, (_, i) => i)
  const beganMs = performance.now()
  for (const operand of [shared, long])
    expect(fault({ where: { a: { $in: operand } } })).toMatch(/^where: larger than 64 KiB/)
  expect(performance.now() - beganMs).toBeLessThan(1000)
})
