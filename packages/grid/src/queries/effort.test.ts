import { afterEach, describe, expect, it } from 'vitest'
import { encodeValue } from '@gossipgrid/core'
import { TimeSlices } from '../flow/time-slices.ts'
import { boundsOf } from '../partitioned/queries/bounds.ts'
import { TestGrids, until } from '../rig/test-grids.ts'
import { Effort } from './effort.ts'
import { matcherOf } from './matcher.ts'
import type { PlainWhere } from './checks/check-name.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const LONG = Array.from({ length: 200_000 }, (_, i) => i % 100)
const MANY = Array.from({ length: 1000 }, (_, i) => -1 - i)
const WIDE = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, i]))
const BYTES = new Uint8Array(1_000_000).fill(7)
const TOO_LONG = { code: 'QUERY_TOO_LARGE', message: expect.stringContaining('of so many parts') as string }

function test(where: PlainWhere, value: unknown): boolean {
  const effort = new Effort()
  effort.begin(encodeValue(value, 2 ** 22).length)
  return matcherOf(where, effort.spend)(value)
}

describe('what testing one entry may take is bounded', () => {
  it.each<[string, PlainWhere, unknown]>([
    ['many conditions on a long array', { $or: MANY.map((a) => ({ a })) }, { a: LONG }],
    ['the same with and', { $and: MANY.map((a) => ({ a: { $ne: a } })) }, { a: LONG }],
    ['arrays to be equal to', { a: { $in: MANY.map((each) => [each]) } }, { a: LONG }],
    [
      'elements that match conditions',
      { a: { $elemMatch: { $or: MANY.map((b) => ({ b })) } } },
      { a: LONG.map(() => ({})) },
    ],
    [
      'many conditions on elements',
      { $or: MANY.map((each) => ({ a: { $elemMatch: { $gt: -each + 100 } } })) },
      { a: LONG },
    ],
    ['a path through a long array', { $or: MANY.map((each) => ({ 'a.b': each })) }, { a: LONG }],
    ['a path to something that is there', { $or: MANY.map(() => ({ 'a.b': { $exists: true } })) }, { a: LONG }],
    ['objects of many names', { $or: MANY.map((each) => ({ a: { each } })) }, { a: WIDE }],
  ])('with %s', (_, where, value) => {
    const beganMs = performance.now()
    expect(() => test(where, value)).toThrow(expect.objectContaining(TOO_LONG) as Error)
    expect(performance.now() - beganMs).toBeLessThan(5000)
  })

  it('and is enough for two conditions on the longest array that an entry can have', () => {
    const longest = Array.from({ length: 1_000_000 }, () => 1)
    expect(test({ a: { $gt: 2, $lt: 5 } }, { a: longest })).toBe(false)
    expect(test({ a: { $in: MANY } }, { a: longest })).toBe(false)
  })

  it('and bytes are compared no further than the operand reaches', () => {
    const short = (i: number): Uint8Array => Uint8Array.of(7, i % 256)
    const beganMs = performance.now()
    expect(test({ $or: MANY.map((_, i) => ({ a: short(i) })) }, { a: BYTES })).toBe(false)
    expect(test({ $or: MANY.map(() => ({ a: { $lt: short(7) } })) }, { a: BYTES })).toBe(false)
    expect(test({ $or: MANY.map((_, i) => ({ a: { $in: [short(i)] } })) }, { a: BYTES })).toBe(false)
    expect(performance.now() - beganMs).toBeLessThan(5000)
    expect(test({ a: { $gt: short(7) } }, { a: BYTES })).toBe(true)
    expect(test({ a: { $gte: Uint8Array.of(7, 7) } }, { a: Uint8Array.of(7, 7) })).toBe(true)
    expect(test({ a: { $lt: Uint8Array.of(7, 8) } }, { a: BYTES })).toBe(true)
    expect(test({ a: { $in: [BYTES.slice(), short(1)] } }, { a: BYTES })).toBe(true)
    expect(test({ a: BYTES.slice() }, { a: BYTES })).toBe(true)
  })
})

const COSTLY = { $or: MANY.map((a) => ({ a })) }

it('a query that needs more is refused, and so is one of a partitioned map', async () => {
  const grid = await grids.open()
  const map = grid.map<{ a: number[] }>('m')
  await map.set('long', { a: LONG })
  await expect(map.query({ where: COSTLY })).rejects.toMatchObject(TOO_LONG)
  await expect(map.live({ where: COSTLY })).rejects.toMatchObject(TOO_LONG)
  const spread = grid.map<{ a: number[] }>('spread', { mode: 'partitioned' })
  await spread.set('long', { a: LONG })
  await expect(spread.count(COSTLY)).rejects.toMatchObject({ code: 'QUERY_TOO_LARGE' })
})

it('a live query goes on without an entry that takes too long to test, and says that it is not complete', async () => {
  const grid = await grids.open()
  for (const map of [grid.map<{ a: number[] }>('m'), grid.map<{ a: number[] }>('spread', { mode: 'partitioned' })]) {
    const live = await map.live({ where: COSTLY, limit: 10 })
    await until(() => live.complete, 'all partitions have answered')
    let calls = 0
    live.subscribe(() => (calls += 1))
    await map.set('long', { a: LONG })
    await until(() => !live.complete && calls > 0, 'it is not complete')
    await map.set('short', { a: [-1] })
    await until(() => live.rows.length === 1, 'the other entry shows')
    expect(live.rows.map(({ key }) => key)).toEqual(['short'])
  }
})

it('long entries do not keep the event loop from others: the clock is read after each', async () => {
  const map = (await grids.open()).map<{ a: number[] }>('m')
  for (let i = 0; i < 40; i++) await map.set(`k${i}`, { a: LONG })
  let turns = 0
  let isRunning = true
  const turn = (): void => {
    turns += 1
    if (isRunning) setImmediate(turn)
  }
  setImmediate(turn)
  expect(await map.count({ a: -1 })).toBe(0)
  isRunning = false
  expect(turns).toBeGreaterThan(10)
})

it('a long turn of a query of another peer counts as several', async () => {
  const { slices } = boundsOf({ isWanted: () => true, turn: () => Promise.resolve(), turnsMax: 10 })
  slices.begin()
  const untilMs = performance.now() + 60
  while (performance.now() < untilMs);
  await expect(slices.next()).rejects.toMatchObject({ code: 'QUERY_TOO_LARGE' })
  const quick = boundsOf({ isWanted: () => true, turn: () => Promise.resolve(), turnsMax: 10 })
  quick.slices.begin()
  for (let i = 0; i < 5; i++) await quick.slices.next()
})

it('the clock is read after each step of much work, and else once in 64', () => {
  const slices = new TimeSlices(() => undefined)
  slices.begin()
  const untilMs = performance.now() + 5
  while (performance.now() < untilMs);
  expect([slices.isOver(0), slices.isOver(0, 1024), slices.isOver(0, 1025), slices.isOver(63)]).toEqual([
    ...[false, false, true, true],
  ])
})
