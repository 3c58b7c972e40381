import { readFileSync } from 'node:fs'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap } from 'gossipgrid'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { MemoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { leaseSlot } from '../../packages/grid/src/environment/slot.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

/** Rows of the table that other tests show, and where: each names its test file and a text in it. */
const SHOWN_ELSEWHERE: Record<string, readonly [file: string, text: string]> = {
  'reads that wait for a token': ['packages/grid/src/reads/reads-after-tokens.test.ts', "code: 'BACKLOG_FULL'"],
  'text indexes of a map at one peer': [
    'packages/grid/src/queries/text-queries.test.ts',
    'expect(widest.names).toHaveLength(8)',
  ],
  'words to look for (`$text`)': ['packages/grid/src/queries/text-queries.test.ts', "'é'.repeat(513)"],
  'what a query may take to test one entry': [
    'packages/grid/src/queries/effort.test.ts',
    'a live query goes on without',
  ],
  'closing a grid': ['packages/grid/src/open-and-close.test.ts', "code: 'CLOSE_INCOMPLETE'"],
}

/** Each row of the table "Limits of single calls", up to its limit and just beyond it. */
const ROWS: Record<string, (name: string) => Promise<void> | void> = {
  'a batch (`transact`)': async (name) => {
    const writes = (count: number, value: unknown) =>
      grid.transact((batch) => {
        for (let i = 0; i < count; i++) batch.map(name).set(`k${i}`, value)
      })
    await writes(1000, 1)
    await expect(writes(1001, 1)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    await writes(5, 'x'.repeat(100 * KIB))
    await expect(writes(6, 'x'.repeat(100 * KIB))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
  },
  'one `set` of a map with fields': async (name) => {
    const map = grid.map<Record<string, unknown>>(name, { merge: 'fields' })
    const fields = (count: number, value: unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, value]))
    await map.set('a', fields(999, 1))
    await expect(map.set('b', fields(1000, 1))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    await map.set('c', fields(5, 'x'.repeat(100 * KIB)))
    await expect(map.set('d', fields(6, 'x'.repeat(100 * KIB)))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
  },
  'key and field name together': async (name) => {
    const map = grid.map<Record<string, unknown>>(name, { merge: 'fields' })
    await map.set('k'.repeat(1000), { ['f'.repeat(23)]: 1 })
    await expect(map.set('k'.repeat(1000), { ['f'.repeat(24)]: 1 })).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  },
  'a key of `counters` or `sets`': async (name) => {
    for (const [i, keyed] of [grid.counters(`${name} c`), grid.sets(`${name} s`)].entries()) {
      const write = (key: string) => ('increment' in keyed ? keyed.increment(key) : keyed.add(key, i))
      await write('k'.repeat(960))
      for (const key of ['k'.repeat(961), 'a\0', 'a\u0001'])
        await expect(Promise.resolve().then(() => write(key))).rejects.toMatchObject({ code: 'INVALID_KEY' })
    }
  },
  'an element of a set': async (name) => {
    const set = grid.set<string>(name)
    await set.add('e'.repeat(1006))
    await expect(set.add('e'.repeat(1007))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  },
  'key and element of `sets` together': async (name) => {
    const sets = grid.sets<string>(name)
    await sets.add('k'.repeat(900), 'e'.repeat(105))
    await expect(sets.add('k'.repeat(900), 'e'.repeat(106))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  },
  'a counter': async (name) => {
    const counter = grid.counter(name)
    await counter.increment(Number.MAX_SAFE_INTEGER)
    await expect(counter.increment()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    const below = grid.counter(`${name} below`)
    await below.decrement(Number.MAX_SAFE_INTEGER)
    await expect(below.decrement()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
  },
  'a time to live': async (name) => {
    const map = grid.map(name)
    const tenYearsMs = 10 * 365 * 86_400_000
    for (const ttlMs of [1, tenYearsMs]) await map.set('a', 1, { ttlMs })
    for (const ttlMs of [0, tenYearsMs + 1])
      await expect(map.set('a', 1, { ttlMs })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  },
  'changes that a loop has not read': async (name) => {
    const map = grid.map(name)
    const unread = async (writes: number, value: unknown): Promise<{ lagged: number; seen: number }> => {
      const changes = map.changes()[Symbol.asyncIterator]()
      const first = changes.next()
      await map.set('first', 0)
      await first
      await map.setMany(numbers(writes, () => value))
      let [lagged, seen] = [0, 0]
      while (lagged + seen < writes) {
        const { value: change } = (await changes.next()) as { value: { type: string; missed: number } }
        if (change.type === 'lagged') lagged += change.missed
        else seen++
      }
      await changes.return?.()
      return { lagged, seen }
    }
    expect(await unread(65_536, 1)).toEqual({ lagged: 0, seen: 65_536 })
    expect(await unread(65_600, 1)).toEqual({ lagged: 64, seen: 65_536 })
    expect(await unread(15, 'x'.repeat(1000 * KIB))).toEqual({ lagged: 0, seen: 15 })
    expect((await unread(20, 'x'.repeat(1000 * KIB))).lagged).toBeGreaterThan(2)
  },
  'tabs of one browser profile that store data': async (name) => {
    const slots = await Promise.all(Array.from({ length: 64 }, () => leaseSlot(name)))
    expect(new Set(slots.map((slot) => slot?.name)).size).toBe(64)
    expect(await leaseSlot(name)).toBeUndefined()
    slots[7]!.release()
    await vi.waitFor(async () => expect(await leaseSlot(name)).toMatchObject({ name: slots[7]!.name }))
  },
  'an undo manager': async (name) => {
    const undone = async (map: GridMap<unknown>, steps: number, value: unknown): Promise<number> => {
      const undo = await map.undoManager({ captureTimeoutMs: 0 })
      for (let i = 0; i < steps; i++) await map.set(`k${i}`, value)
      let count = 0
      for (; undo.canUndo; count++) await undo.undo()
      undo.close()
      return count
    }
    expect(await undone(grid.map(name), 1000, 1)).toBe(1000)
    expect(await undone(grid.map(name), 1010, 1)).toBe(1000)
    // A step counts what was there before it.
    const large = grid.map(`${name} bytes`)
    await large.setMany(numbers(20, () => 'x'.repeat(1000 * KIB), 'k'))
    const kept = await undone(large, 20, 1)
    expect(kept).toBeGreaterThan(10)
    expect(kept).toBeLessThan(17)
  },
  'a value in a document': async (name) => {
    const doc = await grid.doc(name)
    const refused: unknown[] = []
    doc.on('refused', ({ error }) => refused.push(error))
    doc.y.getMap('m').set('small', 'x'.repeat(511 * KIB))
    doc.y.getMap('m').set('large', 'x'.repeat(513 * KIB))
    await vi.waitFor(() => expect(refused).toHaveLength(1), { timeout: 30_000 })
    expect([...doc.y.getMap('m').keys()]).toEqual(['small'])
    await doc.close()
  },
  'an awareness state': async (name) => {
    const [mine, theirs] = [await grid.doc(name), await neighbour.doc(name)]
    const seen = () => theirs.awareness.getStates().get(mine.awareness.clientID)?.['text'] as string | undefined
    const empty = JSON.stringify({ text: '' }).length
    mine.awareness.setLocalState({ text: 'a'.repeat(16 * KIB - empty) })
    await vi.waitFor(() => expect(seen()).toMatch(/^a/), { timeout: 30_000 })
    mine.awareness.setLocalState({ text: 'b'.repeat(16 * KIB - empty + 1) })
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(seen() ?? 'nothing').not.toMatch(/^b/)
    mine.awareness.setLocalState({ text: 'c' })
    await vi.waitFor(() => expect(seen()).toBe('c'), { timeout: 30_000 })
    await Promise.all([mine.close(), theirs.close()])
  },
  'open topics at a peer': async (name) => {
    const other = await openGrid({ name, network: inMemory(memoryNetworkHub()) })
    for (let i = 0; i < 4096; i++) other.topic(`t${i}`)
    expect(() => other.topic('one more')).toThrow(expect.objectContaining({ code: 'COLLECTION_LIMIT' }))
    await other.close()
  },
  'a query': async (name) => {
    const map = grid.map<Record<string, unknown>>(name)
    const sized = (bytes: number) => ({ where: { a: 'x'.repeat(bytes) } })
    const nested = (levels: number): Filter =>
      Array.from({ length: levels }).reduce<Filter>((inner) => ({ $or: [inner] }), { a: 1 })
    const ordered = (fields: number) => ({
      orderBy: Array.from({ length: fields }, (_, i) => `f${i}`),
    })
    await map.query(sized(63 * KIB))
    await expect(map.query(sized(64 * KIB))).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await map.query({ where: nested(10) })
    await expect(map.query({ where: nested(33) })).rejects.toMatchObject({ code: 'INVALID_QUERY' })
    await map.query(ordered(8) as never)
    await expect(map.query(ordered(9) as never)).rejects.toMatchObject({ code: 'INVALID_QUERY' })
  },
  'rows of one page of a query': async () => {
    const map = grid.map<number>('many')
    const first = await map.query({})
    expect(first.rows).toHaveLength(100_000)
    const second = await map.query({ after: first.next! })
    expect([second.rows.length, second.next]).toEqual([1, undefined])
  },
  'groups of an aggregate': async () => {
    const map = grid.map<{ i: number }>('groups')
    await map.setMany(numbers(10_000, (i) => ({ i })))
    expect(await map.aggregate({ groupBy: 'i', count: true } as never)).toMatchObject({ complete: true })
    await map.set('more', { i: -1 })
    await expect(map.aggregate({ groupBy: 'i', count: true } as never)).rejects.toMatchObject({
      code: 'QUERY_TOO_LARGE',
    })
  },
  'entries that a live query keeps in order': async (name) => {
    const lone = await openGrid({ name, network: inMemory(memoryNetworkHub()) })
    const map = lone.map<number>('numbers')
    await map.setMany(numbers(1_000_001, (i) => i))
    const live = await map.live({ limit: 3 })
    expect(live.complete).toBe(false)
    expect(live.rows.map(({ key }) => key)).toEqual(['0', '1', '10'])
    live.close()
    await lone.close()
  },
  'indexes of a map at one peer': async (name) => {
    const map = grid.map<Record<string, number>>(name)
    for (let i = 0; i < 32; i++) await map.index(`f${i}`)
    await expect(Promise.resolve().then(() => map.index('f32'))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `f${i}`)
    const other = grid.map<Record<string, number>>(`${name} fields`)
    await other.index(fields(8) as never)
    await expect(Promise.resolve().then(() => other.index(fields(9) as never))).rejects.toMatchObject({
      code: 'INVALID_QUERY',
    })
  },
  'elements of one array in an index': async (name) => {
    const map = grid.map<{ tags: string[] }>(name)
    const tags = (count: number) => ({ tags: Array.from({ length: count }, (_, i) => `t${i}`) })
    await map.setMany(numbers(200, (i) => ({ tags: [`only ${i}`] })))
    await map.set('a', tags(1000))
    await map.index('tags')
    const query = { where: { tags: 't999' } }
    expect(await map.explain(query)).toMatchObject({ index: expect.anything() as unknown })
    await map.set('b', tags(1001))
    expect((await map.query(query)).rows).toHaveLength(2)
    expect(await map.explain(query)).toMatchObject({ index: undefined })
  },
}

type Filter = { readonly [name: string]: unknown }

const KIB = 1024
let grid: Grid
let neighbour: Grid

beforeAll(async () => {
  const hub = memoryNetworkHub()
  grid = await openGrid({ name: 'limits', network: inMemory(hub) })
  neighbour = await openGrid({ name: 'limits', network: inMemory(hub, grid.addresses) })
  await neighbour.ready()
  await grid.map<number>('many').setMany(numbers(100_001, (i) => i))
})
afterAll(() => Promise.all([grid.close(), neighbour.close()]))

const inMemory =
  (hub: MemoryNetworkHub, join: readonly string[] = []) =>
  (): Promise<ReturnType<MemoryNetworkHub['network']>> =>
    Promise.resolve(hub.network({ join }))

function* numbers<Value>(count: number, value: (i: number) => Value, prefix = ''): Generator<[string, Value]> {
  for (let i = 0; i < count; i++) yield [`${prefix}${i}`, value(i)]
}

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8')
const table = /## Limits of single calls\n\n([^]*?)\n\n/.exec(page)![1]!
const named = table
  .split('\n')
  .slice(2)
  .map((line) => line.split('|')[1]!.trim())

test.each(Object.entries(ROWS))('%s', (row, shows) => shows(row))

test('each row of the table is shown by a test, here or elsewhere', () => {
  expect([...Object.keys(ROWS), ...Object.keys(SHOWN_ELSEWHERE)].toSorted()).toEqual(named.toSorted())
  for (const [file, text] of Object.values(SHOWN_ELSEWHERE))
    expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'), file).toContain(text)
})
