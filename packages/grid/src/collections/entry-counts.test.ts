import { afterEach, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** Entries and rows of each collection in the status of a grid. */
function counts(grid: Grid): Record<string, [entries: number, rows: number]> {
  return Object.fromEntries(grid.status().collections.map(({ name, entries, rows }) => [name, [entries, rows]]))
}

async function pair(): Promise<[Grid, Grid]> {
  const [a, b] = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
  await b.ready()
  return [a, b]
}

it('counts objects and keys at peers that have opened the collections, and at one that has opened none', async () => {
  const [a, b] = await pair()
  const reader = await grids.open()
  const agree = (expected: Record<string, [number, number]>): Promise<unknown> =>
    Promise.all(
      [a, b, reader].map((grid) =>
        expect.poll(() => counts(grid), { timeout: 30_000 }).toEqual(expect.objectContaining(expected)),
      ),
    )
  await a.map('m').set('k', 1)
  const objects = a.map('f', { merge: 'fields' })
  await objects.set('ada', { name: 'Ada', age: 36 })
  await objects.set('bob', { name: 'Bob' })
  await a.counters('cs').increment('/home', 3)
  await a.counters('cs').increment('/about')
  await b.counters('cs').increment('/home')
  await a.sets('ss').add('post', 'red')
  await a.sets('ss').add('post', 'blue')
  await a.set('s').add('x')
  await a.counter('c').increment()
  await agree({ m: [1, 1], f: [2, 5], cs: [2, 3], ss: [1, 2], s: [1, 1], c: [1, 1] })
  await objects.delete('ada')
  await objects.set('cyd', { name: 'Cyd' })
  await objects.set('bob', { name: 'Bob', age: 7 })
  await a.counters('cs').delete('/home')
  await a.sets('ss').delete('post')
  await a.sets('ss').add('other', 'red')
  // A delete of a counter leaves a row for each peer that had counted.
  await agree({ f: [2, 5], cs: [1, 3], ss: [1, 1] })
  expect(reader.metrics().collections.find(({ name }) => name === 'f')).toMatchObject({ entries: 2, rows: 5 })
  expect([a.counters('cs').size, a.sets('ss').size, objects.size]).toEqual([1, 1, 2])
})

it('goes on counting what was counted before it was opened, and begins again after a drop', async () => {
  const [a, b] = await pair()
  await a.map('f', { merge: 'fields' }).set('ada', { name: 'Ada', age: 36 })
  await until(() => b.collections().length > 0, 'it came')
  expect(counts(b)).toEqual({ f: [1, 3] })
  await a.map('f', { merge: 'fields' }).set('bob', { name: 'Bob' })
  await until(() => counts(b)['f']![0] === 2, 'the second object came')
  expect(b.map('f', { merge: 'fields' }).size).toBe(2)
  expect(counts(b)).toEqual({ f: [2, 5] })
  await a.dropCollection('f')
  await a.sets('f').add('k', 1)
  await until(() => b.collections().some(({ kind }) => kind === 'sets'), 'the new one came')
  expect(counts(b)).toEqual({ f: [1, 1] })
})

it('counts objects that expire until they have expired, and hidden ones', async () => {
  const grid = await grids.open()
  const map = grid.map('f', { merge: 'fields' })
  await map.set('ada', { name: 'Ada' }, { ttlMs: 1000 })
  await map.set('bob', { name: 'Bob' })
  expect(counts(grid)).toEqual({ f: [2, 4] })
  await expect.poll(() => counts(grid)).toEqual({ f: [1, 2] })
})

it('counts objects and keys of the partitions that are here, also where the collections are not open', async () => {
  const [a, b] = await pair()
  const objects = a.map('f', { mode: 'partitioned', merge: 'fields', partitions: 16 })
  await a.ready()
  await objects.set('ada', { name: 'Ada', age: 36 })
  await objects.set('bob', { name: 'Bob' })
  await a.sets('ss', { mode: 'partitioned', partitions: 16 }).add('post', 'red')
  await a.sets('ss', { mode: 'partitioned', partitions: 16 }).add('post', 'blue')
  for (const grid of [a, b])
    await expect.poll(() => counts(grid), { timeout: 60_000 }).toEqual({ f: [2, 5], ss: [1, 2] })
})
