import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalsKey, isWide, readKey, writeKey } from './key-bytes.ts'

test('a key is read from its bytes as it was, and is equal to no other', () => {
  const key = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ maxLength: 3 }), fc.constant('\ud800'))
  fc.assert(
    fc.property(key, key, fc.nat(5), (written, other, start) => {
      const wide = isWide(written)
      const length = wide ? 2 * written.length : written.length
      const bytes = new Uint8Array(start + length + 1).fill(7)
      writeKey(written, wide, bytes, start)
      expect([bytes.subarray(0, start).every((byte) => byte === 7), bytes.at(-1)]).toEqual([true, 7])
      expect(readKey(bytes, start, length, wide)).toBe(written)
      expect(equalsKey(bytes, start, length, wide, written)).toBe(true)
      expect(equalsKey(bytes, start, length, wide, other)).toBe(other === written)
      expect(equalsKey(bytes, start, length, wide, `${written}x`)).toBe(false)
    }),
    { numRuns: 500 },
  )
})
