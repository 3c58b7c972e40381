import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids, collect, diskInMemory, until } from '../../rig/test-grids.ts'
import type { PartitionedCounters } from './partitioned-counters.ts'

const SHAPE = { mode: 'partitioned', partitions: 16, owners: 2 } as const
const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`)

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  const counters = all.map(countersOf)
  const isWhole = (grid: Grid): boolean => {
    const { owned, whole } = grid.status().partitions
    return owned > 0 && owned === whole
  }
  await until(() => all.every(isWhole), 'all owners are whole')
  await counters[0]!.increment('opened')
  return all
}

function countersOf(grid: Grid): PartitionedCounters {
  return grid.counters('c', SHAPE)
}

describe('partitioned counters of one peer', () => {
  it('count up and down, and are there until they are deleted', async () => {
    const [grid] = await openAll(1)
    const counters = countersOf(grid!)
    expect(countersOf(grid!)).toBe(counters)
    expect(await counters.get('a')).toBeUndefined()
    expect(await counters.increment('a', 5)).toMatchObject({ durable: true, hinted: false })
    expect(await counters.decrement('a', 2, { copies: 'all' })).toMatchObject({ durable: true, copies: 1 })
    expect([await counters.get('a'), await counters.has('a')]).toEqual([3, true])
    expect(await counters.delete('a')).toMatchObject({ durable: true })
    expect(await counters.delete('a')).toBeUndefined()
    expect([await counters.get('a'), await counters.has('a')]).toEqual([undefined, false])
    await counters.increment('a', 1)
    expect(await counters.get('a')).toBe(1)
  })

  it('show at once what is not written yet, and count increments of one turn once each', async () => {
    const [grid] = await openAll(1)
    const counters = countersOf(grid!)
    const all = Array.from({ length: 500 }, () => counters.increment('a'))
    expect(await counters.get('a')).toBe(500)
    const removed = counters.delete('a')
    await Promise.all(all)
    await removed
    expect(await counters.get('a')).toBeUndefined()
  })

  it('are counted by key, also after deletes that left rows', async () => {
    const [grid] = await openAll(1)
    const counters = countersOf(grid!)
    for (const key of KEYS) await counters.increment(key)
    await counters.delete('opened')
    expect(await counters.size()).toEqual({ size: 40, complete: true, unanswered: [] })
    expect(new Map(await collect(counters.entries()))).toEqual(new Map(KEYS.map((key) => [key, 1])))
    expect((await collect(counters.keys({ prefix: 'key 1' }))).length).toBe(11)
    expect(await counters.clear()).toEqual({ deleted: 40, complete: true, unanswered: [] })
    expect(await counters.size()).toMatchObject({ size: 0 })
    expect(await collect(counters.keys())).toEqual([])
  })

  it('refuse what cannot be counted, and count nothing then', async () => {
    const [grid] = await openAll(1)
    const counters = countersOf(grid!)
    await expect(counters.increment('a', -1)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(counters.increment('a\u0001')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(counters.get('')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await counters.increment('a', Number.MAX_SAFE_INTEGER)
    await expect(counters.increment('a', 1)).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    expect(await counters.get('a')).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => grid!.counters('c', { ...SHAPE, owners: 3 })).toThrow(
      expect.objectContaining({ code: 'COLLECTION_MISMATCH' }),
    )
    expect(() => grid!.counters('x', {} as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('partitioned counters of several peers', () => {
  it('have all increments of all peers, each once, whichever peer owns the key', async () => {
    const all = await openAll(4)
    const light = await grids.open()
    await light.ready()
    const everyone = [...all, light].map(countersOf)
    await Promise.all(everyone.flatMap((counters) => KEYS.map((key, i) => counters.increment(key, i + 1))))
    for (const counters of everyone)
      await until(async () => {
        const counts = new Map(await collect(counters.entries()))
        return KEYS.every((key, i) => counts.get(key) === 5 * (i + 1))
      }, 'all is counted')
    expect(await everyone[0]!.increment('all', 1, { copies: 'all' })).toMatchObject({ copies: 2 })
    expect(await everyone[4]!.size()).toMatchObject({ size: KEYS.length + 2 })
  })

  it('keep an increment that a concurrent delete has not seen, and count it once', async () => {
    const all = await openAll(3)
    const writer = await grids.open({ storage: diskInMemory(), role: 'light' })
    await writer.ready()
    const [owner, far] = [countersOf(all[0]!), countersOf(writer)]
    await far.increment('a', 5, { copies: 'all' })
    grids.split([3])
    await far.increment('a', 2)
    expect(await owner.delete('a')).toBeDefined()
    expect(await owner.get('a')).toBeUndefined()
    grids.heal()
    await until(async () => (await owner.get('a')) === 2, 'only the late increment is left')
    expect(await far.get('a')).toBe(2)
    await far.increment('a', 1)
    await until(async () => (await owner.get('a')) === 3, 'it goes on from there')
  })

  it('tell changes with the count after each', async () => {
    const all = await openAll(2)
    const [one, two] = all.map(countersOf)
    await one!.increment('a', 2)
    const feed = two!.watch({ prefix: 'a' })
    expect((await feed.next()).value).toMatchObject({ type: 'set', key: 'a', value: 2 })
    await one!.increment('a', 3)
    expect((await feed.next()).value).toMatchObject({ type: 'set', key: 'a', value: 5 })
    await one!.delete('a')
    expect((await feed.next()).value).toMatchObject({ type: 'delete', key: 'a', value: undefined })
    await feed.return?.()
  })

  it('say without an owner that the count is not known, and count all the same', async () => {
    await openAll(1)
    const far = await grids.open({ storage: diskInMemory(), role: 'light' })
    await far.ready()
    const counters = countersOf(far)
    grids.split([1])
    expect(await counters.increment('a')).toMatchObject({ durable: true, hinted: true })
    const brief = { timeoutMs: 100 }
    await expect(counters.get('a', brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    await expect(counters.delete('a', brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    grids.heal()
    await until(async () => (await counters.get('a')) === 1, 'it is counted')
    const light = await grids.open({ role: 'light' })
    await light.ready()
    grids.split([2])
    await expect(countersOf(light).increment('a', 1, brief)).rejects.toMatchObject({
      code: 'OWNERS_UNREACHABLE',
      message: expect.stringContaining('do not count it again'),
    })
    grids.heal()
    await until(async () => (await counters.get('a')) === 2, 'it has come all the same')
  })
})

describe('a single partitioned counter', () => {
  const OPTIONS = { mode: 'partitioned', owners: 2 } as const

  it('has every increment of every peer, once, and is the same object each time', async () => {
    const all = await openAll(3)
    const counters = all.map((grid) => grid.counter('n', OPTIONS))
    expect(all[0]!.counter('n', OPTIONS)).toBe(counters[0])
    expect(counters[0]).toMatchObject({ name: 'n', owners: 2, partitions: 16 })
    expect(await counters[0]!.get()).toBe(0)
    await Promise.all(counters.map((counter, i) => counter.increment(10 + i, { copies: 'all' })))
    await counters[2]!.decrement(3, { copies: 'all' })
    for (const counter of counters) await until(async () => (await counter.get()) === 30, 'it has all increments')
    expect(await all[1]!.counters('n', { ...OPTIONS, partitions: 16 }).get('{count}')).toBe(30)
  })

  it('tells its changes, also after a cursor', async () => {
    const [one, two] = await openAll(2)
    const counter = one!.counter('n', OPTIONS)
    await counter.increment(4, { copies: 'all' })
    const watch = two!.counter('n', OPTIONS).watch()
    const first = await watch.next()
    expect(first.value).toMatchObject({ type: 'set', value: 4, cursor: expect.any(String) as string })
    await watch.return!()
    await counter.increment(1, { copies: 'all' })
    const later = two!.counter('n', OPTIONS).watch({ since: first.value!.cursor })
    expect((await later.next()).value).toMatchObject({ type: 'set', value: 5 })
    await later.return!()
    const changes = counter.changes()
    const next = changes.next()
    await two!.counter('n', OPTIONS).increment(2)
    expect((await next).value).toMatchObject({ value: 7 })
    await changes.return!()
  })

  it('is refused where another kind has the name, and with options that there are not', async () => {
    const [grid] = await openAll(1)
    grid!.counter('plain')
    expect(() => grid!.counter('plain', OPTIONS)).toThrow(expect.objectContaining({ code: 'COLLECTION_MISMATCH' }))
    for (const options of [{}, { mode: 'replicated' }, { mode: 'partitioned', ttlMs: 1 }]) {
      expect(() => grid!.counter('n', options as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
    const counter = grid!.counter('n', OPTIONS)
    await expect(counter.increment(-1)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(counter.get({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
