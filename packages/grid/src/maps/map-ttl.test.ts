import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Change } from './map-change.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

const HOUR_MS = 3_600_000
let grids = new TestGrids()

beforeEach(() => {
  // Only the wall clock: what waits, waits in real time.
  vi.useFakeTimers({ toFake: ['Date'] })
})

afterEach(async () => {
  vi.useRealTimers()
  await grids.close()
  grids = new TestGrids()
})

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

describe('an entry with a time to live', () => {
  it('may be as deep as any other, and reaches peers', async () => {
    const [here, there] = [await grids.open(), await grids.open()]
    await there.ready()
    let deep: unknown = 1
    for (let level = 0; level < 64; level++) deep = [deep]
    await here.map('m').set('deep', deep, { ttlMs: HOUR_MS })
    await until(() => there.map('m').size === 1, 'it came')
    expect(there.map('m').peek('deep')).toEqual(deep)
  })

  it('is gone for every way of reading the moment its time has come', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('stays', 1)
    await map.set('goes', 2, { ttlMs: HOUR_MS })
    pass(HOUR_MS - 1)
    expect(map.peek('goes')).toBe(2)
    expect(map.size).toBe(2)
    pass(1)
    expect(map.peek('goes')).toBeUndefined()
    expect(await map.get('goes')).toBeUndefined()
    expect(await map.has('goes')).toBe(false)
    expect(await map.getMany(['stays', 'goes'])).toEqual(new Map([['stays', 1]]))
    expect(await all(map.entries())).toEqual([['stays', 1]])
    expect(await all(map.keys())).toEqual(['stays'])
    expect(map.expiresAt('goes')).toBeUndefined()
    expect(await map.delete('goes')).toBeUndefined()
    const seen: unknown[] = []
    await map.update('goes', (value) => {
      seen.push(value)
      return undefined
    })
    expect(seen).toEqual([undefined])
    expect(map.size).toBe(1)
    expect(await map.clear()).toBe(1)
  })

  it('lives longer once it is touched, with the value that it has', async () => {
    const grid = await grids.open()
    for (const merge of ['value', 'fields'] as const) {
      const map = grid.map<object>(merge, { merge, ttlMs: HOUR_MS })
      const plain = grid.map<object>(`${merge} without`, { merge })
      await map.set('a', { x: 1, y: 2 })
      await plain.set('a', { x: 1, y: 2 })
      pass(HOUR_MS / 2)
      expect(await map.touch('a')).toMatchObject({ copies: 0 })
      await map.touch('b')
      expect(await plain.touch('a', 2 * HOUR_MS, { timeoutMs: 5 })).toBeDefined()
      expect(map.expiresAt('a')).toEqual(new Date(Date.now() + HOUR_MS))
      pass(HOUR_MS - 1)
      expect([map.peek('a'), plain.peek('a'), map.size]).toEqual([{ x: 1, y: 2 }, { x: 1, y: 2 }, 1])
      pass(1)
      expect([map.peek('a'), plain.peek('a')]).toEqual([undefined, { x: 1, y: 2 }])
      expect(await map.touch('a')).toBeUndefined()
      pass(HOUR_MS)
      expect(plain.peek('a')).toBeUndefined()
      await expect(plain.touch('a')).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/ttlMs/) as string,
      })
      for (const ttlMs of [0, -1, 1.5, Number.NaN, Infinity, '5', null])
        await expect(map.touch('a', ttlMs as number)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(map.touch('', 5)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    }
  })

  it('does not come with the entries that a loop over changes begins with', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('goes', 2, { ttlMs: HOUR_MS })
    await map.set('stays', 1)
    pass(HOUR_MS)
    for await (const { key } of map.changes({ initial: true })) {
      expect(key).toBe('stays')
      break
    }
  })

  it('says when it will be gone; one that stays says nothing', async () => {
    const map = (await grids.open()).map<number>('m')
    const before = Date.now()
    await map.set('goes', 1, { ttlMs: HOUR_MS })
    await map.set('stays', 1)
    expect(map.expiresAt('goes')).toEqual(new Date(before + HOUR_MS))
    expect(map.expiresAt('stays')).toBeUndefined()
    expect(map.expiresAt('missing')).toBeUndefined()
  })

  it('stays once it is written without one', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('k', 1, { ttlMs: HOUR_MS })
    await map.set('k', 2)
    pass(2 * HOUR_MS)
    expect(map.peek('k')).toBe(2)
    expect(map.size).toBe(1)
  })

  it('can be set again after its end, and after it was swept', async () => {
    const map = (await grids.open()).map<number>('m')
    for (const sweeps of [false, true]) {
      await map.set('k', 1, { ttlMs: HOUR_MS })
      pass(HOUR_MS)
      if (sweeps) expect(map.size).toBe(0)
      await map.set('k', 2)
      expect(map.peek('k')).toBe(2)
      expect(map.size).toBe(1)
      await map.delete('k')
    }
  })

  it('counts no bytes and no entry in the status once its time has come', async () => {
    const grid = await grids.open()
    const map = grid.map<string>('m')
    await map.setMany(
      Array.from({ length: 3000 }, (_, i) => [`k${i}`, 'x'.repeat(i % 50)] as const),
      { ttlMs: HOUR_MS },
    )
    await map.set('stays', 'y')
    pass(HOUR_MS)
    const [status] = grid.status().collections
    expect(status).toMatchObject({ entries: 1, tombstones: 3000, valueBytes: 2 })
    await map.set('k7', 'back')
    expect(grid.status().collections[0]).toMatchObject({ entries: 2, tombstones: 2999, valueBytes: 7 })
  })

  it('keeps its date through setMany and update', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.setMany([['a', 1]], { ttlMs: HOUR_MS })
    await map.update('b', () => 1, { ttlMs: HOUR_MS })
    expect(map.size).toBe(2)
    pass(HOUR_MS)
    expect(map.size).toBe(0)
  })

  it('can be given the date itself, to the millisecond, as one that was read elsewhere', async () => {
    const grid = await grids.open()
    for (const merge of ['value', 'fields'] as const) {
      const map = grid.map<object>(merge, { merge, ttlMs: 1000 })
      const expiresAt = new Date(Date.now() + HOUR_MS + 7)
      await map.set('a', {}, { expiresAt })
      await map.update('b', () => ({ n: 1 }), { expiresAt })
      await map.setMany([['c', {}]], { expiresAt })
      await map.transact((batch) => batch.set('d', {}, { expiresAt }))
      for (const key of ['a', 'b', 'c', 'd']) expect(map.expiresAt(key)).toEqual(expiresAt)
      pass(HOUR_MS + 6)
      expect(map.size).toBe(4)
      pass(1)
      expect(map.size).toBe(0)
    }
  })

  it('and no date that has passed, or that is none', async () => {
    const map = (await grids.open()).map<number>('m')
    const wrong = [new Date(), new Date(Number.NaN), new Date(Date.now() + 4000 * 24 * HOUR_MS), '2030-01-01', 5]
    for (const expiresAt of wrong) {
      const options = { expiresAt: expiresAt as Date }
      const refused = { code: 'INVALID_OPTION', message: expect.stringContaining('expiresAt') as string }
      await expect(map.set('a', 1, options)).rejects.toMatchObject(refused)
      await expect(map.setMany([['a', 1]], options)).rejects.toMatchObject(refused)
    }
    const both = { ttlMs: 5, expiresAt: new Date(Date.now() + 5) }
    await expect(map.set('a', 1, both)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(map.size).toBe(0)
  })

  it('is gone on every peer at once, also on one that gets it too late', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    grids.split([0], [1])
    await first.map<number>('m').set('late', 1, { ttlMs: HOUR_MS })
    await first.map<number>('m').set('other', 1)
    pass(HOUR_MS)
    const reported: string[] = []
    second.map<number>('m').on('change', ({ type, key }) => reported.push(`${type} ${key}`))
    grids.heal()
    await until(() => second.map('m').peek('other') === 1, 'the other one has come')
    expect(second.map('m').peek('late')).toBeUndefined()
    expect(second.map('m').size).toBe(1)
    expect(reported).toEqual(['set other'])
  })

  it('and survives a restart with its date', async () => {
    const storage = diskInMemory()
    const grid = await grids.open({ storage })
    await grid.map<number>('m').set('k', 1, { ttlMs: HOUR_MS })
    await grid.close()
    const again = (await grids.open({ storage })).map<number>('m')
    expect(again.peek('k')).toBe(1)
    pass(HOUR_MS)
    expect(again.peek('k')).toBeUndefined()
    expect(again.size).toBe(0)
  })
})

describe('the time to live of a map', () => {
  it('holds for writes without one of their own', async () => {
    const map = (await grids.open()).map<number>('m', { ttlMs: HOUR_MS })
    await map.set('usual', 1)
    await map.set('longer', 1, { ttlMs: 3 * HOUR_MS })
    await map.transact((batch) => {
      batch.set('in a batch', 1)
      batch.set('longer in a batch', 1, { ttlMs: 3 * HOUR_MS })
    })
    pass(HOUR_MS)
    expect((await all(map.keys())).toSorted((a, b) => a.localeCompare(b))).toEqual(['longer', 'longer in a batch'])
    pass(2 * HOUR_MS)
    expect(map.size).toBe(0)
  })

  it('is a whole number from one millisecond to ten years', async () => {
    const grid = await grids.open()
    for (const ttlMs of [0, -1, 1.5, Number.NaN, Infinity, 11 * 365 * 24 * HOUR_MS, '5' as unknown as number]) {
      expect(() => grid.map(`m${ttlMs}`, { ttlMs })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
      const map = grid.map<number>('m')
      await expect(map.set('k', 1, { ttlMs })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(map.setMany([['k', 1]], { ttlMs })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(map.transact((batch) => batch.set('k', 1, { ttlMs }))).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      })
    }
    expect(grid.map('m').size).toBe(0)
    await grid.map<number>('m').set('k', 1, { ttlMs: 10 * 365 * 24 * HOUR_MS })
    expect(grid.map('m').size).toBe(1)
  })
})

describe('changes of entries that expire', () => {
  it('an expiry is reported once, as a delete with the value before', async () => {
    vi.useRealTimers()
    const map = (await grids.open()).map<string>('m')
    const reported: Change<string>[] = []
    map.on('change', (change) => reported.push(change))
    await map.set('k', 'value', { ttlMs: 30 })
    await until(() => reported.length > 1, 'the end is reported')
    expect(reported.map(({ type, value, previous }) => [type, value, previous])).toEqual([
      ['set', 'value', undefined],
      ['delete', undefined, 'value'],
    ])
    expect(map.size).toBe(0)
    expect(reported).toHaveLength(2)
  })

  it('an expiry that was overwritten is not reported', async () => {
    const map = (await grids.open()).map<number>('m')
    const reported: unknown[] = []
    map.on('change', ({ type, value, previous }) => reported.push([type, value, previous]))
    await map.set('k', 1, { ttlMs: HOUR_MS })
    await map.set('k', 2)
    pass(HOUR_MS)
    expect(map.size).toBe(1)
    expect(reported).toEqual([
      ['set', 1, undefined],
      ['set', 2, 1],
    ])
  })

  it('an entry that is written after its end and before it was swept was there until then', async () => {
    const map = (await grids.open()).map<number>('m')
    const reported: unknown[] = []
    map.on('change', ({ type, value, previous }) => reported.push([type, value, previous]))
    await map.set('k', 1, { ttlMs: HOUR_MS })
    pass(HOUR_MS)
    await map.set('k', 2)
    expect(map.size).toBe(1)
    expect(reported.at(-1)).toEqual(['set', 2, 1])
    expect(reported).toHaveLength(2)
  })

  it('a conflict tells the value that was thrown away, without its date', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    const conflicts: unknown[] = []
    for (const grid of [first, second]) grid.map<string>('m').on('conflict', (conflict) => conflicts.push(conflict))
    grids.split([0], [1])
    await first.map<string>('m').set('k', 'first', { ttlMs: HOUR_MS })
    pass(5)
    await second.map<string>('m').set('k', 'second', { ttlMs: HOUR_MS })
    grids.heal()
    await until(() => first.map('m').peek('k') === 'second', 'the later write has won')
    expect(conflicts).toContainEqual({ key: 'k', field: undefined, discarded: 'first', kept: 'second' })
  })
})

it('a value that looks like one that expires is an ordinary value', async () => {
  const map = (await grids.open()).map<unknown>('m')
  // A float that CBOR cannot shorten, so that the bytes are those of a date of expiry.
  const value = ['\0ttl', 1_000_000_000_000.5, 'payload']
  await map.set('k', value)
  expect(map.peek('k')).toEqual(value)
  expect(map.size).toBe(1)
  expect(map.expiresAt('k')).toBeUndefined()
})
