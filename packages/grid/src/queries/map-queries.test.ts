import { afterEach, expect, it } from 'vitest'
import { TestGrids } from '../rig/test-grids.ts'

interface City {
  name: string
  country: string
  population: number
  tags?: string[]
}

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const COUNTRIES = ['FR', 'DE', 'IT', 'ES', 'PT']

function city(i: number): City {
  return { name: `city ${i % 977}`, country: COUNTRIES[i % 5]!, population: (i * 7919) % 100_003 }
}

function* cities(count: number): Generator<[string, City]> {
  for (let i = 0; i < count; i++) yield [`c${i}`, city(i)]
}

it('what another peer writes and deletes is in the index, and in the next query', async () => {
  const [here, there] = [await grids.open(), await grids.open()]
  const [own, theirs] = [here, there].map((grid) => grid.map<City>('cities'))
  await own!.index('country')
  await theirs!.set('lyon', { name: 'Lyon', country: 'FR', population: 5 })
  const french = async (): Promise<string[]> => {
    return (await own!.query({ where: { country: 'FR' } })).rows.map(({ key }) => key)
  }
  await expect.poll(french).toEqual(['lyon'])
  expect(await own!.explain({ where: { country: 'FR' } })).toEqual({
    ...{ index: ['country'], ordered: true, looked: 1, given: 1 },
  })
  await theirs!.set('lyon', { name: 'Lyon', country: 'XX', population: 5 })
  await expect.poll(french).toEqual([])
  await theirs!.delete('lyon')
  await expect.poll(() => own!.count()).toBe(0)
})

it('entries that expire, or that the schema refuses, are not found, also by an index that had them', async () => {
  const isAdult = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        (value as { age: number }).age >= 18
          ? { value: value as { age: number } }
          : { issues: [{ message: 'a child' }] },
    },
  }
  const [here, there] = [await grids.open(), await grids.open()]
  const strict = here.map<{ age: number }>('people', { schema: isAdult })
  const loose = there.map<{ age: number }>('people')
  await strict.index('age')
  await loose.set('child', { age: 5 })
  await loose.set('adult', { age: 50 })
  await loose.set('brief', { age: 51 }, { ttlMs: 2000 })
  const keys = async (): Promise<string[]> => (await strict.query({ orderBy: 'age' })).rows.map(({ key }) => key)
  await expect.poll(keys).toEqual(['adult', 'brief'])
  await expect.poll(keys).toEqual(['adult'])
  await loose.set('child', { age: 18 })
  await expect.poll(keys).toEqual(['child', 'adult'])
  expect(strict.size).toBe(2)
})

it('a query of many entries leaves the event loop its turns, and its rows are those of one moment', async () => {
  const map = (await grids.open()).map<City>('cities')
  await map.setMany(cities(30_000))
  // Pairs of entries are always written together, so that one moment never has a pair with different numbers.
  const move = (to: number): void => {
    void map.transact((batch) => {
      batch.set('a', { name: 'pair', country: 'FR', population: to })
      batch.set('z', { name: 'pair', country: 'FR', population: to })
    })
  }
  let turns = 0
  move(0)
  const timer = setInterval(() => move(++turns), 0)
  const seen = new Set<number>()
  for (let round = 0; round < 8; round++) {
    const before = turns
    const { rows } = await map.query({ where: { $or: [{ name: 'pair' }, { population: { $gte: 50_000 } }] } })
    const pair = rows.filter(({ value }) => value.name === 'pair').map(({ value }) => value.population)
    expect(pair).toEqual([pair[0], pair[0]])
    seen.add(pair[0]!)
    expect(rows.length).toBeGreaterThan(14_000)
    expect(turns).toBeGreaterThan(before)
  }
  clearInterval(timer)
  expect(seen.size).toBeGreaterThan(1)
})

it('an index is built in many turns, misses nothing that is written meanwhile, and is the same one for all who ask', async () => {
  const map = (await grids.open()).map<City>('cities')
  await map.setMany(cities(30_000))
  let writes = 0
  const timer = setInterval(
    () => void map.set(`c${writes++ * 10}`, { name: 'new', country: 'CH', population: writes }),
    0,
  )
  const [index, same] = await Promise.all([map.index(['country', 'population']), map.index(['country', 'population'])])
  clearInterval(timer)
  expect(writes).toBeGreaterThan(0)
  expect([index.size, same.size]).toEqual([30_000, 30_000])
  const query = { where: { country: 'CH' }, orderBy: '-population' } as const
  expect((await map.explain(query)).index).toEqual(['country', 'population'])
  expect((await map.query(query)).rows.map(({ value }) => value.population)).toEqual(
    Array.from({ length: writes }, (_, i) => writes - i),
  )
  expect([index.drop(), index.drop()]).toEqual([true, false])
  expect((await map.explain(query)).index).toBeUndefined()
})

it('an index is chosen by what it saves, and one that cannot be used is not', async () => {
  const map = (await grids.open()).map<City>('cities')
  await map.setMany(cities(2000))
  await map.set('tagged', { name: 'x', country: 'FR', population: 1, tags: ['old', 'port'] })
  for (const names of [['country'], ['name'], ['country', 'population'], ['tags']] as const) await map.index(names)
  const used = async (...[query]: Parameters<typeof map.explain>): Promise<unknown> => (await map.explain(query)).index
  expect(await used({ where: { country: 'FR', name: 'city 5' } })).toEqual(['name'])
  expect(await used({ where: { country: 'FR', population: { $lt: 100 } } })).toEqual(['country', 'population'])
  expect(await used({ where: { country: { $in: ['FR', 'PT'] }, population: 7919 } })).toEqual(['country', 'population'])
  expect(await used({ orderBy: 'country', limit: 3 })).toEqual(['country'])
  expect(await used({ where: { tags: 'port' } })).toEqual(['tags'])
  expect(await used({ where: { population: 3 } })).toBeUndefined()
  expect(await used({ where: { country: { $ne: 'FR' } } })).toBeUndefined()
  expect(await used({ where: { $or: [{ country: 'FR' }, { name: 'x' }] } })).toBeUndefined()
  const page = await map.explain({ where: { country: 'FR' }, orderBy: '-population', limit: 5 })
  expect(page).toEqual({ index: ['country', 'population'], ordered: true, looked: 6, given: 5 })
})

it('a query with thousands of operands takes no longer for each entry than one with two', async () => {
  const map = (await grids.open()).map<{ n: number; t: string }>('many')
  await map.setMany(Array.from({ length: 20_000 }, (_, n) => [`${n}`, { n, t: `t${n}` }] as const))
  const cpuMs = async (count: number): Promise<number> => {
    const numbers = Array.from({ length: count }, (_, i) => i * 3)
    const before = process.cpuUsage()
    expect(await map.count({ n: { $in: numbers } })).toBe(count)
    const half = numbers.map((n) => `t${n}`)
    expect(await map.count({ $and: [{ t: { $in: half } }, { t: { $in: half.slice(1) } }] })).toBe(count - 1)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  await cpuMs(2)
  await map.index('t')
  // A look at each operand would take 20,000 * 4,000 * 20 ns = 1.6 s.
  const [few, many] = [await cpuMs(2), await cpuMs(4000)]
  expect(many - few).toBeLessThan(800)
})

it('aggregates count, sum and compare by group', async () => {
  const map = (await grids.open()).map<City>('cities')
  await map.setMany(cities(1000))
  const { rows, complete } = await map.aggregate({
    ...{ where: { population: { $gte: 0 } }, groupBy: 'country', count: true },
    ...{ sum: 'population', min: 'population', max: ['population', 'name'], avg: 'population' },
  })
  expect([complete, rows.map(({ group }) => group['country'])]).toEqual([true, COUNTRIES.toSorted()])
  for (const row of rows) {
    const own = Array.from(cities(1000), ([, each]) => each).filter(({ country }) => country === row.group['country'])
    const numbers = own.map(({ population }) => population)
    const sum = numbers.reduce((all, each) => all + each, 0)
    expect(row).toEqual({
      group: row.group,
      count: own.length,
      sum: { population: sum },
      min: { population: Math.min(...numbers) },
      max: {
        population: Math.max(...numbers),
        name: own
          .map(({ name }) => name)
          .toSorted()
          .at(-1),
      },
      avg: { population: sum / own.length },
    })
  }
  expect((await map.aggregate({ where: { country: 'XX' }, count: true, avg: 'population' })).rows).toEqual([
    { group: {}, count: 0, avg: { population: undefined } },
  ])
  await expect(map.aggregate({})).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  await expect(map.aggregate({ groupBy: 'name', count: true, wherre: {} } as object)).rejects.toThrow(/wherre/)
})

it('groups are bounded', async () => {
  const map = (await grids.open()).map<{ n: number }>('many')
  await map.setMany(Array.from({ length: 10_001 }, (_, n) => [`${n}`, { n }] as const))
  await expect(map.aggregate({ groupBy: 'n', count: true })).rejects.toMatchObject({ code: 'QUERY_TOO_LARGE' })
})

it('faults of an index have a code, and so has a closed grid', async () => {
  const grid = await grids.open()
  const map = grid.map<City>('cities')
  for (const names of [[], ['a', 'a'], 5, 'a..b', Array.from({ length: 9 }, (_, i) => `f${i}`)])
    await expect(map.index(names as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  const loose = grid.map('loose')
  for (let i = 0; i < 32; i++) await loose.index(`f${i}`)
  await expect(loose.index('more')).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await grid.close()
  await expect(map.query()).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(loose.index('more')).rejects.toMatchObject({ code: 'CLOSED' })
})

it('a page can be gone on with at another peer, after the row where it ended is gone', async () => {
  const [here, there] = [await grids.open(), await grids.open()]
  const [own, theirs] = [here, there].map((grid) => grid.map<City>('cities'))
  await own!.setMany(cities(500))
  await expect.poll(() => theirs!.size).toBe(500)
  await theirs!.index('population')
  const first = await own!.query({ orderBy: 'population', limit: 100 })
  const all = (await own!.query({ orderBy: 'population' })).rows.map(({ key }) => key)
  await theirs!.delete(first.rows.at(-1)!.key)
  const rest = await theirs!.query({ orderBy: 'population', after: first.next })
  expect([...first.rows, ...rest.rows].map(({ key }) => key)).toEqual(all)
  await expect(theirs!.query({ orderBy: '-population', after: first.next })).rejects.toThrow(/^after: not the next/)
})
