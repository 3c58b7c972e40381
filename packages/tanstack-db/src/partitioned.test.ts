import { createCollection, createLiveQueryCollection, eq, gte } from '@tanstack/db'
import type { PartitionChange, PartitionedMap } from 'gossipgrid'
import { openLab } from '@gossipgrid/testing'
import type { Lab } from '@gossipgrid/testing'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { gridCollectionOptions } from './index.ts'

interface Todo {
  title: string
  rank: number
}

const SHAPE = { mode: 'partitioned', owners: 2, partitions: 16 } as const
const READS_MAX_MS = 300

/** A collection, as far as all collections of these tests are alike. */
interface AnyCollection {
  readonly toArray: readonly { readonly id: string; readonly title: string }[]
}

const titles = ({ toArray }: AnyCollection): string[] => toArray.map(({ id, title }) => `${id} ${title}`).toSorted()

beforeEach(() => {
  // It advises to make an index.
  vi.spyOn(console, 'warn').mockImplementation(() => undefined)
})
afterEach(() => void vi.restoreAllMocks())

describe('a collection of a partitioned map', () => {
  let lab: Lab
  let maps: PartitionedMap<Todo>[]
  let map: PartitionedMap<Todo>

  beforeEach(async () => {
    lab = await openLab({ peers: 3 })
    maps = lab.grids.map((grid) => grid.map<Todo>('todos', SHAPE))
    map = maps[0]!
    await map.set('first', { title: 'x', rank: 0 })
    await lab.converged({ timeoutMs: 60_000 })
    await map.delete('first')
  })
  afterEach(() => lab.close())

  it('has its entries, or those of a prefix, follows what other peers write, and writes', async () => {
    await maps[1]!.setMany([
      ['{trip}:a', { title: 'tea', rank: 1 }],
      ['{trip}:b', { title: 'milk', rank: 2 }],
      ['{home}:a', { title: 'soap', rank: 3 }],
    ])
    const all = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    const trip = createCollection(gridCollectionOptions({ map: maps[2]!, keyField: 'id', prefix: '{trip}' }))
    await Promise.all([all.preload(), trip.preload()])
    expect(titles(all)).toEqual(['{home}:a soap', '{trip}:a tea', '{trip}:b milk'])
    expect([titles(trip), trip.utils.leftOut()]).toEqual([['{trip}:a tea', '{trip}:b milk'], 0])
    await trip.insert({ id: '{trip}:c', title: 'bread', rank: 4 }).isPersisted.promise
    await trip.delete('{trip}:a').isPersisted.promise
    await all.update('{home}:a', (row) => void (row.title = 'two soaps')).isPersisted.promise
    expect(titles(trip)).toEqual(['{trip}:b milk', '{trip}:c bread'])
    await expect.poll(() => titles(all)).toEqual(['{home}:a two soaps', '{trip}:b milk', '{trip}:c bread'])
    expect((await maps[1]!.get('{trip}:c', { from: 'all' }))?.title).toBe('bread')
    expect([all.utils.isComplete(), trip.utils.isComplete()]).toEqual([true, true])
    await Promise.all([all.cleanup(), trip.cleanup()])
  })

  it('on demand has the rows that a query asks for, by indexes of the owners, and follows them', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => [`t${i}`, { title: `todo ${i}`, rank: i * 10 }] as const)
    await map.setMany(rows, { copies: 'all' })
    await map.index('rank')
    const todos = createCollection(gridCollectionOptions({ map: maps[2]!, keyField: 'id', syncMode: 'on-demand' }))
    const high = createLiveQueryCollection((q) => q.from({ todo: todos }).where(({ todo }) => gte(todo.rank, 2950)))
    const page = createLiveQueryCollection((q) =>
      q
        .from({ todo: todos })
        .orderBy(({ todo }) => todo.rank)
        .limit(3),
    )
    const one = createLiveQueryCollection((q) => q.from({ todo: todos }).where(({ todo }) => eq(todo.id, 't77')))
    await Promise.all([high.preload(), page.preload(), one.preload()])
    expect([high.size, one.size, page.toArray.map(({ id }) => id)]).toEqual([5, 1, ['t0', 't1', 't2']])
    expect(todos.size).toBeLessThan(15)
    await maps[1]!.set('t3', { title: 'grown', rank: 5000 })
    await maps[1]!.delete('t299')
    await maps[1]!.set('t1', { title: 'now the first', rank: -1 })
    await expect.poll(() => [high.size, high.get('t3')?.title, high.has('t299')]).toEqual([5, 'grown', false])
    await expect.poll(() => page.toArray.map(({ id }) => id)).toEqual(['t1', 't0', 't2'])
    await high.cleanup()
    await expect.poll(() => todos.has('t3')).toBe(false)
    await Promise.all([page.cleanup(), one.cleanup()])
  })

  it('writes the fields that an update changes onto the entry as its owners have it', async () => {
    await map.set('a', { title: 'tea', rank: 1 }, { copies: 'all' })
    const todos = createCollection(gridCollectionOptions({ map: maps[2]!, keyField: 'id' }))
    await todos.preload()
    const update = maps[2]!.update.bind(maps[2]!)
    // Another peer's write comes in between.
    vi.spyOn(maps[2]!, 'update').mockImplementation(async (...given) => {
      await maps[1]!.set('a', { title: 'green tea', rank: 1 }, { copies: 'all' })
      return update(...given)
    })
    await todos.update('a', (row) => void (row.rank = 7)).isPersisted.promise
    expect(await maps[1]!.get('a', { from: 'all' })).toEqual({ title: 'green tea', rank: 7 })
    expect(todos.get('a')).toMatchObject({ title: 'green tea', rank: 7 })
    await todos.cleanup()
  })

  it('says that rows may be missing while owners are away, goes on writing, and has all rows when they are back', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => [`t${i}`, { title: `todo ${i}`, rank: i }] as const)
    await map.setMany(rows, { copies: 'all' })
    const options = { map, keyField: 'id', syncMode: 'on-demand', write: { timeoutMs: READS_MAX_MS } } as const
    const todos = createCollection(gridCollectionOptions(options))
    const said: boolean[] = []
    todos.utils.onComplete((isComplete) => said.push(isComplete))
    const first = createLiveQueryCollection((q) => q.from({ todo: todos }).where(({ todo }) => eq(todo.rank, 1)))
    await first.preload()
    expect(todos.utils.isComplete()).toBe(true)
    lab.split([0], [1, 2])
    const query = map.query.bind(map)
    vi.spyOn(map, 'query').mockImplementation((asked) => query(asked, { timeoutMs: READS_MAX_MS }))
    const all = createLiveQueryCollection((q) => q.from({ todo: todos }))
    await all.preload()
    expect([todos.utils.isComplete(), said.at(-1)]).toEqual([false, false])
    expect(all.size).toBeLessThan(60)
    const away = rows.find(([key]) => !all.has(key))![0]
    await todos.insert({ id: away, title: 'written alone', rank: 5 }).isPersisted.promise
    await todos.update(away, (row) => void (row.title = 'and changed')).isPersisted.promise
    expect(all.get(away)?.title).toBe('and changed')
    lab.heal()
    await expect.poll(() => [all.size, todos.utils.isComplete(), said.at(-1)]).toEqual([60, true, true])
    expect(all.get(away)?.title).toBe('and changed')
    await Promise.all([first.cleanup(), all.cleanup()])
  })

  it('its types are those of a collection of any map', () => {
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    expectTypeOf(todos.get('a')?.title).toEqualTypeOf<string | undefined>()
  })
})

describe('what owners tell late', () => {
  const EPOCH_MS = Date.UTC(2025, 0, 1)
  type Feed = AsyncIterableIterator<PartitionChange<Todo>> & { complete: boolean }

  /** A map whose owners say what the test says. */
  function scripted(): {
    map: PartitionedMap<Todo>
    feed: Feed
    say: (title: string, atMs: number, local?: boolean) => void
  } {
    const said: PartitionChange<Todo>[] = []
    let wake = (): void => undefined
    let nowMs = 1000
    const feed = {
      complete: true,
      next: async () => {
        while (said.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        return { done: false, value: said.shift() }
      },
      [Symbol.asyncIterator]: () => feed,
    } as unknown as Feed
    const map = {
      partitionOf: () => 0,
      changes: () => feed,
      set: async () => ({ version: { hlc: (nowMs += 1000) * 4096 } }),
      update: async (_: string, change: (value: unknown) => unknown) => {
        change({ title: 'old', rank: 1 })
        return { version: { hlc: (nowMs += 1000) * 4096 } }
      },
    } as unknown as PartitionedMap<Todo>
    const say = (title: string, atMs: number, local = false): void => {
      said.push({ type: 'set', key: 'a', value: { title, rank: 1 }, at: new Date(EPOCH_MS + atMs), local } as never)
      wake()
    }
    return { map, feed, say }
  }

  it('does not bring an older state back over what the collection has written', async () => {
    const { map, say } = scripted()
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await todos.preload()
    const seen: string[] = []
    todos.subscribeChanges((changes) => {
      for (const { value } of changes) seen.push(`${value.title} ${value.$synced}`)
    })
    await todos.insert({ id: 'a', title: 'one', rank: 1 }).isPersisted.promise
    await todos.update('a', (row) => void (row.title = 'two')).isPersisted.promise
    say('one', 2000, true)
    say('of another peer, before', 2500)
    say('two', 3000, true)
    say('of another peer, after', 4000)
    await expect.poll(() => todos.get('a')?.title).toBe('of another peer, after')
    expect(seen).toEqual(['one false', 'one true', 'two false', 'two true', 'of another peer, after true'])
  })

  it('is there in the end, although the owner that was asked first had not got it yet', async () => {
    const { map } = scripted()
    const rows: object[] = []
    Object.assign(map, { query: async () => ({ rows: [...rows], next: undefined, complete: true }) })
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id', syncMode: 'on-demand' }))
    const all = createLiveQueryCollection((q) => q.from({ todo: todos }))
    await all.preload()
    expect(all.size).toBe(0)
    rows.push({ key: 'a', value: { title: 'tea', rank: 1 } })
    await expect.poll(() => all.get('a')?.title).toBe('tea')
    await all.cleanup()
  })

  it('is waited for at the start, so long as not all owners have answered', async () => {
    const { map, feed, say } = scripted()
    feed.complete = false
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    const ready = todos.preload()
    say('first', 1)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect([todos.isReady(), todos.utils.isComplete()]).toEqual([false, false])
    feed.complete = true
    await ready
    expect([todos.get('a')?.title, todos.utils.isComplete()]).toEqual(['first', true])
  })
})
