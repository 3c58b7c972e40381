import { expect, test } from 'vitest'
import type { Row } from '../entries/entry-table.ts'
import { HeldRows } from './held-rows.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { HELD_MAX_BYTES, HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from '../limits.ts'

const NOW = Date.UTC(2026, 10, 22)
const users = { collection: 'users', kind: 1, partition: 0 }

function row(sequence: number, aheadMs: number, sizeBytes = 1): Row {
  const bytes = new Uint8Array(sizeBytes + 2).fill(sequence)
  const hlc = hlcFromWall(NOW + aheadMs)
  return { key: `key ${sequence}`, hlc, writer: 0, sequence, replaced: 0, bytes, start: 1, end: sizeBytes + 1 }
}

test('a reading is judged by how far ahead it is', () => {
  const judge = (aheadMs: number): string => HeldRows.judge(hlcFromWall(NOW + aheadMs), NOW)
  expect([-1e9, 0, HOLD_AHEAD_MS].map(judge)).toEqual(['apply', 'apply', 'apply'])
  expect([HOLD_AHEAD_MS + 1, REFUSE_AHEAD_MS].map(judge)).toEqual(['hold', 'hold'])
  expect(judge(REFUSE_AHEAD_MS + 1)).toBe('refuse')
})

test('rows come out when their time has come, once, as they were', () => {
  const held = new HeldRows()
  for (const [sequence, aheadMs] of [300_000, 100_000, 200_000].entries())
    held.hold('a', users, row(sequence + 1, aheadMs))
  expect(held.due(NOW)).toEqual([])
  const first = held.due(NOW + 150_000)
  expect(first.map((each) => each.row.sequence)).toEqual([2, 3])
  expect(first[0]!.row.bytes!.subarray(first[0]!.row.start, first[0]!.row.end)).toEqual(Uint8Array.of(2))
  expect(held.count).toBe(1)
  expect(held.due(NOW + 150_000)).toEqual([])
  expect(held.due(NOW + 240_000).map((each) => each.row.sequence)).toEqual([1])
  expect(held.count).toBe(0)
})

test('a row that comes again is held once, one of another collection beside it', () => {
  const held = new HeldRows()
  for (let i = 0; i < 5; i++) held.hold('a', users, row(1, 100_000))
  held.hold('a', { ...users, collection: 'other' }, row(1, 100_000))
  expect(held.count).toBe(2)
})

test('rows with one dot in collections of two kinds under one name are both held', () => {
  const held = new HeldRows()
  held.hold('a', users, row(1, 100_000))
  held.hold('a', { ...users, kind: 2 }, row(1, 100_000))
  expect(held.due(NOW + 100_000).map(({ partition }) => partition.kind)).toEqual([1, 2])
})

test('what is held is bounded in bytes, and what has left gives its room back', () => {
  const held = new HeldRows()
  const fill = (from: number, aheadMs: number): void => {
    for (let i = 0; i < 100; i++) held.hold('a', users, row(from + i, aheadMs, 100_000))
  }
  held.hold('a', users, row(9999, 500_000))
  fill(0, 100_000)
  const full = held.count
  expect(full).toBeLessThan(HELD_MAX_BYTES / 100_000 + 1)
  for (let round = 1; round < 5; round++) {
    expect(held.due(NOW + 50_000 * round).length).toBe(full - 1)
    fill(round * 100, 100_000 + 50_000 * round)
    expect(held.count).toBe(full)
  }
})

test('tens of thousands of rows are held and released without looking at all of them for each', () => {
  const held = new HeldRows()
  for (let i = 0; i < 40_000; i++) held.hold('a', users, row(i, 100_000 + i))
  expect(held.count).toBeGreaterThan(30_000)
  for (let i = 0; i < 20_000; i++) held.due(NOW)
  expect(held.due(NOW + 500_000).length).toBeGreaterThan(30_000)
})
