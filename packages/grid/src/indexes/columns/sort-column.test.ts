import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareSortKeys, sortKeyOf } from '../../ordering/value-order.ts'
import type { SortKey } from '../../ordering/value-order.ts'
import { SortColumn, weightOf } from './sort-column.ts'

const units = fc.array(
  fc.constantFrom(0, 1, 97, 98, 251, 252, 253, 254, 255, 256, 0x4e00, 0x7fff, 0x8000, 0x80fe, 0x80ff, 0xd83d, 0xffff),
  { maxLength: 9 },
)
const text = fc.oneof(
  units.map((each) => String.fromCharCode(...each)),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('x'.repeat(1024), 'x'.repeat(1023), 'Saint-Denis', 'Saint-Denise'),
)
const value = fc.oneof(
  text,
  fc.double({ noNaN: true }),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(
    2n ** 63n,
    2n ** 63n + 1n,
    2 ** 63,
    -(2n ** 53n) - 1n,
    -(2 ** 53),
    null,
    undefined,
    true,
    NaN,
    {},
    [],
  ),
  fc.constantFrom(new Date(0), new Date(NaN), new Date(1e12)),
  fc.uint8Array({ maxLength: 9 }),
)

it('has the sort keys that were put in, whatever came and went before', () => {
  const edit = fc.tuple(fc.nat({ max: 200 }), fc.option(value, { nil: 'gone' }))
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 300 }), (edits) => {
      const column = new SortColumn(1)
      const kept = new Map<number, SortKey>()
      for (const [number, each] of edits) {
        if (kept.delete(number)) column.clear(number)
        expect(column.has(number)).toBe(false)
        if (each === 'gone') continue
        kept.set(number, sortKeyOf(each))
        column.set(number, kept.get(number)!.rank, kept.get(number)!.payload)
      }
      for (const [number, { rank, payload }] of kept) {
        expect([column.rank(number), column.payload(number)]).toEqual([rank, payload])
        expect(column.is(number, rank, payload)).toBe(true)
      }
    }),
    { numRuns: 60 },
  )
})

it('orders as sort keys are ordered, also those of two columns', () => {
  fc.assert(
    fc.property(value, value, (one, other) => {
      const [key, otherKey] = [sortKeyOf(one), sortKeyOf(other)]
      const order = Math.sign(compareSortKeys(key, otherKey))
      const [column, another] = [new SortColumn(), new SortColumn()]
      column.set(1, key.rank, key.payload)
      column.set(2, otherKey.rank, otherKey.payload)
      another.set(0, otherKey.rank, otherKey.payload)
      expect(Math.sign(SortColumn.compare(column, 1, column, 2))).toBe(order)
      expect(Math.sign(SortColumn.compare(column, 1, another, 0))).toBe(order)
      expect(column.is(1, otherKey.rank, otherKey.payload)).toBe(order === 0)
      if (key.rank !== otherKey.rank) return
      expect(Math.sign(column.compareTo(1, otherKey.payload, weightOf(otherKey.payload)))).toBe(order)
      const byWeight = weightOf(key.payload) - weightOf(otherKey.payload)
      expect([0, order]).toContain(Math.sign(byWeight) || 0)
    }),
    { numRuns: 5000 },
  )
})

it('gives back the room of texts that are gone', () => {
  const column = new SortColumn()
  for (let i = 0; i < 200_000; i++) {
    const number = i % 100
    if (i >= 100) column.clear(number)
    column.set(number, 4, `the text of ${i}, which is 40 letters long or so`)
  }
  for (let i = 199_900; i < 200_000; i++)
    expect(column.payload(i % 100)).toBe(`the text of ${i}, which is 40 letters long or so`)
  expect(column.textBytes).toBeLessThan(2 ** 21)
})
