import { createCollection, createLiveQueryCollection, localOnlyCollectionOptions } from '@tanstack/db'
import type { LoadSubsetOptions } from '@tanstack/db'
import fc from 'fast-check'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap } from 'gossipgrid'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadRows } from './load-rows.ts'
import { EDIT, ORDER, WHERE } from './any-query.ts'
import type { City, Condition, Order } from './any-query.ts'
import { rowFormOf } from './row-form.ts'
import { mayMatch, surelyMatches } from './row-test.ts'

type Row = City & { id: string }

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const form = rowFormOf({ keyField: 'id' })
let grid: Grid
let maps = 0

beforeAll(async () => {
  grid = await openGrid({ name: 'load rows', listen: [], mdns: false, logger: silent })
})
afterAll(() => grid.close())

/** A live query of a collection with this condition, in the order of one field. */
function queryOf(source: never, where: Condition | undefined, order: Order | undefined, window?: Order) {
  return createLiveQueryCollection((q) => {
    let query = q.from({ city: source as ReturnType<typeof collectionOf> })
    if (where !== undefined) query = query.where(({ city }) => where(city as never))
    if (order === undefined) return query
    const { field, limit: _, offset: __, ...compareOptions } = order
    query = query.orderBy(({ city }) => city[field as 'people'], compareOptions as never)
    return window === undefined ? query : query.limit(window.limit).offset(window.offset)
  })
}

const collectionOf = (rows: readonly Row[]) =>
  createCollection(localOnlyCollectionOptions({ getKey: ({ id }: Row) => id, initialData: [...rows] }))

/** What TanStack DB asks an adapter for first. */
async function requestFor(where: Condition | undefined, order: Order | undefined): Promise<LoadSubsetOptions> {
  const requests: LoadSubsetOptions[] = []
  const asking = createCollection<Row, string>({
    getKey: ({ id }) => id,
    syncMode: 'on-demand',
    sync: {
      sync: ({ markReady }) => {
        markReady()
        return { loadSubset: (options) => requests.push(options) > 0 || true }
      },
    },
  })
  const query = queryOf(asking as never, where, order, order)
  await query.preload()
  await query.cleanup()
  return requests[0]!
}

async function keysLoaded(map: GridMap<City>, request: LoadSubsetOptions): Promise<Set<string>> {
  const { entries } = await loadRows(map as GridMap<object>, form, request)
  return new Set(entries.map(([key]) => key))
}

it('what is loaded has every row that is asked for, and of a window every row that is equal to the last one in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(EDIT, { maxLength: 30 }),
      fc.option(WHERE, { nil: undefined }),
      fc.option(ORDER, { nil: undefined }),
      async (edits, where, order) => {
        const map = grid.map<City>(`cities ${++maps}`)
        for (const [key, city] of edits) if (city !== undefined) await map.set(key, city)
        const rows = map.peekEntries().map(([key, city]) => ({ ...city, id: key }))
        const request = await requestFor(where, order)
        const all = collectionOf(rows)
        const matching = queryOf(all as never, where, order)
        await matching.preload()
        let asked = matching.toArray
        for (const row of rows) {
          const isAsked = asked.some(({ id }) => id === row.id)
          if (request.where === undefined) continue
          expect(mayMatch(request.where)(row) || !isAsked).toBe(true)
          expect([isAsked, undefined]).toContain(surelyMatches(request.where, row))
        }
        if (order !== undefined && request.limit !== undefined) {
          const fieldOf = (row: object): unknown => {
            const value = (row as Record<string, unknown>)[order.field]
            return value instanceof Date ? value.getTime() : (value ?? null)
          }
          const last = asked[request.limit + (request.offset ?? 0) - 1]
          const end =
            last === undefined ? asked.length : asked.findLastIndex((row) => fieldOf(row) === fieldOf(last)) + 1
          asked = asked.slice(0, end)
        }
        const loaded = await keysLoaded(map, request)
        expect(asked.map(({ id }) => id).filter((id) => !loaded.has(id))).toEqual([])
        await Promise.all([matching.cleanup(), all.cleanup()])
        await grid.dropCollection(map.name)
      },
    ),
    { numRuns: 120 },
  )
})

it('what the language of queries can say is not loaded for nothing', async () => {
  const map = grid.map<City>(`cities ${++maps}`)
  for (let i = 0; i < 100; i++)
    await map.set(`k${i}`, { name: i % 2 === 0 ? 'Lyon' : 'Bonn', people: i < 5 ? null : i, country: 'FR' })
  await map.set('nowhere', { name: 'Utopia', people: 200 })
  const { and, eq, gt, inArray, isNull, isUndefined, like, not, or } = await import('@tanstack/db')
  const count = async (where: (city: Row) => unknown): Promise<number> =>
    (await keysLoaded(map, await requestFor(where as unknown as Condition, undefined))).size
  expect(await count((city) => eq(city.name, 'Lyon'))).toBe(50)
  expect(await count((city) => not(eq(city.name, 'Lyon')))).toBe(51)
  expect(await count((city) => like(city.name, 'Ly%'))).toBe(50)
  expect(await count((city) => and(gt(city.people, 10), not(gt(city.people, 20))))).toBe(10)
  expect(await count((city) => or(eq(city.people, 10), gt(98, city.people)))).toBe(93)
  expect(await count((city) => isNull(city.people))).toBe(5)
  expect(await count((city) => not(isNull(city.people)))).toBe(96)
  expect(await count((city) => not(isNull(city.country)))).toBe(101)
  expect(await count((city) => isUndefined(city.country))).toBe(1)
  expect(await count((city) => inArray(city.people, [7, 8, null as never]))).toBe(2)
  expect(await count((city) => inArray(city.id, ['k1', 'k2', 'none']))).toBe(2)
  expect(await count((city) => and(eq(city.id, 'k1'), eq(city.name, 'Lyon')))).toBe(1)
  expect(await count((city) => eq(city.people, null as never))).toBe(0)
})
