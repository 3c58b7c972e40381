import { expect, test } from 'vitest'
import type { Row } from '../entries/entry-table.ts'
import { Quarantine } from './quarantine.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { QUARANTINE_MAX_BYTES, HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from '../limits.ts'

const NOW = Date.UTC(2026, 10, 22)
const users = { collection: 'users', kind: 1, partition: 0 }

function row(sequence: number, aheadMs: number, sizeBytes = 1): Row {
  const bytes = new Uint8Array(sizeBytes + 2).fill(sequence)
  const hlc = hlcFromWall(NOW + aheadMs)
  return { key: `key ${sequence}`, hlc, writer: 0, sequence, replaced: 0, bytes, start: 1, end: sizeBytes + 1 }
}

test('a reading is judged by how far ahead it is', () => {
  const judge = (aheadMs: number): string => Quarantine.judge(hlcFromWall(NOW + aheadMs), NOW)
  expect([-1e9, 0, HOLD_AHEAD_MS].map(judge)).toEqual(['apply', 'apply', 'apply'])
  expect([HOLD_AHEAD_MS + 1, REFUSE_AHEAD_MS].map(judge)).toEqual(['hold', 'hold'])
  expect(judge(REFUSE_AHEAD_MS + 1)).toBe('refuse')
})

test('rows come out when their time has come, once, as they were', () => {
  const quarantine = new Quarantine()
  for (const [sequence, aheadMs] of [300_000, 100_000, 200_000].entries())
    quarantine.hold('a', users, row(sequence + 1, aheadMs))
  expect(quarantine.due(NOW)).toEqual([])
  const first = quarantine.due(NOW + 150_000)
  expect(first.map((each) => each.row.sequence)).toEqual([2, 3])
  expect(first[0]!.row.bytes!.subarray(first[0]!.row.start, first[0]!.row.end)).toEqual(Uint8Array.of(2))
  expect(quarantine.count).toBe(1)
  expect(quarantine.due(NOW + 150_000)).toEqual([])
  expect(quarantine.due(NOW + 240_000).map((each) => each.row.sequence)).toEqual([1])
  expect(quarantine.count).toBe(0)
})

test('a row that comes again is quarantined once, one of another collection beside it', () => {
  const quarantine = new Quarantine()
  for (let i = 0; i < 5; i++) quarantine.hold('a', users, row(1, 100_000))
  quarantine.hold('a', { ...users, collection: 'other' }, row(1, 100_000))
  expect(quarantine.count).toBe(2)
})

test('rows with one dot in collections of two kinds under one name are both quarantined', () => {
  const quarantine = new Quarantine()
  quarantine.hold('a', users, row(1, 100_000))
  quarantine.hold('a', { ...users, kind: 2 }, row(1, 100_000))
  expect(quarantine.due(NOW + 100_000).map(({ partition }) => partition.kind)).toEqual([1, 2])
})

test('the quarantine is bounded in bytes, and rows that leave it free their room', () => {
  const quarantine = new Quarantine()
  const fill = (from: number, aheadMs: number): void => {
    for (let i = 0; i < 100; i++) quarantine.hold('a', users, row(from + i, aheadMs, 100_000))
  }
  quarantine.hold('a', users, row(9999, 500_000))
  fill(0, 100_000)
  const full = quarantine.count
  expect(full).toBeLessThan(QUARANTINE_MAX_BYTES / 100_000 + 1)
  for (let round = 1; round < 5; round++) {
    expect(quarantine.due(NOW + 50_000 * round).length).toBe(full - 1)
    fill(round * 100, 100_000 + 50_000 * round)
    expect(quarantine.count).toBe(full)
  }
})

test('tens of thousands of rows are quarantined and released without a scan of all for each', () => {
  const quarantine = new Quarantine()
  for (let i = 0; i < 40_000; i++) quarantine.hold('a', users, row(i, 100_000 + i))
  expect(quarantine.count).toBeGreaterThan(30_000)
  for (let i = 0; i < 20_000; i++) quarantine.due(NOW)
  expect(quarantine.due(NOW + 500_000).length).toBeGreaterThan(30_000)
})
