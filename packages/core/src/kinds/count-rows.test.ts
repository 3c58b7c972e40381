import { expect, test } from 'vitest'
import { compositeKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { countRows, deleteRowKey, deletedRow, sumOf } from './count-rows.ts'
import { encodeShare } from './shares.ts'
import type { Share } from './shares.ts'

const [ONE, TWO] = [compositeKey('k', '0'.repeat(16)), compositeKey('k', '1'.repeat(16))]
const DELETER = '2'.repeat(16)

function row(key: string, share: Share | undefined): Row {
  const bytes = share === undefined ? undefined : encodeShare(share)
  return { key, hlc: 1, writer: 0, sequence: 1, replaced: 0, bytes, start: 0, end: bytes?.length ?? 0 }
}

test('a count is the sum of its slots', () => {
  expect(sumOf(countRows([row(ONE, { up: 5, down: 1 }), row(TWO, { up: 0, down: 7 })]))).toBe(-3n)
  expect(sumOf(countRows([]))).toBeUndefined()
})

test('what a delete had seen of a slot does not count, and of several deletes the largest numbers stand', () => {
  const seen = deleteRowKey(ONE, DELETER)
  expect([deletedRow(seen), deletedRow(ONE)]).toEqual([ONE, undefined])
  const rows = [row(seen, { up: 3, down: 0 }), row(deleteRowKey(ONE, '3'.repeat(16)), { up: 5, down: 0 })]
  expect(sumOf(countRows([...rows, row(ONE, { up: 5, down: 0 })]))).toBeUndefined()
  expect(sumOf(countRows([...rows, row(ONE, { up: 6, down: 2 })]))).toBe(-1n)
})

test('a counter that was counted back to nothing is there, one whose slots are removed is not', () => {
  expect(sumOf(countRows([row(ONE, { up: 2, down: 2 })]))).toBe(0n)
  expect(sumOf(countRows([row(ONE, undefined), row(TWO, undefined)]))).toBeUndefined()
})
