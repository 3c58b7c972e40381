import fc from 'fast-check'
import { afterEach, expect, it } from 'vitest'
import { TestGrids } from '../rig/test-grids.ts'
import type { LiveQuery, RowChange } from './live-query.ts'

interface Task {
  title: string
  rank: number
}

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const keysOf = (live: LiveQuery<Task>): string[] => live.rows.map(({ key }) => key)

it('rows enter, change their place and leave, also by the limit, and each reader gets it once', async () => {
  const map = (await grids.open()).map<Task>('tasks')
  const live = await map.live({ where: { rank: { $gt: 0 } }, orderBy: 'rank', limit: 2 })
  const changes: string[] = []
  const read = (async () => {
    for await (const { type, key, value, previous } of live)
      changes.push(`${type} ${key} ${previous?.rank ?? ''}>${value?.rank ?? ''}`)
  })()
  let calls = 0
  live.subscribe(() => calls++)
  await map.set('a', { title: 'a', rank: 5 })
  await map.set('b', { title: 'b', rank: 0 })
  await map.set('c', { title: 'c', rank: 7 })
  await map.set('d', { title: 'd', rank: 6 })
  expect(keysOf(live)).toEqual(['a', 'd'])
  await map.set('a', { title: 'a', rank: 8 })
  expect(keysOf(live)).toEqual(['d', 'c'])
  await map.set('d', { title: 'new', rank: 6 })
  await map.set('c', { title: 'c', rank: 1 })
  await map.delete('d')
  expect(keysOf(live)).toEqual(['c', 'a'])
  expect(calls).toBe(7)
  live.close()
  await read
  expect(changes).toEqual([
    ...['enter a >5', 'enter c >7', 'leave c 7>', 'enter d >6', 'leave a 5>', 'enter c >7', 'update d 6>6'],
    ...['move c 7>1', 'leave d 6>', 'enter a >8'],
  ])
})

it('the snapshot is one frozen array until a row changes, and rows that did not change stay the same objects', async () => {
  const map = (await grids.open()).map<Task>('tasks')
  await map.set('a', { title: 'a', rank: 1 })
  await map.set('b', { title: 'b', rank: 2 })
  const live = await map.live({ where: { rank: { $lt: 5 } }, orderBy: '-rank' })
  const before = live.getSnapshot()
  await map.set('other', { title: 'x', rank: 9 })
  expect(live.getSnapshot()).toBe(before)
  expect(live.rows).toBe(before)
  expect(Object.isFrozen(before) && Object.isFrozen(before[0]) && Object.isFrozen(before[0]!.value)).toBe(true)
  void map.set('a', { title: 'a', rank: 3 })
  const after = live.getSnapshot()
  expect(after.map(({ key }) => key)).toEqual(['a', 'b'])
  expect(after[1]).toBe(before[0])
  live.close()
})

it('follows another peer, what expires, and ends with the grid, with its last rows', async () => {
  const [here, there] = [await grids.open(), await grids.open()]
  const live = await here.map<Task>('tasks').live({ orderBy: 'rank' })
  const theirs = there.map<Task>('tasks')
  await theirs.set('long', { title: 'x', rank: 2 })
  await theirs.set('short', { title: 'x', rank: 1 }, { ttlMs: 2000 })
  await expect.poll(() => keysOf(live)).toEqual(['short', 'long'])
  await expect.poll(() => keysOf(live)).toEqual(['long'])
  const loop = live.changes()
  const next = loop.next()
  await here.close()
  expect(await next).toEqual({ value: undefined, done: true })
  expect(keysOf(live)).toEqual(['long'])
})

it('a slow reader gets a mark for what was left out', async () => {
  const map = (await grids.open()).map<Task>('tasks')
  const live = await map.live()
  const loop = live.changes({ bufferMax: 3 })
  for (let i = 0; i < 9; i++) await map.set(`${i}`, { title: 'x', rank: i })
  const types: string[] = []
  let missed = 0
  while (types.length + missed < 10) {
    const change = (await loop.next()).value as RowChange<Task>
    types.push(change.type)
    missed += change.missed
  }
  expect([types.length, missed]).toEqual([4, 6])
  expect(types.filter((type) => type === 'lagged')).toEqual(['lagged'])
  live.close()
})

it('faults have a code', async () => {
  const map = (await grids.open()).map<Task>('tasks')
  await expect(map.live({ where: { rank: { $near: 1 } } } as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  await expect(map.live({ after: 'x' } as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  const live = await map.live()
  expect(() => live.subscribe(5 as never)).toThrow(/a listener is a function/)
  live.close()
})

const edit = fc.tuple(
  fc.integer({ min: 0, max: 12 }).map(String),
  fc.option(fc.record({ title: fc.constantFrom('x', 'y'), rank: fc.integer({ min: 0, max: 6 }) }), { nil: undefined }),
)

it.each(['value', 'fields'] as const)(
  'whatever is written, in a map with merge %s, the rows are those of the query, and the changes lead from one to the next',
  async (merge) => {
    const grid = await grids.open()
    let maps = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(edit, { minLength: 1, maxLength: 5 }), { maxLength: 12 }),
        fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
        fc.constantFrom('rank', '-rank', 'title'),
        async (steps, limit, orderBy) => {
          const map = grid.map<Task>(`${merge} ${++maps}`, { merge })
          const query = { where: { rank: { $gte: 2 } }, orderBy, limit } as const
          const live = await map.live(query as never)
          const loop = live.changes()
          const shown = new Map<string, Task>()
          for (const step of steps) {
            await map.transact((batch) => {
              for (const [key, value] of step)
                if (value === undefined) batch.delete(key)
                else batch.set(key, value)
            })
            const { rows } = await map.query(query as never)
            expect(live.rows).toEqual(rows)
            await map.set('mark', { title: 'mark', rank: 0 })
            while (!(loop as unknown as { readonly isCaughtUp: boolean }).isCaughtUp) {
              const { type, key, value, previous } = (await loop.next()).value as RowChange<Task>
              expect(type === 'enter').toBe(!shown.has(key))
              if (type !== 'enter') expect(previous).toEqual(shown.get(key))
              if (type === 'leave') shown.delete(key)
              else shown.set(key, value!)
            }
            expect([...shown].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(
              rows.map(({ key, value }) => [key, value]).toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
            )
          }
          live.close()
          await grid.dropCollection(map.name)
        },
      ),
      { numRuns: 150 },
    )
  },
)

it('with many rows, a few changes or hundreds of them, the snapshot has the rows of the query, and the others are the same objects', async () => {
  const map = (await grids.open()).map<Task>('tasks')
  const entries = Array.from({ length: 700 }, (_, i) => [`${i}`, { title: 'x', rank: (i * 37) % 700 }] as const)
  await map.setMany(entries)
  const query = { where: { rank: { $gte: 0 } }, orderBy: 'rank', limit: 600 } as const
  const live = await map.live(query)
  let before = live.rows
  for (const [from, count] of [...[1, 2, 3, 60, 1, 400].entries()].map(([i, many]) => [i * 97, many] as const)) {
    // Some change their place, some leave, some only their title, and some are new.
    for (let i = from; i < from + count; i++) {
      const key = `${(i * 13) % 720}`
      const rank = map.peek(key)?.rank ?? i
      await map.set(key, { title: `${i}`, rank: i % 4 === 0 ? rank : i % 4 === 1 ? -1 : 699 - rank })
    }
    const { rows } = await map.query(query)
    expect(live.rows).toEqual(rows)
    const known = new Set(before)
    expect(live.rows.filter((row) => !known.has(row)).length).toBeLessThanOrEqual(2 * count)
    expect(Object.isFrozen(live.rows)).toBe(true)
    before = live.rows
  }
  live.close()
})
