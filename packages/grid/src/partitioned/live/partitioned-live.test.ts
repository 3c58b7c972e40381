import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { LiveQuery, RowChange } from '../../live/live-query.ts'
import type { Query } from '../../queries/query.ts'
import { TestGrids, diskInMemory, until } from '../../rig/test-grids.ts'
import type { PartitionedMap } from '../partitioned-map.ts'

interface Score {
  points: number
  team: string
}

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

function mapOf(grid: Grid): PartitionedMap<Score> {
  return grid.map<Score>('m', { mode: 'partitioned', partitions: 16, owners: 3 })
}

function isSettled(all: readonly Grid[]): boolean {
  const owned = all.reduce((sum, grid) => sum + (grid.status().partitions?.owned ?? 0), 0)
  return (
    owned === 16 * Math.min(3, all.length) &&
    all.every((grid) => {
      const { owned: own, whole, handingOver } = grid.status().partitions ?? { owned: 0, whole: -1, handingOver: 1 }
      return own === whole && handingOver === 0
    })
  )
}

async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) mapOf(grid)
  await until(() => isSettled(all), 'all owners are whole')
  return all
}

function scores(count: number): [string, Score][] {
  return Array.from({ length: count }, (_, i) => [`key ${i}`, { points: (i * 7919) % 1000, team: `t${i % 3}` }])
}

/** Keeps a picture of the rows from the changes that a live query reports, and finds changes that make no sense. */
class Picture {
  readonly rows = new Map<string, Score>()
  readonly faults: string[] = []
  readonly done: Promise<void>

  constructor(live: LiveQuery<Score>) {
    for (const { key, value } of live.rows) this.rows.set(key, value)
    this.done = this.#run(live.changes())
  }

  async #run(changes: AsyncIterable<RowChange<Score>>): Promise<void> {
    for await (const { type, key, value } of changes) {
      if ((type === 'enter') === this.rows.has(key)) this.faults.push(`${type} ${key}`)
      if (type === 'leave') this.rows.delete(key)
      else this.rows.set(key, value!)
    }
  }
}

/** Writes and deletes until it is stopped. */
class Writer {
  written = 0
  readonly #map: PartitionedMap<Score>
  readonly #deletes: Promise<unknown>[] = []
  readonly #done: Promise<void>
  #isStopped = false

  constructor(map: PartitionedMap<Score>) {
    this.#map = map
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
    await Promise.all(this.#deletes)
  }

  async #run(): Promise<void> {
    for (; !this.#isStopped; this.written++) {
      const i = this.written
      const key = `key ${(i * 31) % 600}`
      if (i % 7 === 0) this.#deletes.push(this.#map.delete(key))
      else await this.#map.set(key, { points: (i * 137) % 3000, team: `t${i % 2}` })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** The rows of a live query are those of the query, once both have come to rest. */
async function isSame(live: LiveQuery<Score>, map: PartitionedMap<Score>, query: Query<Score>): Promise<boolean> {
  const { rows, complete } = await map.query(query)
  return complete && live.complete && JSON.stringify(rows) === JSON.stringify(live.rows)
}

const BEST: Query<Score> = { where: { team: 't1' }, orderBy: '-points', limit: 10 }

describe('a live query of a partitioned map', () => {
  it('has the rows of the query and keeps them current, at an owner and at a light peer', async () => {
    const all = await openAll(3)
    await mapOf(all[0]!).setMany(scores(600), { copies: 'all' })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    for (const grid of [all[1]!, light]) {
      const live = await mapOf(grid).live(BEST)
      expect(live.rows).toEqual((await mapOf(grid).query(BEST)).rows)
      await until(() => live.complete, 'all partitions have answered')
      const picture = new Picture(live)
      let calls = 0
      live.subscribe(() => calls++)
      await mapOf(all[0]!).set('new', { points: 2000, team: 't1' })
      await until(() => live.rows[0]?.key === 'new', 'it enters')
      expect([live.rows.length, calls]).toEqual([10, 1])
      await mapOf(all[2]!).set('new', { points: 1, team: 't1' })
      await until(() => live.rows.every(({ key }) => key !== 'new'), 'it leaves')
      await mapOf(all[2]!).delete(live.rows[0]!.key)
      await until(() => isSame(live, mapOf(grid), BEST), 'the next row comes')
      expect([...picture.rows.keys()].toSorted()).toEqual(live.rows.map(({ key }) => key).toSorted())
      live.close()
      await picture.done
      expect(picture.faults).toEqual([])
      const { rows } = live
      await mapOf(all[0]!).set('late', { points: 3000, team: 't1' }, { copies: 'all' })
      expect(live.rows).toBe(rows)
      await mapOf(all[0]!).delete('late')
    }
  })

  it('asks for the next rows when many leave, and lets rows go when many come', async () => {
    const all = await openAll(2)
    const entries = scores(2000).map(([key, { points }]): [string, Score] => [key, { points, team: 't1' }])
    await mapOf(all[0]!).setMany(entries, { copies: 'all' })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    const live = await mapOf(light).live(BEST)
    const picture = new Picture(live)
    const best = (await mapOf(all[0]!).query({ orderBy: '-points', limit: 1000 })).rows
    await mapOf(all[0]!).setMany(best.map(({ key }) => [key, { points: -1, team: 't1' }] as const))
    await until(() => isSame(live, mapOf(light), BEST), 'the next rows come')
    await mapOf(all[1]!).setMany(best.map(({ key }, i) => [key, { points: 5000 + i, team: 't1' }] as const))
    await until(() => isSame(live, mapOf(light), BEST), 'the best rows come back')
    await until(() => picture.rows.size === 10, 'the changes lead there')
    live.close()
    await picture.done
    expect(picture.faults).toEqual([])
  })

  it('without a limit has all rows, more than one answer has', async () => {
    const all = await openAll(2)
    await mapOf(all[0]!).setMany(scores(4000), { copies: 'all' })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    const live = await mapOf(light).live({ orderBy: 'points' })
    expect(live.rows.length).toBe(4000)
    await mapOf(all[0]!).set('last', { points: 5000, team: 'x' })
    await until(() => live.rows.at(-1)?.key === 'last', 'a row enters')
    live.close()
  })

  it.each([
    ['partitions move to another peer', 3],
    ['an owner goes', 4],
  ])('goes on while rows change and %s: no row twice, none missing', async (_, count) => {
    const all = await openAll(count)
    await mapOf(all[0]!).setMany(scores(600), { copies: 'all' })
    const light = await grids.open({ role: 'light' })
    await light.ready()
    const live = await mapOf(light).live(BEST)
    const picture = new Picture(live)
    const writer = new Writer(mapOf(all[0]!))
    await until(() => writer.written > 20, 'much is written')
    if (count === 3) {
      const fourth = await grids.open({ storage: diskInMemory() })
      mapOf(fourth)
      await until(() => (fourth.status().partitions?.whole ?? 0) > 3, 'partitions have moved')
    } else await all[1]!.close()
    await until(() => writer.written > 200, 'more is written')
    await writer.stop()
    await until(() => isSame(live, mapOf(light), BEST), 'the rows are those of the query')
    expect(new Set(live.rows.map(({ key }) => key)).size).toBe(live.rows.length)
    const isShown = (): boolean => live.rows.every(({ key, value }) => picture.rows.get(key) === value)
    await until(() => picture.rows.size === live.rows.length && isShown(), 'the changes lead there')
    live.close()
    await picture.done
    expect(picture.faults).toEqual([])
  })

  it('says what is missing, and has it when its owner is back', async () => {
    const all = await openAll(1)
    await mapOf(all[0]!).setMany(scores(100))
    const light = await grids.open({ role: 'light' })
    await light.ready()
    grids.split([0], [1])
    const live = await mapOf(light).live(BEST, { timeoutMs: 200 })
    expect([live.rows, live.complete]).toEqual([[], false])
    let calls = 0
    live.subscribe(() => calls++)
    grids.heal()
    await until(() => isSame(live, mapOf(light), BEST), 'it has all')
    expect(calls).toBeGreaterThan(0)
    live.close()
  })

  it('ends entries that expire, and all of them when the map is dropped', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await map.set('short', { points: 1, team: 't1' }, { ttlMs: 2000 })
    await map.set('long', { points: 2, team: 't1' })
    const live = await map.live(BEST)
    expect(live.rows.map(({ key }) => key)).toEqual(['long', 'short'])
    await until(() => live.rows.length === 1, 'one expires')
    await grid!.dropCollection('m')
    await until(() => live.rows.length === 0, 'the rows are gone')
    live.close()
  })

  it('of objects of fields, and with a schema, has what queries have', async () => {
    const [grid] = await openAll(1)
    const map = grid!.map<{ a?: number; b?: number }>('f', { mode: 'partitioned', partitions: 16, merge: 'fields' })
    await map.set('x', { a: 1, b: 2 })
    const live = await map.live({ where: { a: 1 }, orderBy: 'b' })
    await map.set('y', { a: 1, b: 1 })
    await until(() => live.rows.length === 2, 'a row enters')
    expect(live.rows.map(({ value }) => value)).toEqual([
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ])
    live.close()
  })

  it('refuses what makes no sense', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await expect(map.live({ where: { points: { $near: 1 } } } as never)).rejects.toMatchObject({
      code: 'INVALID_QUERY',
    })
    await expect(map.live({ after: 'x' } as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await expect(map.live({}, { wait: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const live = await map.live()
    await grid!.close()
    expect(live.rows).toEqual([])
    await expect(map.live()).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
