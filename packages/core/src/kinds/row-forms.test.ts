import { describe, expect, test } from 'vitest'
import { encodeValue } from '../bytes/cbor.ts'
import type { Row } from '../entries/entry-table.ts'
import { PRESENT, checkCountersRow, checkSetsRow } from './row-forms.ts'

const SLOT = '00000000000000aa'
const OTHER = '00000000000000bb'

function row(key: string, bytes?: Uint8Array): Row {
  return { key, hlc: 1, writer: 0, sequence: 1, replaced: 0, bytes, start: 0, end: bytes?.length ?? 0 }
}

describe('a row of counters', () => {
  const pair = encodeValue([1, 2], 32)

  test('is the count of a slot, or what a delete has seen of it', () => {
    for (const sub of [SLOT, `${SLOT}1f`, `${SLOT}-${OTHER}`, `${SLOT}1f-${OTHER}`]) {
      expect(() => checkCountersRow(row(`page\u0000${sub}`, pair))).not.toThrow()
      expect(() => checkCountersRow(row(`page\u0000${sub}`))).not.toThrow()
    }
  })

  test.each([
    'page',
    SLOT,
    `\u0000${SLOT}`,
    'page\u0000',
    'page\u0000a',
    `page\u0000${SLOT}-`,
    `p\u0000${SLOT}123456789`,
  ])('has a key and a slot, unlike %j', (key) => {
    expect(() => checkCountersRow(row(key, pair))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
  })

  test.each([[[1]], [[1, -1]], [[1, 0.5]], [1], [['1', 2]], [[1, 2, 3]]])(
    'has two whole numbers, unlike %j',
    (value) => {
      const bytes = encodeValue(value, 64)
      expect(() => checkCountersRow(row(`page\u0000${SLOT}`, bytes))).toThrow(/pair of whole numbers/)
    },
  )
})

describe('a row of sets', () => {
  test('is a key, an element and a slot', () => {
    for (const main of ['page\u0001tred', 'a\u0001t\u0001', 'a\u0001c9g==']) {
      expect(() => checkSetsRow(row(`${main}\u0000${SLOT}`, PRESENT))).not.toThrow()
      expect(() => checkSetsRow(row(`${main}\u0000${SLOT}`))).not.toThrow()
    }
  })

  test.each(['page', `page\u0000${SLOT}`, `page\u0001\u0000${SLOT}`, `\u0001tred\u0000${SLOT}`, 'page\u0001tred'])(
    'has all three, unlike %j',
    (key) => {
      expect(() => checkSetsRow(row(key, PRESENT))).toThrow(expect.objectContaining({ code: 'MESSAGE_MALFORMED' }))
    },
  )

  test('has no value of its own', () => {
    expect(() => checkSetsRow(row(`page\u0001tred\u0000${SLOT}`, encodeValue(1, 8)))).toThrow(/with a value/)
  })
})
