import { afterEach, describe, expect, it } from 'vitest'
import { TestGrids, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const taken: Item[] = []
  for await (const item of items) taken.push(item)
  return taken
}

describe.each(['value', 'fields'] as const)('an iteration over a map (merge: %s)', (merge) => {
  it('ends at what was there at its start, however much is added meanwhile', async () => {
    const map = (await grids.open()).map<{ n: number }>('m', { merge })
    await map.setMany(['a', 'b', 'c'].map((key, n) => [key, { n }]))
    let added = 0
    const keys: string[] = []
    for await (const key of map.keys()) {
      keys.push(key)
      for (let i = 0; i < 100; i++) await map.set(`added ${added++}`, { n: 0 })
    }
    expect(keys.toSorted()).toEqual(['a', 'b', 'c'])
    let count = 0
    for await (const [key, { n }] of map.entries({ prefix: 'added' })) {
      expect(n).toBe(0)
      await map.set(`${key} again`, { n: 1 })
      count += 1
    }
    expect(count).toBe(300)
  })

  it('leaves out what is gone once it comes to it, and shows the rest as it is by then', async () => {
    const map = (await grids.open()).map<{ n: number }>('m', { merge })
    await map.setMany(['a', 'b', 'c', 'd', 'e'].map((key) => [key, { n: 0 }]))
    const seen: [string, number][] = []
    for await (const [key, { n }] of map.entries()) {
      seen.push([key, n])
      if (seen.length > 1) continue
      const [gone, back, other] = ['a', 'b', 'c', 'd', 'e'].filter((each) => each !== key)
      await map.delete(gone!)
      await map.delete(back!)
      await map.set(back!, { n: 1 })
      await map.set(other!, { n: 2 })
    }
    expect(seen.map(([, n]) => n).toSorted((one, other) => one - other)).toEqual([0, 0, 1, 2])
    expect(new Set(seen.map(([key]) => key)).size).toBe(4)
    expect(await all(map.keys())).toHaveLength(4)
  })

  it('ends with ABORTED or CLOSED at the next entry, and refuses options that are none', async () => {
    const grid = await grids.open()
    const map = grid.map<{ n: number }>('m', { merge })
    await map.setMany(Array.from({ length: 100 }, (_, n) => [`k${n}`, { n }]))
    const stop = new AbortController()
    let count = 0
    const aborted = async (): Promise<void> => {
      for await (const key of map.keys({ signal: stop.signal })) if (key !== '' && ++count === 10) stop.abort()
    }
    await expect(aborted()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(count).toBe(10)
    const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => map.keys({ signal: {} as AbortSignal })).toThrow(invalid)
    expect(() => map.entries({ prefix: 7 as unknown as string })).toThrow(invalid)
    expect(() => map.changes({ prefix: 7 as unknown as string })).toThrow(invalid)
    const entries = map.entries()
    await entries.next()
    await grid.close()
    await expect(entries.next()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(map.keys().next()).rejects.toMatchObject({ code: 'CLOSED' })
    // Wrong options are reported first: a wrong call is wrong on an open grid too.
    expect(() => map.changes({ signal: {} as AbortSignal })).toThrow(invalid)
    expect(() => map.changes()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})

describe('an iteration over a set', () => {
  it('ends at what was there at its start, however much is added meanwhile', async () => {
    const set = (await grids.open()).set<string>('s')
    await set.addMany(['a', 'b', 'c'])
    const seen: string[] = []
    for await (const element of set.values()) {
      seen.push(element)
      for (let i = 0; i < 100; i++) await set.add(`${element} ${i}`)
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c'])
    expect(await all(set.values())).toHaveLength(303)
  })

  it('leaves out what is gone once it comes to it; what is removed and added again is there', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const [set, other] = [first.set<string>('s'), second.set<string>('s')]
    await other.addMany(['a', 'b', 'c', 'd'])
    await until(() => set.size === 4, 'all have come')
    const seen: string[] = []
    for await (const element of set.values()) {
      seen.push(element)
      if (seen.length > 1) continue
      const [gone, back] = ['a', 'b', 'c', 'd'].filter((each) => each !== element)
      await set.delete(gone!)
      // Its row is another peer's; the new one is this peer's, and lies behind all that were there.
      await set.delete(back!)
      await set.add(back!)
    }
    expect(new Set(seen).size).toBe(3)
    expect(seen).toHaveLength(3)
    expect(set.size).toBe(3)
  })

  it('ends with ABORTED or CLOSED at the next element', async () => {
    const grid = await grids.open()
    const set = grid.set<number>('s')
    await set.addMany(Array.from({ length: 100 }, (_, n) => n))
    const stop = new AbortController()
    let count = 0
    const aborted = async (): Promise<void> => {
      for await (const element of set.values({ signal: stop.signal })) if (element >= 0 && ++count === 10) stop.abort()
    }
    await expect(aborted()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(count).toBe(10)
    const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => set.values({ signal: {} as AbortSignal })).toThrow(invalid)
    expect(() => set.changes({ signal: {} as AbortSignal })).toThrow(invalid)
    const values = set.values()
    await values.next()
    await grid.close()
    await expect(values.next()).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

it('a signal that is none is refused wherever one is taken', async () => {
  const grid = await grids.open()
  const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
  const options = { signal: {} as AbortSignal }
  await expect(grid.ready(options)).rejects.toEqual(invalid)
  await expect(grids.open(options)).rejects.toEqual(invalid)
  for (const write of [
    grid.map('m').set('k', 1, options),
    grid.set('s').add('a', options),
    grid.counter('c').increment(1, options),
    grid.map('m').transact((batch) => batch.set('k', 1), options),
  ]) {
    await expect(write).rejects.toEqual(invalid)
  }
  const ignore = (): void => undefined
  expect(() => grid.on('member', ignore, options)).toThrow(invalid)
  expect(() => grid.map('m').on('change', ignore, options)).toThrow(invalid)
  expect(() => grid.map('m').on('conflict', ignore, options)).toThrow(invalid)
  expect(() => grid.set('s').on('change', ignore, options)).toThrow(invalid)
  expect(() => grid.counter('c').on('change', ignore, options)).toThrow(invalid)
  expect(() => grid.topic('t').on('message', ignore, options)).toThrow(invalid)
  expect(() => grid.presence().on('change', ignore, options)).toThrow(invalid)
  expect(grid.map('m').size + grid.set('s').size + grid.counter('c').value).toBe(0)
})

it('an event that is none is refused', async () => {
  const grid = await grids.open()
  const ignore = (): void => undefined
  const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
  const odd = 'add' as unknown as 'change'
  expect(() => grid.map('m').on(odd, ignore)).toThrow(invalid)
  expect(() => grid.set('s').on(odd, ignore)).toThrow(invalid)
  expect(() => grid.counter('c').on(odd, ignore)).toThrow(invalid)
  expect(() => grid.topic('t').on(odd as unknown as 'message', ignore)).toThrow(invalid)
  expect(() => grid.presence().on(odd, ignore)).toThrow(invalid)
})
