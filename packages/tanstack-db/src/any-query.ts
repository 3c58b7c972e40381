import { and, eq, gt, gte, ilike, inArray, isNull, isUndefined, length, like, lt, lte, not, or } from '@tanstack/db'
import fc from 'fast-check'

/** A row of tests: every field may be of several types, or not there. */
export interface City {
  name: string
  country?: string | null
  people: number | null
  founded?: Date
  tags?: string[]
}

const CITY: fc.Arbitrary<City> = fc.record(
  {
    name: fc.constantFrom('Lyon', 'lyon', 'Nice', 'Bonn', 'Bön', ''),
    country: fc.constantFrom('FR', 'DE', null),
    people: fc.constantFrom(null, -5, 0, 1, 2, 2.5, 10),
    founded: fc.constantFrom(new Date(0), new Date(5), new Date(1e12)),
    tags: fc.constantFrom(['x'], ['x', 'y']).map((tags) => [...tags]),
  },
  { requiredKeys: ['name', 'people'] },
) as fc.Arbitrary<City>
/** A write of a row, or its deletion. */
export const EDIT: fc.Arbitrary<[key: string, city: City | undefined]> = fc.tuple(
  fc.integer({ min: 0, max: 15 }).map((i) => `k${i}`),
  fc.option(CITY, { nil: undefined }),
)

/** Makes a condition of a row. */
export type Condition = (city: never) => never

const condition = (make: (city: Fields) => unknown): Condition => make as never
interface Fields {
  readonly id: string
  readonly name: string
  readonly country: string
  readonly people: number
  readonly founded: Date
}

const LEAF: fc.Arbitrary<Condition> = fc.oneof(
  fc.constantFrom('Lyon', 'Bonn').map((name) => condition((city) => eq(city.name, name))),
  fc.constantFrom('L%', '_yon', '%', 'Bonn').map((text) => condition((city) => like(city.name, text))),
  fc.constantFrom('l%', '%N%').map((text) => condition((city) => ilike(city.name, text))),
  fc.constantFrom('k1', 'k9').map((key) => condition((city) => eq(city.id, key))),
  fc.subarray(['k1', 'k2', 'k3']).map((keys) => condition((city) => inArray(city.id, keys))),
  fc.subarray([0, 2, 10]).map((list) => condition((city) => inArray(city.people, list))),
  fc
    .tuple(fc.constantFrom(eq, gt, gte, lt, lte), fc.constantFrom(-5, 1, 2, 10))
    .map(([compare, bound]) => condition((city) => compare(city.people, bound))),
  fc.constantFrom(0, 2).map((bound) => condition((city) => gt(bound, city.people))),
  fc
    .tuple(fc.constantFrom(eq, gt, lte), fc.constantFrom(new Date(0), new Date(5)))
    .map(([compare, bound]) => condition((city) => compare(city.founded, bound))),
  fc.constantFrom(
    condition((city) => isNull(city.country)),
    condition((city) => isUndefined(city.country)),
    condition((city) => eq(city.country, null as never)),
    condition((city) => gt(length(city.name), 3)),
  ),
)
/** Conditions, and conditions within conditions. */
export const WHERE: fc.Arbitrary<Condition> = fc.letrec<{ where: Condition }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 3 },
    LEAF,
    tie('where').map((one) => condition((city) => not(one(city as never)))),
    fc.tuple(tie('where'), tie('where')).map(([a, b]) => condition((city) => and(a(city as never), b(city as never)))),
    fc.tuple(tie('where'), tie('where')).map(([a, b]) => condition((city) => or(a(city as never), b(city as never)))),
  ),
})).where

/** An order with a window. */
export interface Order {
  readonly field: string
  readonly direction: 'asc' | 'desc'
  readonly nulls: 'first' | 'last'
  readonly stringSort: 'lexical' | 'locale'
  readonly limit: number
  readonly offset: number
}

export const ORDER: fc.Arbitrary<Order> = fc.record({
  field: fc.constantFrom('people', 'name', 'founded', 'country', 'id'),
  direction: fc.constantFrom('asc', 'desc'),
  nulls: fc.constantFrom('first', 'last'),
  stringSort: fc.constantFrom('lexical', 'locale'),
  limit: fc.integer({ min: 1, max: 6 }),
  offset: fc.constantFrom(0, 0, 3),
})
