import { afterEach, expect, it } from 'vitest'
import type { DroppedCollection } from '../lifecycle/event-reporter.ts'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** What a grid is reported of drops from here on. */
function drops(grid: Grid): DroppedCollection[] {
  const reported: DroppedCollection[] = []
  grid.on('dropped', (dropped) => reported.push(dropped))
  return reported
}

it('a collection is gone at once, on all peers, and opened again it is a new one', async () => {
  const [first, second] = [await grids.open({ storage: diskInMemory() }), await grids.open()]
  await second.ready()
  const [reported, reportedThere] = [drops(first), drops(second)]
  const users = first.map<number>('users')
  await users.set('ada', 1)
  const there = second.map<number>('users')
  await until(() => there.peek('ada') === 1, 'it has come')
  const receipt = await first.dropCollection('users')
  const again = first.map<number>('users')
  expect(again).not.toBe(users)
  expect([users.size, again.size]).toEqual([0, 0])
  expect(receipt).toMatchObject({ durable: true, copies: 1 })
  expect(first.collections()).toEqual([{ name: 'users', kind: 'map', drops: 1 }])
  await expect(users.set('ada', 2)).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
  await again.set('bob', 3)
  await until(() => second.map<number>('users').peek('bob') === 3, 'the new one has come')
  expect([there.size, second.map<number>('users').size]).toEqual([0, 1])
  await expect(there.set('ada', 2)).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
  expect(reported).toEqual([{ type: 'dropped', name: 'users', kind: 'map', local: true, lostWrites: 0, lost: [] }])
  expect(reportedThere).toEqual([
    { type: 'dropped', name: 'users', kind: 'map', local: false, lostWrites: 0, lost: [] },
  ])
})

it('what was written without knowing of it is lost, and its author is reported what it was', async () => {
  const [first, second] = [await grids.open(), await grids.open()]
  await second.ready()
  await first.map('users').set('ada', 'seen')
  await first.map('objects', { merge: 'fields' }).set('o', { a: 1 })
  await first.set('tags').add('red')
  const objects = second.map<{ b: number }>('objects', { merge: 'fields' })
  await until(() => second.collections().length === 3, 'all have come')
  const reported = drops(second)
  grids.split([0], [1])
  await Promise.all(['users', 'objects', 'tags'].map((name) => first.dropCollection(name)))
  await second.map('users').set('bob', new Date(5))
  await second.map('users').set('carl', 'gone', { ttlMs: 60_000 })
  await objects.set('p', { b: 2 })
  await second.set('tags').add('blue')
  grids.heal()
  await until(() => reported.length === 3, 'it is reported')
  const byName = new Map(reported.map((dropped) => [dropped.name, dropped]))
  expect(byName.get('users')).toMatchObject({
    local: false,
    lostWrites: 2,
    lost: [
      { key: 'bob', value: new Date(5) },
      { key: 'carl', value: 'gone' },
    ],
  })
  expect(byName.get('objects')!.lost).toContainEqual({ key: 'p', field: 'b', value: 2 })
  expect(byName.get('tags')).toMatchObject({ lostWrites: 1, lost: [] })
  expect(second.collections()).toEqual([])
})

it('readers of what was open are reported that the entries are gone, and then their loops end', async () => {
  const [first, second] = [await grids.open(), await grids.open()]
  await second.ready()
  await first.map<number>('users').setMany([
    ['ada', 1],
    ['bob', 2],
  ])
  await first.counters('visits').increment('/', 3)
  const users = second.map<number>('users')
  await until(() => users.size === 2 && second.counters('visits').peek('/') === 3, 'all have come')
  const seen: string[] = []
  const following = (async () => {
    for await (const { type, key } of users.changes()) seen.push(`${type} ${key}`)
    for await (const { type, key } of second.counters('visits').changes()) seen.push(`${type} ${key}`)
  })()
  await first.dropCollection('users')
  await until(() => seen.length === 2, 'the entries are gone')
  await first.dropCollection('visits')
  await following
  expect(seen.toSorted()).toEqual(['delete /', 'delete ada', 'delete bob'])
})

it('a large collection goes over several turns, and its readers get all deletes', async () => {
  const grid = await grids.open()
  const users = grid.map<number>('users')
  const count = 10_000
  await users.setMany(Array.from({ length: count }, (_, i) => [`key ${i}`, i] as const))
  const gone = new Set<string>()
  const following = (async () => {
    for await (const { type, key } of users.changes({ bufferMax: count })) if (type === 'delete') gone.add(key)
  })()
  await grid.dropCollection('users')
  expect(users.size).toBeGreaterThan(0)
  await grid.map<number>('users').set('new', 1)
  await following
  expect(users.size).toBe(0)
  expect(gone.size).toBe(count)
  expect(grid.map('users').size).toBe(1)
})

it('loops over a large collection that was dropped end with the grid, whatever is left', async () => {
  const grid = await grids.open()
  const users = grid.map<number>('users')
  await users.setMany(Array.from({ length: 10_000 }, (_, i) => [`key ${i}`, i] as const))
  const following = (async () => {
    for await (const change of users.changes()) void change
  })()
  const dropping = grid.dropCollection('users')
  await dropping
  expect(users.isEmptied).toBe(false)
  await grid.close()
  await following
})

it.each(['counter', 'counters', 'set', 'sets'] as const)(
  'a %s that is open refuses writes, and a new one starts',
  async (kind) => {
    const grid = await grids.open()
    const write = (): Promise<unknown> => {
      if (kind === 'counter') return grid.counter('c').increment()
      if (kind === 'counters') return grid.counters('c').increment('k')
      return kind === 'set' ? grid.set('c').add('e') : grid.sets('c').add('k', 'e')
    }
    await write()
    const [counter, counters] =
      kind === 'counter' ? [grid.counter('c')] : kind === 'counters' ? [undefined, grid.counters('c')] : []
    const [set, sets] = kind === 'set' ? [grid.set('c')] : kind === 'sets' ? [undefined, grid.sets('c')] : []
    await grid.dropCollection('c')
    const late = counter?.increment() ?? counters?.increment('k') ?? set?.add('e') ?? sets?.add('k', 'e')
    await expect(late).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
    expect([counter?.value ?? 0, counters?.size ?? 0, set?.size ?? 0, sets?.size ?? 0]).toEqual([0, 0, 0, 0])
    await write()
    expect(grid.status().collections).toMatchObject([{ name: 'c', kind, entries: 1 }])
  },
)

it('a name that is not there, or none, drops nothing', async () => {
  const grid = await grids.open()
  const reported = drops(grid)
  expect(await grid.dropCollection('users')).toBeUndefined()
  expect(await grid.dropCollection('documents')).toBeUndefined()
  await expect(grid.dropCollection(undefined as unknown as string)).rejects.toMatchObject({ code: 'INVALID_NAME' })
  await expect(grid.dropCollection('users', { copie: 1 } as object)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await grid.close()
  await expect(grid.dropCollection('users')).rejects.toMatchObject({ code: 'CLOSED' })
  expect(reported).toEqual([])
})

it('a batch and a bulk write that are under way end with an error, and nothing of them is in the new one', async () => {
  const grid = await grids.open()
  const users = grid.map<number>('users')
  const entries = Array.from({ length: 5000 }, (_, i) => [`key ${i}`, i] as const)
  const writing = users.setMany(entries)
  await grid.dropCollection('users')
  await expect(writing).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
  await expect(users.transact((batch) => batch.set('a', 1))).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
  expect(grid.map('users').size).toBe(0)
})

it('a drop is waited for at other peers, and survives a restart', async () => {
  const disk = diskInMemory()
  const [first, second] = [await grids.open({ storage: disk }), await grids.open({ storage: diskInMemory() })]
  await second.ready()
  await first.map('users').set('ada', 1, { copies: 2 })
  expect(await first.dropCollection('users', { copies: 2, timeoutMs: 10_000 })).toMatchObject({ copies: 2 })
  await first.close()
  const again = await grids.open({ storage: disk })
  expect(again.map('users').size).toBe(0)
})
