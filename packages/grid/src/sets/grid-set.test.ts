import { PRESENT, compositeKey, openPeer } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { GridSet } from './grid-set.ts'
import type { SetChange } from './grid-set.ts'
import { quietLogger } from '../logger.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function elementsOf(items: AsyncIterable<unknown>): Promise<string[]> {
  return (await collect(items, 1_000_000)).map(String).sort()
}

function steps(changes: readonly SetChange<unknown>[]): unknown[] {
  return changes.map(({ type, element, missed }) => [type, element, missed])
}

function rowsOf(grid: Grid): { entries: number; tombstones: number } {
  const { entries, tombstones } = grid.status().collections[0]!
  return { entries, tombstones }
}

async function openPair(): Promise<[Grid, Grid]> {
  const [first, second] = [await grids.open(), await grids.open()]
  await second.ready()
  return [first, second]
}

async function equal(...all: readonly Grid[]): Promise<void> {
  await until(() => new Set(all.map((grid) => grid.status().collections[0]?.fingerprint)).size === 1, 'all are equal')
}

describe('adding and taking out', () => {
  it('an element that was added is there at once, and once', async () => {
    const tags = (await grids.open()).set<string>('tags')
    const adding = tags.add('red')
    expect(tags.holds('red')).toBe(true)
    await adding
    await tags.add('red')
    await tags.add('blue')
    expect(await tags.has('red')).toBe(true)
    expect(await tags.has('green')).toBe(false)
    expect(tags.size).toBe(2)
    expect(await elementsOf(tags.values())).toEqual(['blue', 'red'])
  })

  it('a read without options is of the moment of its call', async () => {
    const tags = (await grids.open()).set<string>('tags')
    await tags.add('red')
    const reading = tags.has('red')
    void tags.delete('red')
    expect(await reading).toBe(true)
  })

  it('an element that was taken out is gone, and can come back', async () => {
    const tags = (await grids.open()).set<string>('tags')
    await tags.add('red')
    expect(tags.size).toBe(1)
    expect(await tags.delete('red')).toMatchObject({ version: { sequence: 2 } })
    expect(await tags.delete('red')).toBeUndefined()
    expect([tags.holds('red'), tags.size]).toEqual([false, 0])
    await tags.add('red')
    expect([tags.holds('red'), tags.size]).toEqual([true, 1])
  })

  it('elements are equal when their content is', async () => {
    const things = (await grids.open()).set('things')
    const elements = [
      'a',
      1,
      1n,
      true,
      null,
      Uint8Array.of(1),
      new Date(5),
      [1, 'a'],
      { x: 1, y: { z: [2] } },
      '',
      '\u0000',
    ]
    await things.addMany(elements)
    await things.addMany([{ y: { z: [2] }, x: 1 }, Uint8Array.of(1), [1, 'a'], new Date(5)])
    expect(things.size).toBe(elements.length)
    for (const element of elements) expect(things.holds(structuredClone(element))).toBe(true)
    for (const element of ['1', 2, 0, false, [1], { x: 1 }, {}]) expect(things.holds(element)).toBe(false)
    const values = await collect(things.values(), 100)
    expect(values).toHaveLength(elements.length)
    for (const element of elements) expect(values).toContainEqual(element)
    await things.delete({ y: { z: [2] }, x: 1 })
    expect(things.holds({ x: 1, y: { z: [2] } })).toBe(false)
  })

  it('elements that are read from the set are copies of the reader’s own', async () => {
    const things = (await grids.open()).set<{ tags: string[] }>('things')
    const element = { tags: ['a'] }
    await things.add(element)
    element.tags.push('b')
    ;(await collect(things.values(), 1))[0]!.tags.push('c')
    expect(things.holds({ tags: ['a'] })).toBe(true)
    expect(await collect(things.values(), 9)).toEqual([{ tags: ['a'] }])
  })

  it('what cannot be an element is refused, and of many with a bad one none is added', async () => {
    const things = (await grids.open()).set<unknown>('things')
    for (const bad of [undefined, Number.NaN, () => 1, new Map(), 'x'.repeat(1007), new Uint8Array(800)]) {
      await expect(things.add(bad)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
      await expect(things.has(bad)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
      await expect(things.delete(bad)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
      await expect(things.addMany(['good', bad])).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    }
    await expect(things.add('x'.repeat(1007))).rejects.toThrow(/1007 are allowed/)
    await expect(things.add('a', { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(things.size).toBe(0)
    await things.add('x'.repeat(1006))
    expect(things.size).toBe(1)
  })

  it('many are added, listed and cleared', async () => {
    const numbers = (await grids.open()).set<number>('numbers')
    const receipts = await numbers.addMany(Array.from({ length: 5000 }, (_, i) => i))
    expect(receipts).toHaveLength(5000)
    expect(new Set(await collect(numbers.values(), 10_000)).size).toBe(5000)
    expect(await numbers.clear()).toBe(5000)
    expect(numbers.size).toBe(0)
    expect(await collect(numbers.values(), 1)).toEqual([])
    expect(await numbers.clear()).toBe(0)
  })

  it('receipts say what is durable, and copies are waited for', async () => {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open({ storage: diskInMemory() })
    await second.ready()
    const tags = first.set<string>('tags')
    expect(await tags.add('red')).toMatchObject({ durable: true, copies: 1 })
    expect(await tags.add('blue', { copies: 2 })).toMatchObject({ copies: 2 })
    expect(await tags.delete('blue', { copies: 2 })).toMatchObject({ copies: 2 })
    expect(second.set('tags').holds('blue')).toBe(false)
  })
})

describe('adds and removes that have not seen each other', () => {
  it('a remove takes away what its peer had seen, and an add elsewhere stands', async () => {
    const [first, second] = await openPair()
    await first.set('tags').addMany(['red', 'blue'])
    await until(() => second.set('tags').size === 2, 'both have come')
    grids.split([0], [1])
    await first.set('tags').delete('red')
    await first.set('tags').delete('blue')
    await second.set('tags').add('red')
    grids.heal()
    await until(() => !second.set('tags').holds('blue'), 'the remove has come')
    await equal(first, second)
    for (const grid of [first, second]) expect(await elementsOf(grid.set('tags').values())).toEqual(['red'])
  })

  it('adding what is there already holds against a remove elsewhere', async () => {
    const [first, second] = await openPair()
    await first.set('tags').add('red')
    await until(() => second.set('tags').size === 1, 'it has come')
    grids.split([0], [1])
    // The remove takes away the very row that the add writes again.
    await second.set('tags').delete('red')
    await first.set('tags').add('red')
    grids.heal()
    await until(() => second.set('tags').holds('red'), 'the add has come')
    await equal(first, second)
    expect([first.set('tags').size, second.set('tags').size]).toEqual([1, 1])
  })

  it('an element with adds of several peers goes with all of them at once', async () => {
    const [first, second] = await openPair()
    grids.split([0], [1])
    await Promise.all([first.set('tags').add('red'), second.set('tags').add('red')])
    grids.heal()
    await equal(first, second)
    expect(rowsOf(first)).toEqual({ entries: 2, tombstones: 0 })
    expect([first.set('tags').size, await elementsOf(second.set('tags').values())]).toEqual([1, ['red']])
    const changes = second.set('tags').changes()
    expect(await first.set('tags').delete('red')).toBeDefined()
    expect(steps(await collect(changes, 1))).toEqual([['delete', 'red', 0]])
    await equal(first, second)
    expect(rowsOf(second)).toEqual({ entries: 0, tombstones: 2 })
  })

  it('an add takes the place of more than four others, so that an element keeps few rows', async () => {
    const disk = diskInMemory()
    for (let opening = 1; opening <= 12; opening++) {
      const grid = await grids.open({ storage: disk })
      await grid.set('tags').add('red')
      expect(grid.set('tags').size).toBe(1)
      expect(rowsOf(grid).entries).toBeLessThanOrEqual(4)
      await grid.close()
    }
  })
})

describe('changes', () => {
  it('report elements that come and go, from any peer and with any number of rows', async () => {
    const [first, second] = await openPair()
    const loop = second.set<string>('tags').changes()
    const heard: SetChange<string>[] = []
    const off = second.set<string>('tags').on('change', (change) => heard.push(change))
    await first.set<string>('tags').add('red')
    await until(() => second.set('tags').holds('red'), 'it has come')
    await second.set<string>('tags').add('red')
    await first.set<string>('tags').add('red')
    await equal(first, second)
    await first.set<string>('tags').delete('red')
    await until(() => !second.set('tags').holds('red'), 'it has gone')
    off()
    await second.set<string>('tags').add('blue')
    const expected = [
      ['add', 'red', 0],
      ['delete', 'red', 0],
    ]
    expect(steps(heard)).toEqual(expected)
    expect(steps(await collect(loop, 3))).toEqual([...expected, ['add', 'blue', 0]])
  })

  it('with initial the elements that are there come first', async () => {
    const tags = (await grids.open()).set<string>('tags')
    await tags.addMany(['a', 'b'])
    const loop = tags.changes({ initial: true })
    await tags.add('c')
    const seen = await collect(loop, 3)
    expect(seen.map(({ type, element }) => `${type} ${element}`).sort()).toEqual(['add a', 'add b', 'add c'])
  })

  it('a reader that is too slow learns how much it missed', async () => {
    const tags = (await grids.open()).set<string>('tags')
    const loop = tags.changes({ bufferMax: 1 })
    for (const tag of ['a', 'b', 'c']) await tags.add(tag)
    expect(steps(await collect(loop, 2))).toEqual([
      ['add', 'a', 0],
      ['lagged', undefined, 2],
    ])
  })

  it('loops end with their signal and with the grid', async () => {
    const grid = await grids.open()
    const stop = new AbortController()
    const stopped = collect(grid.set('tags').changes({ signal: stop.signal }), 10)
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(collect(grid.set('tags').changes({ signal: stop.signal, initial: true }), 1)).rejects.toMatchObject({
      code: 'ABORTED',
    })
    const closed = collect(grid.set('tags').changes(), 10)
    const tags = grid.set('tags')
    await grid.close()
    expect(await closed).toEqual([])
    expect(() => tags.holds('a')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await expect(tags.add('a')).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(tags.delete('a')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('the size that is counted once follows every change, here and elsewhere', async () => {
    const [first, second] = await openPair()
    await first.set('tags').addMany(['a', 'b'])
    await until(() => second.set('tags').size === 2, 'both have come')
    await first.set('tags').delete('a')
    await second.set('tags').add('c')
    await second.set('tags').add('b')
    await equal(first, second)
    await second.set('tags').delete('c')
    await until(() => first.set('tags').size === 1, 'the size follows')
    expect(second.set('tags').size).toBe(1)
  })
})

describe('rows that no set writes', () => {
  it('show nowhere, and the elements beside them do', async () => {
    const random = { uint32: () => 7 }
    const now = { wallMs: Date.now(), monotonicMs: 0 }
    const options = { peerId: 'a', gridName: 'test', random, persistent: false, software: 'test' }
    const peer = openPeer(options).finish(now)
    const collection = peer.open({ name: 'tags', kind: 'set', mode: 'replicated', partitions: 1 })
    const pump = { peer, checkOpen: () => undefined, afterStep: (call: () => void) => call() }
    const set = new GridSet<unknown>({ pump } as unknown as WritePath, collection, quietLogger)
    const heard: unknown[] = []
    const write = (text: string): void => {
      peer.write(collection.partitions[0]!, compositeKey(text, '0123456789abcdef'), PRESENT, now)
    }
    for (const text of ['tred', 'rubbish', 'c!', 'cAA==']) write(text)
    expect(set.size).toBe(2)
    set.on('change', ({ element }) => heard.push(element))
    for (const text of ['tblue', 'x', 'c', `c${btoa('\u0018\u0001')}`]) write(text)
    expect(heard).toEqual(['blue'])
    expect(set.size).toBe(3)
    expect(await elementsOf(set.values())).toEqual(['0', 'blue', 'red'])
  })
})
