import { encodeValue } from '@gossipgrid/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FieldReader } from './field-reader.ts'
import { reachedBy, sortKeyAt } from './paths.ts'
import { ARRAY, compareSortKeys, equalValues, sortKeyOf } from './value-order.ts'
import { anyValue } from '../rig/any-values.ts'

const name = fc.constantFrom('a', 'b', 'city', '0', 'é', 'toString')
const object = fc.dictionary(
  name,
  fc.oneof(anyValue, fc.array(anyValue, { maxLength: 3 }), fc.dictionary(name, anyValue, { maxKeys: 4 })),
  { maxKeys: 8 },
)
const path = fc.array(name, { minLength: 1, maxLength: 3 })

it('a field read from bytes is the one that the decoded value has, or an array is met', () => {
  fc.assert(
    fc.property(fc.oneof(object, anyValue), path, (value, at) => {
      if (value === undefined) return
      const reader = new FieldReader(at)
      // At another place than the beginning of the buffer.
      const encoded = encodeValue(value, 1e6)
      const bytes = new Uint8Array(encoded.length + 3)
      bytes.set(encoded, 3)
      if (reader.read(bytes, 3)) {
        expect({ rank: reader.rank, payload: reader.payload }).toEqual(sortKeyAt(value, at))
        expect(reachedBy(value, at).length).toBe(1)
      } else {
        const reached = reachedBy(value, at)
        expect(sortKeyAt(value, at).rank === ARRAY || reached.length === 1).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

it('the order is total: antisymmetric and transitive, and equal values are equal in it', () => {
  fc.assert(
    fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
      const [x, y, z] = [sortKeyOf(a), sortKeyOf(b), sortKeyOf(c)]
      expect(Math.sign(compareSortKeys(x, y)) + Math.sign(compareSortKeys(y, x))).toBe(0)
      if (compareSortKeys(x, y) <= 0 && compareSortKeys(y, z) <= 0) expect(compareSortKeys(x, z)).toBeLessThanOrEqual(0)
      if (equalValues(a, b)) expect(compareSortKeys(x, y)).toBe(0)
    }),
    { numRuns: 2000 },
  )
})

it('types follow each other, and within a type values do', () => {
  expect(sortKeyOf(2n ** 60n)).toEqual(sortKeyOf(2 ** 60))
  expect(sortKeyOf(2n ** 60n + 1n).payload).toBe(2n ** 60n + 1n)
  const ascending = [
    ...[undefined, null, Number.NaN, -Infinity, -(2n ** 60n), -1.5, 0, 5n, 5.5, 2n ** 60n, Infinity],
    ...['', 'A', 'B', 'a', 'é', '\u{1F600}', '\uFFFF', {}, [], new Uint8Array(), Uint8Array.of(1), Uint8Array.of(1, 0)],
    ...[Uint8Array.of(2), false, true, new Date(-5), new Date(0), new Date(1)],
  ]
  for (let i = 1; i < ascending.length; i++)
    expect([i, compareSortKeys(sortKeyOf(ascending[i - 1]), sortKeyOf(ascending[i]))]).toEqual([
      i,
      expect.toSatisfy((order: number) => order < 0),
    ])
})

it('long text is ordered by its first 1,024 code units, and equal as a whole', () => {
  const [one, other] = ['x'.repeat(1024) + 'a', 'x'.repeat(1024) + 'b']
  expect(compareSortKeys(sortKeyOf(one), sortKeyOf(other))).toBe(0)
  expect(equalValues(one, other)).toBe(false)
  const reader = new FieldReader(['body'])
  for (const text of [one, 'é'.repeat(2000), '\u{1F600}'.repeat(700), '\uFEFF'.repeat(1030)]) {
    expect(reader.read(encodeValue({ before: [1, { x: 2 }], body: text }, 1e6), 0)).toBe(true)
    expect(reader.payload).toBe(text.slice(0, 1024))
  }
})
