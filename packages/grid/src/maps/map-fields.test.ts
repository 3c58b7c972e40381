import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Change } from './map-change.ts'
import type { Grid } from '../grid.ts'
import type { Conflict } from './grid-map.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

type Fields = Record<string, unknown>
const FIELDS = { merge: 'fields' } as const
let grids = new TestGrids()

afterEach(async () => {
  vi.useRealTimers()
  await grids.close()
  grids = new TestGrids()
})

/** Two peers that hold the same object, and cannot reach each other any more. */
async function apart(object: Fields): Promise<[Grid, Grid]> {
  const first = await grids.open()
  const second = await grids.open()
  await second.ready()
  for (const grid of [first, second]) grid.map('m', FIELDS)
  await first.map<Fields>('m').set('k', object)
  await until(() => second.map('m').size === 1, 'the object has come')
  grids.split([0], [1])
  return [first, second]
}

/** Both peers are one again, and hold the same. */
async function together(first: Grid, second: Grid): Promise<void> {
  grids.heal()
  const fingerprint = (grid: Grid): string | undefined =>
    grid.status().collections.find(({ name }) => name === 'm')?.fingerprint
  await until(() => fingerprint(first) === fingerprint(second), 'both hold the same')
  expect(first.map('m').peek('k')).toEqual(second.map('m').peek('k'))
}

describe('a map with fields', () => {
  it('reads back what was written', async () => {
    const map = (await grids.open()).map<Fields>('m', FIELDS)
    const objects: Fields[] = [
      { name: 'Ada', age: 36, tags: ['a'], deep: { of: { it: 1n } }, bytes: new Uint8Array([1]), at: new Date(5) },
      {},
      { '': 1, 'ä ö': 2, constructor: 3, '7': 4 },
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field ${i}`, i])),
    ]
    for (const object of objects) {
      await map.set('k', object)
      expect(map.peek('k')).toEqual(object)
      expect(map.size).toBe(1)
    }
    expect(await map.has('k')).toBe(true)
    await map.delete('k')
    expect(await map.has('k')).toBe(false)
    expect(map.size).toBe(0)
    expect(await map.delete('k')).toBeUndefined()
  })

  it('a field that is undefined is one that is left out', async () => {
    const map = (await grids.open()).map<Fields>('m', FIELDS)
    await map.set('k', { a: 1, b: 2 })
    await map.set('k', { a: undefined, b: { inside: undefined } })
    expect(map.peek('k')).toStrictEqual({ b: { inside: undefined } })
  })

  it('lists, clears and counts objects, not fields', async () => {
    const map = (await grids.open()).map<Fields>('m', FIELDS)
    await map.setMany(Array.from({ length: 100 }, (_, i) => [`k${i}`, { a: i, b: i, c: i }] as const))
    expect(map.size).toBe(100)
    const keys: string[] = []
    for await (const key of map.keys({ prefix: 'k1' })) keys.push(key)
    expect(keys).toHaveLength(11)
    const values: Fields[] = []
    for await (const [, value] of map.entries({ prefix: 'k77' })) values.push(value)
    expect(values).toEqual([{ a: 77, b: 77, c: 77 }])
    expect(await map.clear()).toBe(100)
    expect(map.size).toBe(0)
  })

  it('keeps what it holds over a restart, and its count', async () => {
    const storage = diskInMemory()
    const grid = await grids.open({ storage })
    await grid.map<Fields>('m', FIELDS).set('k', { a: 1, b: 2 })
    await grid.map<Fields>('m').set('gone', { a: 1 })
    await grid.map<Fields>('m').delete('gone')
    await grid.close()
    const again = (await grids.open({ storage })).map<Fields>('m', FIELDS)
    expect(again.peek('k')).toEqual({ a: 1, b: 2 })
    expect(again.size).toBe(1)
  })

  it('writes only what differs, and one row that says that the object is there', async () => {
    const grid = await grids.open()
    const map = grid.map<Fields>('m', FIELDS)
    const first = await map.set('k', { a: 1, b: 2, c: 3 })
    expect(first.version.sequence).toBe(4)
    const second = await map.set('k', { a: 1, b: 20 })
    // The tombstone of c, b and the row of the object.
    expect(second.version.sequence).toBe(7)
  })

  it('takes plain objects only, and no key or field that its rows cannot hold', async () => {
    const map = (await grids.open()).map<unknown>('m', FIELDS)
    for (const value of [
      1,
      'text',
      null,
      [1],
      new Date(),
      new Uint8Array(1),
      { 'a\0b': 1 },
      { ['x'.repeat(1024)]: 1 },
    ]) {
      await expect(map.set('k', value)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    }
    await expect(map.set('a\0b', {})).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(map.get('a\0b')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(map.transact((batch) => batch.has('a\0b'))).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect(map.size).toBe(0)
    const fields = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, 1]))
    await expect(map.set('k', fields)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    await expect(map.set('k', { a: 'x'.repeat(600_000) })).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    expect(map.size).toBe(0)
  })
})

describe('concurrent writes of an object', () => {
  it('edits of different fields both survive', async () => {
    const [first, second] = await apart({ name: 'Ada', city: 'London', age: 36 })
    await first.map<Fields>('m').update('k', (ada) => ({ ...ada, city: 'Paris' }))
    await second.map<Fields>('m').update('k', (ada) => ({ ...ada, age: 37 }))
    await together(first, second)
    expect(first.map('m').peek('k')).toEqual({ name: 'Ada', city: 'Paris', age: 37 })
  })

  it('of one field the later edit wins, and a conflict says which field it was', async () => {
    const [first, second] = await apart({ a: 0, b: 0 })
    const conflicts: Conflict<unknown>[] = []
    for (const grid of [first, second]) grid.map('m').on('conflict', (conflict) => conflicts.push(conflict))
    await first.map<Fields>('m').set('k', { a: 1, b: 0 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await second.map<Fields>('m').set('k', { a: 2, b: 0 })
    await together(first, second)
    expect(first.map('m').peek('k')).toEqual({ a: 2, b: 0 })
    expect(conflicts).toContainEqual({ key: 'k', field: 'a', discarded: { a: 1 }, kept: { a: 2 } })
    expect(conflicts.every(({ field }) => field === 'a')).toBe(true)
  })

  it('edits of different fields are no conflict', async () => {
    const [first, second] = await apart({ a: 0, b: 0 })
    const conflicts: unknown[] = []
    for (const grid of [first, second]) grid.map('m').on('conflict', (conflict) => conflicts.push(conflict))
    await first.map<Fields>('m').set('k', { a: 1, b: 0 })
    await second.map<Fields>('m').set('k', { a: 0, b: 1 })
    await together(first, second)
    expect(conflicts).toEqual([])
  })

  it('of a deleted object a later edit brings back the fields that it wrote, and no others', async () => {
    const [first, second] = await apart({ a: 0, b: 0 })
    const conflicts: unknown[] = []
    for (const grid of [first, second]) grid.map('m').on('conflict', (conflict) => conflicts.push(conflict))
    await first.map('m').delete('k')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await second.map<Fields>('m').set('k', { a: 1, b: 0 })
    await together(first, second)
    expect(first.map('m').peek('k')).toEqual({ a: 1 })
    expect(conflicts).toContainEqual({ key: 'k', field: undefined, discarded: undefined, kept: { a: 1 } })
  })

  it('with a time to live a write renews all fields, and so the later one wins them all', async () => {
    const [first, second] = await apart({ a: 0, b: 0 })
    const ttl = { ttlMs: 3_600_000 }
    await first.map<Fields>('m').set('k', { a: 1, b: 0 }, ttl)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await second.map<Fields>('m').set('k', { a: 0, b: 1 }, ttl)
    await together(first, second)
    expect(first.map('m').peek('k')).toEqual({ a: 0, b: 1 })
  })
})

describe('changes of objects', () => {
  it('one write is one change, here and elsewhere', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    const reported: unknown[][] = [[], []]
    for (const [i, grid] of [first, second].entries()) {
      grid.map<Fields>('m', FIELDS).on('change', ({ type, key, value, previous }) => {
        reported[i]!.push([type, key, value, previous])
      })
    }
    const map = first.map<Fields>('m')
    await map.set('k', { a: 1, b: 1, c: 1 })
    await until(() => reported[1]!.length === 1, 'the first write has come')
    await map.set('k', { a: 2, b: 2 })
    await until(() => reported[1]!.length === 2, 'the second write has come')
    await map.delete('k')
    await until(() => reported[1]!.length === 3, 'the delete has come')
    expect(reported[0]).toEqual([
      ['set', 'k', { a: 1, b: 1, c: 1 }, undefined],
      ['set', 'k', { a: 2, b: 2 }, { a: 1, b: 1, c: 1 }],
      ['delete', 'k', undefined, { a: 2, b: 2 }],
    ])
    expect(reported[1]).toEqual(reported[0])
  })

  it('an object that expires is reported once, and is gone as a whole', async () => {
    const map = (await grids.open()).map<Fields>('m', FIELDS)
    const reported: Change<Fields>[] = []
    map.on('change', (change) => reported.push(change))
    await map.set('k', { a: 1, b: 1 }, { ttlMs: 1000 })
    expect(map.expiresAt('k')!.getTime()).toBeGreaterThan(Date.now() - 1000)
    await until(() => reported.length > 1, 'the end is reported')
    expect(reported.map(({ type, previous }) => [type, previous])).toEqual([
      ['set', undefined],
      ['delete', { a: 1, b: 1 }],
    ])
    expect(map.size).toBe(0)
    expect(map.peek('k')).toBeUndefined()
  })

  it('many objects of many fields that expire together are reported once each', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const map = (await grids.open()).map<Fields>('m', FIELDS)
    const reported = new Map<string, string[]>()
    map.on('change', ({ key, type }) => reported.set(key, [...(reported.get(key) ?? []), type]))
    const object = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, i]))
    for (let i = 0; i < 60; i++) void map.set(`k${i}`, object, { ttlMs: 3_600_000 })
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(map.size).toBe(0)
    expect(reported.size).toBe(60)
    expect([...reported.values()].every((types) => types.join() === 'set,delete')).toBe(true)
  })
})
