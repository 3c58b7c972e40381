import fc from 'fast-check'
import { HALVES, hardTexts } from '@gossipgrid/testing/hard-texts'
import { describe, expect, it } from 'vitest'
import { scanCbor } from './cbor-scanner.ts'
import { decodeValue, encodeValue } from './cbor.ts'
import { GridError } from '../errors.ts'

const SIZE_MAX_BYTES = 1 << 20
/** Around every length at which an encoder or a decoder of text is known to change its way. */
const LENGTHS_BYTES: readonly number[] = [
  ...Array.from({ length: 145 }, (_, length) => length),
  ...[255, 256, 257, 258, 1023, 1024, 1025, 4095, 4096, 4097, 4098, 8192, 65_535, 65_536, 65_537],
]

function roundTrip(value: unknown): unknown {
  const bytes = encodeValue(value, SIZE_MAX_BYTES)
  scanCbor(bytes)
  return decodeValue(bytes)
}

/** Bytes from hexadecimal digits. */
function decodeHex(digits: string): unknown {
  const bytes = Uint8Array.from(digits.match(/../g)!, (byte) => Number.parseInt(byte, 16))
  scanCbor(bytes)
  return decodeValue(bytes)
}

describe('text comes back as it was', () => {
  it('any character at any place, at every length at which a codec changes its encoding', () => {
    const wrong = hardTexts(LENGTHS_BYTES).filter(({ text }) => roundTrip(text) !== text)
    expect(wrong.map(({ what }) => what)).toEqual([])
  })
  it('as the name of a field, in an array, and beside others of the same kind', () => {
    for (const { text, what } of hardTexts([3, 15, 16, 31, 32, 63, 64, 65, 66, 200, 4097])) {
      const value = { [text]: [text, { [`${text}.`]: text }] }
      expect(roundTrip(value), what).toStrictEqual(value)
    }
  })
  it('with any characters of Unicode, at any length', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 })
    const runs = { numRuns: 500, seed: 1 }
    fc.assert(
      fc.property(text, (any) => roundTrip(any) === any),
      runs,
    )
  })
  it('so that field names which differ in a byte order mark stay two', () => {
    const name = 'n'.repeat(70)
    const value = { [name]: 1, [`\ufeff${name}`]: 2 }
    expect(roundTrip(value)).toStrictEqual(value)
  })
  it('or is refused where UTF-8 cannot express it', () => {
    for (const half of HALVES) {
      expect(() => encodeValue(half, SIZE_MAX_BYTES)).toThrow(GridError)
      expect(() => encodeValue({ [half]: 1 }, SIZE_MAX_BYTES)).toThrow(GridError)
    }
  })
})

describe('numbers come back as they were', () => {
  it.each<[string, unknown]>([
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['18ff', 255],
    ['1901ff', 511],
    ['1affffffff', 2 ** 32 - 1],
    ['1b0020000000000000', 2n ** 53n],
    ['1b0000000000000005', 5n],
    ['1bffffffffffffffff', 2n ** 64n - 1n],
    ['20', -1],
    ['38ff', -256],
    ['39ffff', -65_536],
    ['3affffffff', -(2 ** 32)],
    ['3b0000000000000000', -1n],
    ['3bffffffffffffffff', -(2n ** 64n)],
    ['f90000', 0],
    ['f98000', -0],
    ['f90001', 2 ** -24],
    ['f903ff', 1023 * 2 ** -24],
    ['f90400', 2 ** -14],
    ['f93c01', 1 + 2 ** -10],
    ['f97bff', 65_504],
    ['f9fbff', -65_504],
    ['f97c00', Infinity],
    ['f9fc00', -Infinity],
    ['f97e00', NaN],
    ['fa3dcccccd', Math.fround(0.1)],
    ['fb3fb999999999999a', 0.1],
    ['fb4340000000000001', 2 ** 53 + 2],
    ['fb8000000000000000', -0],
    ['fb0000000000000001', Number.MIN_VALUE],
  ])('%s is %s', (digits, number) => {
    expect(Object.is(decodeHex(digits), number)).toBe(true)
  })
  it('whether an encoder takes them for integers or floats', () => {
    const numbers = [
      2 ** 31,
      2 ** 32,
      2 ** 53 - 1,
      2 ** 53,
      -(2 ** 31) - 1,
      -(2 ** 53),
      1e21,
      0.1,
      Math.fround(0.1),
      1e-7,
    ]
    for (const number of numbers) expect(roundTrip(number)).toBe(number)
    for (const number of numbers.filter(Number.isInteger).filter((whole) => Math.abs(whole) < 2 ** 64)) {
      expect(roundTrip(BigInt(number))).toBe(BigInt(number))
    }
  })
})

describe('what the scanner lets pass', () => {
  it('is decoded to the last byte', () => {
    const bytes = fc.array(
      fc.oneof(
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(0x61, 0x62, 0x78, 0x81, 0x82, 0xa1, 0x41, 0xc1, 0xf9, 0xfb),
      ),
      { minLength: 1, maxLength: 12 },
    )
    let passed = 0
    fc.assert(
      fc.property(bytes, (chosen) => {
        try {
          scanCbor(Uint8Array.from(chosen))
        } catch {
          return
        }
        passed += 1
        // The next item is decoded only if both end this one at the same byte.
        expect(decodeValue(Uint8Array.of(0x82, ...chosen, 0x18, 0x2a))).toHaveProperty('1', 42)
      }),
      { numRuns: 5000, seed: 2 },
    )
    expect(passed).toBeGreaterThan(100)
  })
  it.each([
    ['a date that is no number', 'c1f97e00'],
    ['a date without end', 'c1fb7ff0000000000000'],
    ['a date beyond all calendars', 'c1fb7fefffffffffffff'],
  ])('%s is an invalid Date, which is not written again', (_, digits) => {
    const date = decodeHex(digits)
    expect(date).toBeInstanceOf(Date)
    expect((date as Date).getTime()).toBeNaN()
    expect(() => encodeValue(date, SIZE_MAX_BYTES)).toThrow('invalid or too distant Date')
  })
})
