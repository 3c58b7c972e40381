import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids, collect, diskInMemory, until } from '../../rig/test-grids.ts'
import type { PartitionedSet } from './partitioned-set.ts'
import type { PartitionedSets } from './partitioned-sets.ts'

const SHAPE = { mode: 'partitioned', partitions: 16, owners: 2 } as const
const WORDS = Array.from({ length: 60 }, (_, i) => `word ${i}`)

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) setsOf(grid)
  const isWhole = (grid: Grid): boolean => {
    const { owned, whole } = grid.status().partitions
    return owned > 0 && owned === whole
  }
  await until(() => all.every(isWhole), 'all owners are whole')
  return all
}

function setsOf(grid: Grid): { one: PartitionedSet<unknown>; many: PartitionedSets<unknown> } {
  return { one: grid.set('words', SHAPE), many: grid.sets('tags', SHAPE) }
}

describe('partitioned sets of one peer', () => {
  it('have the elements that were added and not removed', async () => {
    const [grid] = await openAll(1)
    const { one, many } = setsOf(grid!)
    expect(await one.add('a')).toMatchObject({ durable: true, hinted: false })
    expect(await many.add('k', { b: 1 }, { copies: 'all' })).toMatchObject({ copies: 1 })
    expect([await one.has('a'), await one.has('b')]).toEqual([true, false])
    expect([await many.holds('k', { b: 1 }), await many.holds('k', 'b'), await many.has('k')]).toEqual([
      true,
      false,
      true,
    ])
    expect([await many.get('k'), await many.get('none'), await many.has('none')]).toEqual([
      [{ b: 1 }],
      undefined,
      false,
    ])
    expect(await one.delete('a')).toMatchObject({ durable: true })
    expect(await one.delete('a')).toBeUndefined()
    expect(await many.remove('k', { b: 1 })).toMatchObject({ durable: true })
    expect(await many.delete('k')).toBeUndefined()
    expect([await one.has('a'), await many.get('k')]).toEqual([false, undefined])
  })

  it('add and remove in the order of the calls', async () => {
    const [grid] = await openAll(1)
    const { one, many } = setsOf(grid!)
    await Promise.all([one.add('a'), one.delete('a'), one.add('b'), one.delete('b'), one.add('b')])
    expect([await one.has('a'), await one.has('b')]).toEqual([false, true])
    await Promise.all([many.add('k', 'a'), many.remove('k', 'a')])
    expect(await many.get('k')).toBeUndefined()
  })

  it('are walked through, counted, filled and cleared', async () => {
    const [grid] = await openAll(1)
    const { one, many } = setsOf(grid!)
    expect(await one.addMany(WORDS)).toEqual({ written: 60, hinted: 0 })
    expect((await collect(one.values())).map(String).toSorted()).toEqual(WORDS.toSorted())
    for (const word of WORDS.slice(0, 20)) {
      await many.add(word, 1)
      await many.add(word, 2)
    }
    await many.add('word 1\u0002', 'behind')
    expect([await one.size(), await many.size()]).toMatchObject([{ size: 60 }, { size: 21 }])
    const entries = new Map(await collect(many.entries()))
    expect(WORDS.slice(0, 20).map((word) => entries.get(word)?.toSorted())).toEqual(
      Array.from({ length: 20 }, () => [1, 2]),
    )
    expect((await collect(many.keys({ prefix: 'word 1' }))).length).toBe(12)
    expect((await many.get('word 1'))?.length).toBe(2)
    expect(await many.delete('word 1')).toMatchObject({ durable: true })
    expect(await many.clear()).toEqual({ deleted: 39, complete: true, unanswered: [] })
    expect(await one.clear()).toMatchObject({ deleted: 60 })
    expect([await one.size(), await many.size()]).toMatchObject([{ size: 0 }, { size: 0 }])
  })

  it('refuse what cannot be an element', async () => {
    const [grid] = await openAll(1)
    const { one, many } = setsOf(grid!)
    await expect(one.add(Number.NaN)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(one.addMany(['a', Number.NaN])).rejects.toMatchObject({ code: 'INVALID_VALUE', written: 0 })
    await expect(many.add('k', 'x'.repeat(1020))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(many.get('k\u0001')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect(() => grid!.set('other', { mode: 'partitioned', owners: 0 })).toThrow(
      expect.objectContaining({ code: 'PARTITIONS_INVALID' }),
    )
  })
})

describe('partitioned sets of several peers', () => {
  it('are read and written from each of them', async () => {
    const all = await openAll(3)
    const light = await grids.open()
    await light.ready()
    const everyone = [...all, light].map(setsOf)
    for (const [i, { one, many }] of everyone.entries()) {
      await one.addMany(WORDS.filter((_, at) => at % 4 === i))
      await many.add('all', i)
    }
    for (const { one, many } of everyone) {
      await until(async () => (await one.size()).size === 60, 'all elements are there')
      await until(async () => (await many.get('all'))?.length === 4, 'the elements of all peers are there')
    }
    await everyone[3]!.many.remove('all', 0)
    await until(async () => !(await everyone[0]!.many.holds('all', 0)), 'it is removed')
    await everyone[0]!.many.delete('all')
    for (const { many } of everyone) await until(async () => (await many.get('all')) === undefined, 'all are removed')
  })

  it('an add that a concurrent remove has not seen stays', async () => {
    const all = await openAll(2)
    const writer = await grids.open({ storage: diskInMemory(), role: 'light' })
    await writer.ready()
    const [near, far] = [setsOf(all[0]!), setsOf(writer)]
    await far.one.add('a', { copies: 'all' })
    await far.one.add('b', { copies: 'all' })
    grids.split([2])
    await far.one.add('a', { timeoutMs: 50 })
    await near.one.delete('a')
    await near.one.delete('b')
    expect([await near.one.has('a'), await near.one.has('b')]).toEqual([false, false])
    grids.heal()
    await until(() => near.one.has('a'), 'the add wins')
    expect([await far.one.has('a'), await far.one.has('b')]).toEqual([true, false])
  })

  it('a peer in memory adds and removes through another one, also in quick succession', async () => {
    const all = await openAll(2)
    const light = await grids.open()
    await light.ready()
    const [near, { one }] = [setsOf(all[0]!), setsOf(light)]
    for (const word of WORDS) {
      await one.add(word)
      await one.delete(word)
    }
    expect(await near.one.size()).toMatchObject({ size: 0 })
    await one.add(WORDS[0]!)
    await until(() => near.one.has(WORDS[0]!), 'it is there again')
  })

  it('keep few adds of one element, however many peers add it', async () => {
    const all = await openAll(4)
    for (let round = 0; round < 3; round++) {
      for (const grid of all) await setsOf(grid).one.add('a', { copies: 'all' })
      for (let i = 0; i < 2; i++) {
        const passing = await grids.open({ storage: diskInMemory(), role: 'light' })
        await passing.ready()
        await setsOf(passing).one.add('a', { copies: 'all' })
        await passing.close()
      }
    }
    const { one } = setsOf(all[0]!)
    await one.delete('a')
    for (const grid of all) await until(async () => !(await setsOf(grid).one.has('a')), 'one remove takes all of them')
    expect(await one.size()).toMatchObject({ size: 0 })
  })

  it('tell changes of elements', async () => {
    const all = await openAll(2)
    const [near, far] = all.map(setsOf)
    await near!.many.add('k', 'a')
    const feed = far!.many.changes({ key: 'k', initial: true })
    expect((await feed.next()).value).toMatchObject({ type: 'add', key: 'k', element: 'a' })
    await near!.many.add('other', 'x')
    await near!.many.add('k', 'b')
    expect((await feed.next()).value).toMatchObject({ type: 'add', key: 'k', element: 'b' })
    await near!.many.delete('k')
    const removed = [await feed.next(), await feed.next()].map(({ value }) => value)
    expect(removed.map((change) => String(change?.element)).toSorted()).toEqual(['a', 'b'])
    expect(removed.map((change) => change?.type)).toEqual(['delete', 'delete'])
    await feed.return?.()
    await near!.one.add(7)
    const watch = far!.one.watch()
    const first = (await watch.next()).value
    expect(first).toMatchObject({ type: 'add', element: 7 })
    await watch.return?.()
  })
})
