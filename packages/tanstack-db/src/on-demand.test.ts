import {
  createCollection,
  createLiveQueryCollection,
  eq,
  gt,
  gte,
  inArray,
  localOnlyCollectionOptions,
} from '@tanstack/db'
import fc from 'fast-check'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap } from 'gossipgrid'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { gridCollectionOptions } from './index.ts'
import type { AnyMap } from './index.ts'
import { EDIT, ORDER, WHERE } from './any-query.ts'
import type { City } from './any-query.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let grid: Grid
let map: GridMap<City>
let maps = 0

beforeAll(async () => {
  grid = await openGrid({ name: 'on demand', listen: [], mdns: false, logger: silent })
})
afterAll(() => grid.close())
beforeEach(() => {
  map = grid.map<City>(`cities ${++maps}`)
  // It advises to make an index.
  vi.spyOn(console, 'warn').mockImplementation(() => undefined)
})
afterEach(() => void vi.restoreAllMocks())

const PARTITIONED = { mode: 'partitioned', partitions: 16 } as const

const onDemand = (of: AnyMap<City> = map) =>
  createCollection(gridCollectionOptions({ map: of, keyField: 'id', syncMode: 'on-demand' }))
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

async function fill(count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, i) => [`c${i}`, { name: `city ${i}`, people: i * 10 }] as const)
  await map.setMany(entries)
}

it('has the rows that a query asks for, follows them, and lets them go with the query', async () => {
  await fill(1000)
  const cities = onDemand()
  const large = createLiveQueryCollection((q) => q.from({ city: cities }).where(({ city }) => gte(city.people, 9900)))
  await large.preload()
  expect([large.size, cities.size]).toEqual([10, 10])
  await map.set('c5', { name: 'grown', people: 20_000 })
  await map.set('c6', { name: 'of no interest', people: 2 })
  await map.set('c999', { name: 'shrunk', people: 1 })
  await map.delete('c998')
  await settled()
  expect([large.size, cities.size, large.get('c5')?.name]).toEqual([9, 9, 'grown'])
  const one = createLiveQueryCollection((q) => q.from({ city: cities }).where(({ city }) => eq(city.id, 'c7')))
  await one.preload()
  expect([one.toArray.map(({ name }) => name), cities.size]).toEqual([['city 7'], 10])
  await large.cleanup()
  await settled()
  expect([...cities.keys()]).toEqual(['c7'])
  await one.cleanup()
  await settled()
  expect(cities.size).toBe(0)
})

it('reads a page of an ordered query, and the next ones, with an index of the map and without reading the rest', async () => {
  await fill(2000)
  await map.index('people')
  const asked = vi.spyOn(map, 'query')
  const cities = onDemand()
  const page = createLiveQueryCollection((q) =>
    q
      .from({ city: cities })
      .orderBy(({ city }) => city.people, 'desc')
      .limit(10),
  )
  await page.preload()
  expect(page.toArray.map(({ people }) => people)).toEqual(Array.from({ length: 10 }, (_, i) => 19_990 - i * 10))
  expect(cities.size).toBeLessThan(15)
  await page.utils.setWindow({ offset: 100, limit: 10 })
  expect(page.toArray.map(({ people }) => people)).toEqual(Array.from({ length: 10 }, (_, i) => 18_990 - i * 10))
  expect(cities.size).toBeLessThan(150)
  await map.delete('c1895')
  await expect.poll(() => page.toArray.map(({ people }) => people).at(-1)).toBe(18_890)
  for (const [query] of asked.mock.calls) expect((await map.explain(query)).looked).toBeLessThan(200)
  await page.cleanup()
})

it('keeps what it has written, although no query asks for it', async () => {
  const cities = onDemand()
  const few = createLiveQueryCollection((q) => q.from({ city: cities }).where(({ city }) => gt(city.people, 100)))
  await few.preload()
  await cities.insert({ id: 'a', name: 'small', people: 1 }).isPersisted.promise
  expect([few.size, cities.get('a')?.name]).toEqual([0, 'small'])
  await cities.update('a', (row) => void (row.people = 1000)).isPersisted.promise
  await expect.poll(() => few.size).toBe(1)
  await few.cleanup()
})

it('a condition that is larger than a query of the grid may be reads all, and gives the same', async () => {
  await fill(50)
  const names = Array.from({ length: 9000 }, (_, i) => `city ${i * 2}`)
  const cities = onDemand()
  const some = createLiveQueryCollection((q) => q.from({ city: cities }).where(({ city }) => inArray(city.name, names)))
  await some.preload()
  expect([some.size, cities.utils.isComplete()]).toEqual([25, true])
  await some.cleanup()
})

it('a row that changes while it is read is as it is in the end', async () => {
  await fill(10)
  const query = map.query.bind(map)
  vi.spyOn(map, 'query').mockImplementation(async (asked) => {
    const result = await query(asked)
    await map.set('c1', { name: 'newer', people: 1 })
    await map.delete('c2')
    await map.set('c99', { name: 'new', people: 1 })
    return result
  })
  const cities = onDemand()
  const all = createLiveQueryCollection((q) => q.from({ city: cities }))
  await all.preload()
  await settled()
  expect([all.size, all.get('c1')?.name, all.get('c99')?.name, all.has('c2')]).toEqual([10, 'newer', 'new', false])
  await all.cleanup()
})

it('is in error if the map is closed when rows are asked for', async () => {
  const other = await openGrid({ name: 'short', listen: [], mdns: false, logger: silent })
  const short = other.map<City>('cities')
  const cities = createCollection(gridCollectionOptions({ map: short, keyField: 'id', syncMode: 'on-demand' }))
  cities.startSyncImmediate()
  await settled()
  await other.close()
  const all = createLiveQueryCollection((q) => q.from({ city: cities }))
  await expect(all.preload()).rejects.toMatchObject({ code: 'CLOSED' })
})

it.each([
  ['every peer has', 100],
  ['is partitioned', 30],
])(
  'a query of a map that %s gives what it gives on all rows, whatever is asked for, and changes',
  async (kind, numRuns) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(EDIT, { maxLength: 30 }),
        fc.array(fc.array(EDIT, { maxLength: 4 }), { maxLength: 4 }),
        fc.option(WHERE, { nil: undefined }),
        fc.option(ORDER, { nil: undefined }),
        async (first, steps, where, order) => {
          const name = `cities ${++maps}`
          const map = kind === 'is partitioned' ? grid.map<City>(name, PARTITIONED) : grid.map<City>(name)
          const all = createCollection(localOnlyCollectionOptions({ getKey: (row: City & { id: string }) => row.id }))
          const write = async (edits: typeof first): Promise<void> => {
            for (const [key, value] of edits) {
              if (all.has(key)) all.delete(key)
              if (value !== undefined) all.insert({ ...value, id: key } as never)
              await (value === undefined ? map.delete(key) : map.set(key, value))
            }
          }
          await write(first)
          const queries = [onDemand(map), all].map((source) =>
            createLiveQueryCollection((q) => {
              let query = q.from({ city: source as ReturnType<typeof onDemand> })
              if (where !== undefined) query = query.where(({ city }) => where(city as never))
              if (order === undefined) return query
              const { field, limit, offset, ...compareOptions } = order
              query = query.orderBy(({ city }) => city[field as 'people'], compareOptions as never)
              return query
                .orderBy(({ city }) => city.id)
                .limit(limit)
                .offset(offset)
            }),
          )
          await Promise.all(queries.map((query) => query.preload()))
          const keysOf = (query: (typeof queries)[number]): string[] => {
            const keys = query.toArray.map(({ id }) => id)
            return order === undefined ? keys.toSorted() : keys
          }
          for (const step of [[], ...steps]) {
            await write(step)
            await expect.poll(() => keysOf(queries[0]!), { interval: 1, timeout: 3000 }).toEqual(keysOf(queries[1]!))
          }
          await Promise.all(queries.map((query) => query.cleanup()))
          await grid.dropCollection(map.name)
        },
      ),
      { numRuns },
    )
  },
)
