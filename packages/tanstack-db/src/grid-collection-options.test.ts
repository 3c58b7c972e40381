import { createCollection, createLiveQueryCollection, createTransaction, eq } from '@tanstack/db'
import type { Collection } from '@tanstack/db'
import { openGrid } from 'gossipgrid'
import type { Conflict, Grid, GridMap, StandardSchema } from 'gossipgrid'
import { openLab } from '@gossipgrid/testing'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { gridCollectionOptions } from './index.ts'
import type { GridCollectionUtils } from './index.ts'

interface Todo {
  title: string
  done: boolean
  rank?: number
}

type Row = Todo & { id: string }

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let grids = 0
let grid: Grid
let map: GridMap<Todo>

beforeEach(async () => {
  grid = await openGrid({ name: `tanstack ${++grids}`, listen: [], mdns: false, logger: silent })
  map = grid.map<Todo>('todos')
})
afterEach(() => grid.close())

/** All changes of a collection, from the rows that it has now on. */
function changesOf(collection: Collection<Row, string, never>): string[] {
  const seen: string[] = []
  collection.subscribeChanges(
    (changes) => {
      for (const { type, key, value } of changes) seen.push(`${type} ${key} ${value.title} ${value.$synced}`)
    },
    { includeInitialState: true },
  )
  return seen
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

describe('a collection of a map', () => {
  it('has its entries, and what is written to either is in the other, without a moment in which it is in neither', async () => {
    await map.set('a', { title: 'tea', done: false })
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await todos.preload()
    const seen = changesOf(todos as never)
    const inserted = todos.insert({ id: 'b', title: 'milk', done: false })
    expect(todos.get('b')).toMatchObject({ title: 'milk', $synced: false })
    await inserted.isPersisted.promise
    expect(map.peek('b')).toEqual({ title: 'milk', done: false })
    expect(todos.get('b')).toMatchObject({ id: 'b', title: 'milk', $synced: true })
    await todos.update('b', (row) => void (row.title = 'oat milk')).isPersisted.promise
    await map.set('c', { title: 'bread', done: false })
    await todos.delete('a').isPersisted.promise
    expect(map.peekEntries().map(([key, { title }]) => [key, title])).toEqual([
      ['b', 'oat milk'],
      ['c', 'bread'],
    ])
    expect([...todos.keys()].toSorted()).toEqual(['b', 'c'])
    expect(seen).toEqual([
      ...['insert a tea true', 'insert b milk false', 'update b milk true', 'update b oat milk false'],
      ...['update b oat milk true', 'insert c bread true', 'delete a tea true'],
    ])
  })

  it('takes the values as they are if they have their key in them', async () => {
    const people = grid.map<{ email: string; age: number }>('people')
    const collection = createCollection(gridCollectionOptions({ map: people, getKey: ({ email }) => email }))
    await collection.insert({ email: 'ada@example.org', age: 36 }).isPersisted.promise
    expect(people.peek('ada@example.org')).toEqual({ email: 'ada@example.org', age: 36 })
  })

  it('rolls a refused write back, and gives the error of the map', async () => {
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await todos.insert({ id: 'a', title: 'tea', done: false }).isPersisted.promise
    const bad = todos.update('a', (row) => void (row.title = (() => 'no value') as never))
    expect(todos.get('a')?.$synced).toBe(false)
    await expect(bad.isPersisted.promise).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    expect(todos.get('a')).toMatchObject({ title: 'tea', $synced: true })
    const large = todos.insert({ id: 'b', title: 'x'.repeat(2_000_000), done: false })
    await expect(large.isPersisted.promise).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect([...todos.keys()]).toEqual(['a'])
    await grid.close()
    await expect(todos.delete('a').isPersisted.promise).rejects.toMatchObject({ code: 'CLOSED' })
    expect(todos.has('a')).toBe(true)
  })

  it('writes only the fields that an update has changed, and deletes the ones that it has deleted', async () => {
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await todos.insert({ id: 'a', title: 'tea', done: false, rank: 1 }).isPersisted.promise
    const transaction = createTransaction<Row>({
      autoCommit: false,
      mutationFn: async (given) => todos.utils.acceptMutations(given.transaction),
    })
    transaction.mutate(() => todos.update('a', (row) => void (row.done = true)))
    // Another peer's write comes in between.
    await map.set('a', { title: 'green tea', done: false, rank: 1 })
    await transaction.commit()
    expect(map.peek('a')).toEqual({ title: 'green tea', done: true, rank: 1 })
    await todos.update('a', (row) => void delete row.rank).isPersisted.promise
    expect(map.peek('a')).toEqual({ title: 'green tea', done: true })
    expect(todos.get('a')).not.toHaveProperty('rank')
  })

  it('writes a transaction as one batch, and as several ones if it is too large for one', async () => {
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await todos.preload()
    const sizes = new Set<number>()
    map.on('change', () => sizes.add(map.size))
    const rows = Array.from({ length: 2500 }, (_, i) => ({ id: `${i}`, title: 'x', done: false }))
    await todos.insert(rows.slice(0, 500)).isPersisted.promise
    expect([...sizes]).toEqual([500])
    await todos.insert(rows.slice(500)).isPersisted.promise
    expect([map.size, todos.size]).toEqual([2500, 2500])
    await todos.delete(rows.map(({ id }) => id)).isPersisted.promise
    expect([map.size, todos.size]).toEqual([0, 0])
  })

  it('joins with another one, and the rows follow both', async () => {
    const people = grid.map<{ name: string }>('people')
    const owned = grid.map<{ title: string; owner: string }>('owned')
    await people.set('p1', { name: 'Ada' })
    await owned.set('t1', { title: 'tea', owner: 'p1' })
    for (const syncMode of ['eager', 'on-demand'] as const) {
      const left = createCollection(gridCollectionOptions({ map: owned, keyField: 'id', syncMode }))
      const right = createCollection(gridCollectionOptions({ map: people, keyField: 'id', syncMode }))
      const joined = createLiveQueryCollection((q) =>
        q
          .from({ todo: left })
          .innerJoin({ person: right }, ({ todo, person }) => eq(todo.owner, person.id))
          .select(({ todo, person }) => ({ title: todo.title, name: person.name })),
      )
      await joined.preload()
      const shown = (): string[] => joined.toArray.map(({ title, name }) => `${title} ${name}`).toSorted()
      expect(shown(), syncMode).toEqual(['tea Ada'])
      await owned.set('t2', { title: 'milk', owner: 'p2' })
      await people.set('p2', { name: 'Ben' })
      await people.set('p1', { name: 'Ada L.' })
      await expect.poll(shown, { message: syncMode }).toEqual(['milk Ben', 'tea Ada L.'])
      await joined.cleanup()
      await owned.delete('t2')
      await people.delete('p2')
      await people.set('p1', { name: 'Ada' })
    }
  })

  it('takes the promise of a map, or a function that is called once the collection is used, and can begin again', async () => {
    let calls = 0
    const lazy = createCollection(
      gridCollectionOptions({
        keyField: 'id',
        map: async () => {
          calls += 1
          return map
        },
      }),
    )
    await turn()
    expect(calls).toBe(0)
    const todos = createCollection(gridCollectionOptions({ map: Promise.resolve(map), keyField: 'id' }))
    for (const collection of [lazy, todos]) {
      await map.set('a', { title: 'tea', done: false })
      await collection.preload()
      expect(collection.get('a')?.title).toBe('tea')
      await collection.cleanup()
      await map.set('a', { title: 'milk', done: false })
      await collection.preload()
      expect(collection.get('a')?.title).toBe('milk')
    }
    expect(calls).toBe(1)
  })

  it('is in error, with the reason, if its map cannot be opened', async () => {
    const failing = Promise.reject<GridMap<Todo>>(new Error('no grid today'))
    failing.catch(() => undefined)
    const todos = createCollection(gridCollectionOptions({ map: failing, keyField: 'id' }))
    await expect(todos.preload()).rejects.toThrow('no grid today')
    expect(todos.status).toBe('error')
    await grid.close()
    const closed = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    await expect(closed.preload()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('leaves out and counts what cannot be a row', async () => {
    const mixed = grid.map<{ id: string }>('mixed')
    await mixed.set('a', { id: 'a' })
    await mixed.set('b', 5 as never)
    await mixed.set('c', { id: 'other' })
    const rows = createCollection(gridCollectionOptions({ map: mixed, getKey: ({ id }) => id }))
    await rows.preload()
    expect([[...rows.keys()], rows.utils.leftOut()]).toEqual([['a'], 2])
    await mixed.set('c', { id: 'c' })
    await mixed.delete('b')
    await turn()
    expect([[...rows.keys()].toSorted(), rows.utils.leftOut()]).toEqual([['a', 'c'], 0])
    expect(() => gridCollectionOptions({ map: mixed } as never)).toThrow(/pass getKey/)
  })

  it('has what changes while it loads as it is in the end', async () => {
    await map.setMany(Array.from({ length: 9000 }, (_, i) => [`${i}`, { title: 'old', done: false }] as const))
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
    const loading = todos.preload()
    for (let i = 0; i < 40; i++) {
      await map.set(`${i * 220}`, { title: 'new', done: true })
      await map.delete(`${i * 220 + 1}`)
    }
    await loading
    await turn()
    const rows = Object.fromEntries(todos.toArray.map(({ id, title, done }) => [id, { title, done }]))
    expect(rows).toEqual(Object.fromEntries(map.peekEntries()))
    expect(todos.size).toBe(8960)
  })
})

describe('with other peers', () => {
  it('shows their writes, and passes on which writes have lost, after a split', async () => {
    await using lab = await openLab({ peers: 2 })
    const maps = lab.grids.map((each) => each.map<Todo>('todos'))
    const [here, there] = maps.map((each) => createCollection(gridCollectionOptions({ map: each, keyField: 'id' })))
    await Promise.all([here!.preload(), there!.preload()])
    const conflicts: Conflict<Todo>[] = []
    const off = here!.utils.onConflict((conflict) => conflicts.push(conflict))
    there!.utils.onConflict((conflict) => conflicts.push(conflict))
    await here!.insert({ id: 'a', title: 'tea', done: false }).isPersisted.promise
    await expect.poll(() => there!.get('a')?.title).toBe('tea')
    lab.split([0], [1])
    await here!.update('a', (row) => void (row.title = 'green tea')).isPersisted.promise
    await there!.update('a', (row) => void (row.title = 'black tea')).isPersisted.promise
    lab.heal()
    await lab.converged()
    await expect.poll(() => conflicts.length).toBeGreaterThan(0)
    expect(here!.get('a')?.title).toBe(there!.get('a')?.title)
    expect(conflicts[0]).toMatchObject({ key: 'a' })
    expect(new Set([conflicts[0]!.kept?.title, conflicts[0]!.discarded?.title]).size).toBe(2)
    off()
    await Promise.all([here!.cleanup(), there!.cleanup()])
  })

  it('rolls back and rejects if copies are asked for and no peer answers; the write stands, and shows', async () => {
    const todos = createCollection(gridCollectionOptions({ map, keyField: 'id', write: { copies: 2, timeoutMs: 30 } }))
    await todos.preload()
    const refused = todos.insert({ id: 'a', title: 'tea', done: false })
    await expect(refused.isPersisted.promise).rejects.toMatchObject({ code: 'COPIES_TIMEOUT' })
    expect(todos.get('a')).toMatchObject({ title: 'tea', $synced: true })
  })
})

it('types are exact', async () => {
  const todos = createCollection(gridCollectionOptions({ map, keyField: 'id' }))
  expectTypeOf(todos.get('a')?.title).toEqualTypeOf<string | undefined>()
  expectTypeOf(todos.get('a')?.id).toEqualTypeOf<string | undefined>()
  expectTypeOf(todos.utils.onConflict).toEqualTypeOf<GridCollectionUtils<Todo>['onConflict']>()
  // @ts-expect-error a row has its key
  expect(() => todos.insert({ title: 'x', done: false })).toThrow(/without a defined key/)
  const people = grid.map<{ email: string }>('people')
  const byEmail = createCollection(gridCollectionOptions({ map: people, getKey: ({ email }) => email }))
  expectTypeOf(byEmail.get('a')?.email).toEqualTypeOf<string | undefined>()
  // @ts-expect-error getKey or keyField, not both
  expect(() => gridCollectionOptions({ map, keyField: 'id', getKey: () => 'a' })).toThrow(/getKey/)
  const schema: StandardSchema<Row> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) =>
        typeof (value as Row).title === 'string' ? { value: value as Row } : { issues: [{ message: 'no title' }] },
    },
  }
  const checked = createCollection(
    gridCollectionOptions({ map, keyField: 'id', schema: schema as typeof schema & TypesOf<Row> }),
  )
  expectTypeOf(checked.get('a')?.title).toEqualTypeOf<string | undefined>()
  expect(() => checked.insert({ id: 'a', title: 5 as never, done: false })).toThrow(/no title/)
  await checked.insert({ id: 'a', title: 'tea', done: false }).isPersisted.promise
  expect(map.peek('a')).toEqual({ title: 'tea', done: false })
})

/** What a schema says of its types. */
interface TypesOf<Value> {
  readonly '~standard': { readonly types?: { readonly input: Value; readonly output: Value } }
}
