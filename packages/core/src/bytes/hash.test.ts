import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addHash, fold32, foldHigh32, hashBytes, hashHex, hashText, mix32, subtractHash } from './hash.ts'
import type { Hash64 } from './hash.ts'

const word = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
)
const hash64 = fc.record({ high: word, low: word })

function bigOf(hash: Hash64): bigint {
  return (BigInt(hash.high) << 32n) | BigInt(hash.low)
}

test('sums are those of 64-bit integers', () => {
  fc.assert(
    fc.property(hash64, hash64, (a, b) => {
      const sum = { ...a }
      addHash(sum, b)
      expect(bigOf(sum)).toBe(BigInt.asUintN(64, bigOf(a) + bigOf(b)))
      const difference = { ...a }
      subtractHash(difference, b)
      expect(bigOf(difference)).toBe(BigInt.asUintN(64, bigOf(a) - bigOf(b)))
    }),
  )
})

test('subtracting a hash that was added gives the sum before', () => {
  fc.assert(
    fc.property(hash64, hash64, (a, b) => {
      const sum = { ...a }
      addHash(sum, b)
      subtractHash(sum, b)
      expect(sum).toEqual(a)
    }),
  )
})

test('a sum does not depend on the order of its terms', () => {
  const termsAndOrder = fc
    .array(hash64)
    .chain((terms) => fc.tuple(fc.constant(terms), fc.shuffledSubarray(terms, { minLength: terms.length })))
  fc.assert(
    fc.property(termsAndOrder, ([terms, shuffled]) => {
      const one = { high: 0, low: 0 }
      const other = { high: 0, low: 0 }
      for (const term of terms) addHash(one, term)
      for (const term of shuffled) addHash(other, term)
      expect(one).toEqual(other)
    }),
  )
})

test('a hash is sixteen hexadecimal digits', () => {
  expect(hashHex({ high: 0, low: 0 })).toBe('0000000000000000')
  expect(hashHex({ high: 0xffffffff, low: 10 })).toBe('ffffffff0000000a')
  fc.assert(fc.property(hash64, (hash) => BigInt(`0x${hashHex(hash)}`) === bigOf(hash)))
})

test('texts hash to 32 bits that depend on the seed, the length and the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff)), word, (units, seed) => {
      const text = String.fromCharCode(...units)
      const hash = hashText(text, seed)
      expect(hash).toBe(hash >>> 0)
      expect(hashText(text, seed)).toBe(hash)
    }),
  )
  const texts = ['', '\0', '\0\0', 'a', 'b', 'ab', 'ba', 'abc', 'acb', 'abcd', '\u0100', '\u0001']
  expect(new Set(texts.map((text) => hashText(text, 1))).size).toBe(texts.length)
  expect(hashText('abc', 1)).not.toBe(hashText('abc', 2))
})

test('bytes hash by content, at any position in a buffer', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (bytes, before) => {
      const joined = Uint8Array.from([...before, ...bytes, 1, 2, 3])
      expect(hashBytes(joined, before.length, before.length + bytes.length, 7)).toBe(
        hashBytes(bytes, 0, bytes.length, 7),
      )
    }),
  )
  const lengths = Array.from({ length: 20 }, (_, length) => hashBytes(new Uint8Array(length), 0, length, 0))
  expect(new Set(lengths).size).toBe(20)
})

test('mixing is one to one as far as a sample shows', () => {
  const mixed = new Set<number>()
  for (let i = 0; i < 20_000; i++) mixed.add(mix32(i))
  expect(mixed.size).toBe(20_000)
})

test('words whose effects cancel out in the lower half do not cancel out in the upper one', () => {
  const uppers = new Map<number, number>()
  let collisions = 0
  for (let i = 0; i < 300_000; i++) {
    const low = fold32(fold32(1, i), Math.imul(i, 0x9e3779b1))
    const high = foldHigh32(foldHigh32(2, i), Math.imul(i, 0x9e3779b1))
    const other = uppers.get(low)
    if (other === undefined) uppers.set(low, high)
    else {
      collisions += 1
      expect(other).not.toBe(high)
    }
  }
  expect(collisions).toBeGreaterThan(0)
})
