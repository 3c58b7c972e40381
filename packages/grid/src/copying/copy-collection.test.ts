import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'
import { copyCollection } from './copy-collection.ts'

const SHAPE = { mode: 'partitioned', partitions: 16, owners: 2 } as const
const KEYS = Array.from({ length: 700 }, (_, i) => `key ${i}`)

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) grid.map('large', SHAPE)
  const isWhole = (grid: Grid): boolean => {
    const { owned, whole } = grid.status().partitions
    return owned > 0 && owned === whole
  }
  await until(() => all.every(isWhole), 'all owners are whole')
  return all
}

describe('a copy of a map', () => {
  it('has all entries with their expiry, and a second copy writes only what differs, there and back', async () => {
    const [one, two] = (await openAll(2)) as [Grid, Grid]
    const [small, large] = [one.map<number>('small'), one.map<number>('large', SHAPE)]
    await small.setMany(KEYS.map((key, i) => [key, i]))
    await small.set('brief', 1, { ttlMs: 3_600_000 })
    await small.set('gone', 1)
    await small.delete('gone')
    const shown: number[] = []
    const onProgress = ({ copied }: { readonly copied: number }): void => void shown.push(copied)
    expect(await copyCollection(small, large, { onProgress })).toEqual({ copied: 701, same: 0 })
    expect([shown.length > 1, shown.at(-1)]).toEqual([true, 701])
    const there = two.map<number>('large', SHAPE)
    await until(async () => (await there.size()).size === 701, 'all is there')
    expect(new Map(await collect(there.entries())).get('key 7')).toBe(7)
    expect((await there.expiresAt('brief'))?.getTime()).toBe(small.expiresAt('brief')?.getTime())
    await small.set('key 1', -1)
    await small.delete('key 2')
    expect(await copyCollection(small, large)).toEqual({ copied: 2, same: 699 })
    expect([await large.get('key 1'), await large.get('key 2')]).toEqual([-1, undefined])
    await until(async () => (await there.get('key 1')) === -1, 'the other peer has it too')
    const back = one.map<number>('back')
    expect(await copyCollection(large, back)).toEqual({ copied: 700, same: 0 })
    expect([back.peek('key 1'), back.size]).toEqual([-1, 700])
    expect(await copyCollection(large, back)).toEqual({ copied: 0, same: 700 })
  })

  it('leaves what was written later in the other map, and what was deleted there', async () => {
    const [one] = (await openAll(1)) as [Grid]
    const [small, large] = [one.map<number>('small'), one.map<number>('large', SHAPE)]
    await small.setMany(KEYS.slice(0, 10).map((key, i) => [key, i]))
    await copyCollection(small, large)
    await large.set('key 1', 100)
    await large.delete('key 2')
    await small.set('key 3', 300)
    expect(await copyCollection(small, large)).toEqual({ copied: 1, same: 9 })
    expect([await large.get('key 1'), await large.get('key 2'), await large.get('key 3')]).toEqual([
      100,
      undefined,
      300,
    ])
    await large.set('key 4', 400)
    expect(await copyCollection(large, small)).toEqual({ copied: 3, same: 7 })
    expect([small.peek('key 1'), small.peek('key 2'), small.peek('key 4')]).toEqual([100, undefined, 400])
  })

  it('merges objects field by field', async () => {
    const [one] = (await openAll(1)) as [Grid]
    const fields = one.map<object>('fields', { merge: 'fields' })
    const spread = one.map<object>('spread', { ...SHAPE, merge: 'fields' })
    await fields.set('a', { x: 1, y: 1 })
    await copyCollection(fields, spread)
    await spread.update('a', (value) => ({ ...value, y: 2 }))
    await fields.update('a', (value) => ({ ...value, x: 3 }))
    await copyCollection(fields, spread)
    expect(await spread.get('a')).toEqual({ x: 3, y: 2 })
    await expect(copyCollection(fields, one.map('large', SHAPE))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  it('of a peer that owns nothing goes on where it was interrupted', async () => {
    await openAll(2)
    const far = await grids.open({ storage: diskInMemory(), role: 'light' })
    await far.ready()
    const [small, large] = [far.map<number>('small'), far.map<number>('large', SHAPE)]
    await small.setMany(KEYS.map((key, i) => [key, i]))
    const stop = new AbortController()
    const onProgress = (): void => stop.abort()
    await expect(copyCollection(small, large, { signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    const { copied, same } = await copyCollection(small, large)
    expect([copied + same, same > 0, copied > 0]).toEqual([700, true, true])
    await until(async () => (await large.size()).size === 700, 'the owners have it')
  })

  it('is refused for what are no two maps', async () => {
    const [one] = (await openAll(1)) as [Grid]
    const map = one.map('small')
    await expect(copyCollection(map, map)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(copyCollection(map, one.set('s') as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(copyCollection(map, one.map('large', SHAPE), { wrong: 1 } as never)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
  })
})
