import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EntriesOptions } from './walk.ts'
import { orderedKeys } from './ordered-keys.ts'
import { TestGrids } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('entries in order', () => {
  it('come sorted, page after page, of maps, counters and sets', async () => {
    const grid = await grids.open()
    const [map, fields] = [grid.map<number>('m'), grid.map<object>('f', { merge: 'fields' })]
    const [counters, sets] = [grid.counters('c'), grid.sets<number>('s')]
    const keys = Array.from({ length: 250 }, (_, i) => `k${(i * 7919) % 1000}`)
    await map.setMany(keys.map((key, i) => [key, i] as const))
    await fields.setMany(keys.map((key, i) => [key, { i }] as const))
    await Promise.all(keys.map((key) => counters.increment(key)))
    await Promise.all(keys.map((key, i) => sets.add(key, i)))
    const sorted = keys.toSorted()
    for (const collection of [map, fields, counters, sets]) {
      const seen: string[] = []
      let afterKey: string | undefined
      for (;;) {
        const options: EntriesOptions = { orderBy: 'key', ...(afterKey === undefined ? {} : { afterKey }) }
        const page: string[] = []
        for await (const [key] of collection.entries(options)) if (page.push(key) === 60) break
        if (page.length === 0) break
        seen.push(...page)
        afterKey = page.at(-1)
      }
      expect(seen).toEqual(sorted)
      expect(await all(collection.keys({ orderBy: 'key', prefix: 'k1', afterKey: 'k15' }))).toEqual(
        sorted.filter((key) => key.startsWith('k1') && key > 'k15'),
      )
    }
  })

  it('skip what is deleted meanwhile, and end with their signal and their grid', async () => {
    const grid = await grids.open()
    const map = grid.map<number>('m')
    await map.setMany(Array.from({ length: 100 }, (_, i) => [`k${i + 100}`, i] as const))
    const seen: string[] = []
    for await (const key of map.keys({ orderBy: 'key' })) {
      seen.push(key)
      if (key === 'k110') await map.delete('k111')
      if (key === 'k112') await map.set('k113a', 1)
    }
    expect(seen).toHaveLength(99)
    const stop = new AbortController()
    const walk = map.entries({ orderBy: 'key', signal: stop.signal })
    await walk.next()
    stop.abort()
    await expect(walk.next()).rejects.toMatchObject({ code: 'ABORTED' })
    const closed = map.entries({ orderBy: 'key' })
    await closed.next()
    await grid.close()
    await expect(closed.next()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it.each([
    { orderBy: 'value' },
    { orderBy: 5 },
    { afterKey: 'a' },
    { orderBy: 'key', afterKey: 5 },
    { orderby: 'key' },
  ])('with %j are refused', async (options) => {
    const grid = await grids.open()
    const given = options as never
    for (const walk of [() => grid.map('m').entries(given), () => grid.counters('c').keys(given)])
      expect(walk).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('ordered keys', () => {
  it('are all keys, sorted as JavaScript compares text', async () => {
    const turn = vi.fn<() => Promise<void>>(() => Promise.resolve())
    const text = fc.string({ unit: 'binary', maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(text, { maxLength: 300 }), fc.nat({ max: 40 }), async (keys, times) => {
        // So many that there are several runs.
        const many = Array.from({ length: times }, (_, i) => keys.map((key) => `${key}${i}`)).flat()
        const unique = [...new Set(many)]
        expect(await all(orderedKeys(unique, turn))).toEqual(unique.toSorted())
      }),
      { numRuns: 60 },
    )
  })

  it('give the event loop its turn while they are collected and read', async () => {
    const turn = vi.fn<() => Promise<void>>(() => Promise.resolve())
    const keys = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? `${(i * 7919) % 20_000}` : undefined))
    expect(await all(orderedKeys(keys, turn))).toHaveLength(10_000)
    expect(turn.mock.calls.length).toBeGreaterThanOrEqual(12)
  })
})
