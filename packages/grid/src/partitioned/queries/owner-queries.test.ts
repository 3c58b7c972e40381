import { INDEX_ROWS } from '@gossipgrid/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { Query } from '../../queries/query.ts'
import { anyEdit, anyField, anyOrderBy, anyWhere } from '../../rig/any-queries.ts'
import { TestGrids, diskInMemory, until } from '../../rig/test-grids.ts'
import { checkSelect, selected } from '../../queries/selection.ts'
import { schemaOf } from '../../rig/test-schemas.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { PartitionedMapOptions } from '../partition-options.ts'
import type { PartitionedMap } from '../partitioned-map.ts'

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

interface City {
  name: string
  country: string
  size: number
  note?: string
}

const KEYS = Array.from({ length: 64 }, (_, i) => `key ${i}`)

function mapOf<Value = City>(grid: Grid, options: Partial<PartitionedMapOptions<Value>> = {}): PartitionedMap<Value> {
  return grid.map<Value>('m', { mode: 'partitioned', partitions: 16, owners: 2, ...options })
}

async function openAll(count: number, options: Partial<PartitionedMapOptions<never>> = {}): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) mapOf<never>(grid, options)
  await whole(all)
  return all
}

/** Waits until each of these peers owns some of the keys as each of them sees it, and all owners are whole. */
async function whole(all: readonly Grid[], seenBy: readonly Grid[] = all): Promise<void> {
  const isWholeAt = async (grid: Grid): Promise<boolean> => {
    const owners = (await Promise.all(KEYS.map((key) => grid.owners('m', key)))).flat()
    const owning = new Set(owners.map(({ peerId }) => peerId))
    return all.every(({ peerId }) => owning.has(peerId)) && owners.every(({ state }) => state === 'whole')
  }
  await until(async () => (await Promise.all(seenBy.map(isWholeAt))).every(Boolean), 'all owners are whole')
}

function cities(count: number): [string, City][] {
  return Array.from({ length: count }, (_, i) => {
    return [`city ${i}`, { name: `n${i % 7}`, country: i % 3 === 0 ? 'FR' : 'DE', size: (i * 7919) % 1000 }]
  })
}

describe('a query of a partitioned map', () => {
  it('gives what one of a replicated map gives, at every peer: an owner, a light peer, and one that is behind another', async () => {
    const all = await openAll(4)
    const light = await grids.open({ role: 'light' })
    const local = all[0]!.map<City>('local')
    await local.setMany(cities(300))
    await mapOf(all[0]!).setMany(cities(300), { copies: 'all' })
    const queries: Query<City>[] = [
      {},
      { where: { country: 'FR' }, orderBy: '-size', limit: 20 },
      { where: { size: { $gte: 200 }, country: { $ne: 'FR' } }, orderBy: ['name', '-size'] },
      { where: { name: 'nowhere' } },
    ]
    for (const grid of [...all, light]) {
      for (const query of queries) {
        const expected = await local.query(query)
        const found = await mapOf(grid).query(query)
        expect(found).toEqual({ ...expected, complete: true, unanswered: [] })
        expect(await mapOf(grid).count(query.where)).toEqual({
          count: await local.count(query.where),
          complete: true,
          unanswered: [],
        })
      }
      const aggregate = { groupBy: 'country', count: true, sum: 'size', min: 'name', max: 'size', avg: 'size' } as const
      expect((await mapOf(grid).aggregate(aggregate)).rows).toEqual((await local.aggregate(aggregate)).rows)
    }
    expect(await mapOf(light).aggregate({ where: { name: 'nowhere' }, count: true })).toMatchObject({
      rows: [{ count: 0 }],
    })
  })

  it('gives the same for any entries, edits, conditions, orders and indexes, in maps of values and of fields', async () => {
    const all = await openAll(3)
    const shape = { mode: 'partitioned', partitions: 16, owners: 2, merge: 'fields' } as const
    const locals = [all[0]!.map<unknown>('values'), all[0]!.map<unknown>('fields', { merge: 'fields' })]
    const routed = [all.map((grid) => mapOf<unknown>(grid)), all.map((grid) => grid.map<unknown>('f', shape))]
    await until(async () => (await routed[1]![2]!.size()).complete, 'it is registered')
    const property = fc.asyncProperty(
      fc.array(anyEdit, { maxLength: 40 }),
      fc.array(fc.tuple(anyWhere, anyOrderBy, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 4 }),
      fc.option(fc.uniqueArray(anyField, { minLength: 1, maxLength: 2 })),
      fc.uniqueArray(anyField, { minLength: 1, maxLength: 2 }),
      fc.constantFrom(0, 1),
      async (edits, queries, fields, select, kind) => {
        const local = locals[kind]!
        const maps = routed[kind]!
        const index = fields === null ? undefined : await maps[1]!.index(fields)
        await local.clear()
        await maps[0]!.clear({ copies: 'all' })
        // Each key once in each round.
        for (let left = edits; left.length > 0;) {
          const round = new Map(left.toReversed())
          left = left.filter((edit) => edit[1] !== round.get(edit[0]))
          await Promise.all(
            Array.from(round, async ([key, value], i) => {
              const map = maps[i % 3]!
              await (value === undefined ? map.delete(key, { copies: 'all' }) : map.set(key, value, { copies: 'all' }))
              await (value === undefined ? local.delete(key) : local.set(key, value))
            }),
          )
        }
        for (const [where, orderBy, limit] of queries) {
          let after: string | undefined
          let page = 0
          do {
            const query = { where, orderBy, limit, after } as Query<unknown>
            const expected = await local.query(query)
            const found = await maps[page++ % 3]!.query(query)
            expect(found).toEqual({ ...expected, complete: true, unanswered: [] })
            const some = await maps[page % 3]!.query({ ...query, select } as never)
            const rows = expected.rows.map(({ key, value }) => ({ key, value: selected(value, checkSelect(select)) }))
            expect(some).toEqual({ ...found, rows })
            after = expected.next
          } while (after !== undefined)
        }
        await index?.drop()
      },
    )
    await fc.assert(property, { numRuns: 20 })
  }, 60_000)

  it('has pages that name each key once, none skipped and the newest, while a partition moves and rows change', async () => {
    const all = await openAll(3)
    const writer = mapOf(all[1]!)
    const reader = mapOf(all[2]!)
    const entries = cities(1500).map(([key, city], i): [string, City] => [
      key,
      { ...city, country: i < 1000 ? 'FR' : 'DE' },
    ])
    await writer.setMany(entries, { copies: 'all' })
    const written = new Map<string, string>()
    const seen: string[] = []
    let after: string | undefined
    let pages = 0
    let fourth: Promise<Grid> | undefined
    let leaving: Promise<unknown> | undefined
    do {
      if (pages === 20)
        fourth = grids.open({ storage: diskInMemory() }).then((grid) => {
          mapOf(grid)
          return grid
        })
      if (pages === 60) await whole([...all, await fourth!])
      // It may take a minute to go. Meanwhile its partitions move back.
      if (pages === 70) leaving = (await fourth!).leave().catch(() => undefined)
      // Others change: one in what it shows, one so that it matches no longer, which is behind all that are left.
      const [key, city] = entries[(pages * 37) % 1000]!
      written.set(key, `page ${pages}`)
      await writer.set(key, { ...city, note: `page ${pages}` }, { copies: 'all' })
      const page = await reader.query({ where: { country: 'FR' }, orderBy: 'size', limit: 10, after })
      expect(page).toMatchObject({ complete: true, unanswered: [] })
      for (const { key: each, value } of page.rows) {
        seen.push(each)
        expect(value.note).toBe(written.get(each))
      }
      after = page.next
      pages += 1
    } while (after !== undefined)
    expect(leaving).toBeDefined()
    expect(pages).toBe(100)
    expect(seen.toSorted()).toEqual(
      entries
        .slice(0, 1000)
        .map(([key]) => key)
        .toSorted(),
    )
  }, 240_000)

  it('shows what this peer has written, at once', async () => {
    const all = await openAll(3)
    const light = mapOf(await grids.open({ role: 'light' }))
    for (let i = 0; i < 10; i++) {
      for (const map of [...all.map((grid) => mapOf(grid)), light]) {
        await map.set(`own ${i}`, { name: 'own', country: 'FR', size: i })
        const { rows } = await map.query({ where: { name: 'own', size: i } })
        expect(rows).toEqual([{ key: `own ${i}`, value: { name: 'own', country: 'FR', size: i } }])
        await map.set(`own ${i}`, { name: 'other', country: 'FR', size: i })
        expect((await map.query({ where: { name: 'own', size: i } })).rows).toEqual([])
        await map.delete(`own ${i}`)
        expect((await map.query({ where: { name: 'other', size: i } })).rows).toEqual([])
      }
    }
  })

  it('names the partitions that no owner has answered for, and has the rows of the others', async () => {
    const all = await openAll(3, { owners: 1 })
    const map = mapOf(all[0]!, { owners: 1 })
    await map.setMany(cities(200), { copies: 'all' })
    grids.split([0, 1], [2])
    await until(() => all[0]!.members.some(({ state }) => state !== 'alive'), 'it is gone')
    const lost: number[] = []
    let expected = 0
    for (const [key] of cities(200)) {
      const owners = await all[0]!.owners('m', key)
      if (owners.some(({ peerId }) => peerId === all[2]!.peerId)) lost.push(1)
      else expected += 1
    }
    expect(lost.length).toBeGreaterThan(0)
    const found = await map.query({}, { timeoutMs: 500 })
    expect(found.complete).toBe(false)
    expect(found.unanswered.length).toBeGreaterThan(0)
    expect(found.rows.length).toBe(expected)
    expect(await map.count(undefined, { timeoutMs: 500 })).toEqual({
      ...found,
      rows: undefined,
      next: undefined,
      count: expected,
    })
  }, 60_000)

  it('rejects what is no query as one of a replicated map does', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await expect(map.query({ where: { $where: '1' } } as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await expect(map.count({ size: { $regex: 'a' } } as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await expect(map.aggregate({} as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await expect(map.query({}, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(map.index([] as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  })

  it('hides what the schema of its reader refuses, and fills the page', async () => {
    const all = await openAll(2)
    await mapOf(all[0]!).setMany(cities(100), { copies: 'all' })
    const schema = schemaOf<City>((value) =>
      (value as City).size % 2 === 0 ? { value: value as City } : { issues: [{ message: 'odd' }] },
    )
    const third = await grids.open({ role: 'light' })
    const even = cities(100).filter(([, { size }]) => size % 2 === 0)
    const { rows } = await mapOf<City>(third, { schema }).query({ limit: 30 })
    expect(rows.length).toBe(30)
    expect(rows.every(({ value }) => value.size % 2 === 0)).toBe(true)
    expect((await mapOf<City>(third).query()).rows.length).toBe(even.length)
  })

  it('gives pages of more rows than one answer has', async () => {
    const all = await openAll(2)
    const entries = cities(5000)
    await mapOf(all[0]!).setMany(entries, { copies: 'all' })
    const light = await grids.open({ role: 'light' })
    const { rows, next } = await mapOf(light).query({ orderBy: '-size' })
    expect(next).toBeUndefined()
    expect(rows.map(({ key }) => key).toSorted()).toEqual(entries.map(([key]) => key).toSorted())
    expect(rows.every(({ value }, i) => i === 0 || rows[i - 1]!.value.size >= value.size)).toBe(true)
  })
})

describe('an index of a partitioned map', () => {
  it('is kept by its owners, also by one that comes later, until it is dropped', async () => {
    const all = await openAll(2)
    await mapOf(all[0]!).setMany(cities(400), { copies: 'all' })
    const light = mapOf(await grids.open({ role: 'light' }))
    const index = await light.index(['country', 'size'])
    expect(index.names).toEqual(['country', 'size'])
    const query: Query<City> = { where: { country: 'FR' }, orderBy: 'size', limit: 10 }
    const isUsed = async (peers: number): Promise<boolean> => {
      const plan = await light.explain(query)
      return (
        plan.index?.join() === 'country,size' &&
        plan.ordered &&
        plan.peers.length === peers &&
        plan.looked <= 11 * peers
      )
    }
    await until(() => isUsed(1), 'the owner that is asked uses it')
    expect((await light.query(query)).rows).toEqual((await mapOf(all[0]!).query(query)).rows)
    expect((await mapOf(all[1]!).indexes()).map(({ names }) => names)).toEqual([['country', 'size']])

    const third = await grids.open({ storage: diskInMemory() })
    mapOf(third)
    await whole([...all, third])
    const wide: Query<City> = { where: { country: 'FR', size: { $lt: 500 } }, orderBy: 'size' }
    const expected = cities(400).filter(([, { country, size }]) => country === 'FR' && size < 500).length
    for (const grid of [...all, third]) {
      await until(async () => (await mapOf(grid).explain(query)).index !== undefined, 'it uses it')
      expect((await mapOf(grid).query(wide)).rows.length).toBe(expected)
    }
    expect(await index.drop()).toBe(true)
    expect(await index.drop()).toBe(false)
    await until(async () => (await mapOf(all[1]!).explain(query)).index === undefined, 'it is gone')
    expect(await light.indexes()).toEqual([])
    await light.index('name')
    await until(async () => (await mapOf(all[0]!).indexes()).length === 1, 'it is known')
    const { rows } = (all[0] as unknown as { writes: WritePath }).writes.pump.peer.housekeeping
    expect(rows.of(INDEX_ROWS).length).toBe(1)
    await all[0]!.dropCollection('m')
    expect(rows.of(INDEX_ROWS)).toEqual([])
  }, 60_000)

  it('follows entries that change, come with a copy and go with one', async () => {
    const all = await openAll(2)
    const map = mapOf(all[0]!)
    await map.index('size')
    await map.setMany(cities(300), { copies: 'all' })
    const third = await grids.open({ storage: diskInMemory() })
    mapOf(third)
    await whole([...all, third])
    for (let i = 0; i < 300; i += 3) await map.set(`city ${i}`, { name: 'x', country: 'IT', size: 5000 + i })
    for (let i = 1; i < 300; i += 30) await map.delete(`city ${i}`, { copies: 'all' })
    await until(async () => {
      const counts = await Promise.all([...all, third].map((grid) => mapOf(grid).count({ size: { $gte: 5000 } })))
      return counts.every(({ count }) => count === 100)
    }, 'all see the changes')
    for (const grid of [...all, third]) {
      expect(await mapOf(grid).explain({ where: { size: { $gte: 5000 } } })).toMatchObject({
        index: ['size'],
        given: 100,
      })
      expect((await mapOf(grid).query()).rows.length).toBe(290)
    }
  }, 60_000)
})
