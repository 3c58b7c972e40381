import { describe, expect, test } from 'vitest'
import { scanCbor } from './cbor-scanner.ts'
import { GridError } from '../errors.ts'

/** Bytes from hexadecimal digits; spaces only help to read. */
function hex(digits: string): Uint8Array {
  return Uint8Array.from(digits.replaceAll(' ', '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

function accepts(bytes: Uint8Array): boolean {
  try {
    scanCbor(bytes)
    return true
  } catch (error) {
    if (error instanceof GridError && error.code === 'MESSAGE_MALFORMED') return false
    throw error
  }
}

/** `[[[...]]]`, so many arrays within each other. */
function nested(depth: number): Uint8Array {
  return new Uint8Array(depth).fill(0x81, 0, depth - 1).fill(0x80, depth - 1)
}

/** A map of one-letter-prefixed keys with the value 0; `keys` may repeat. */
function mapOf(keys: readonly string[]): Uint8Array {
  const entries = keys.flatMap((key) => [0x60 + key.length, ...new TextEncoder().encode(key), 0])
  return Uint8Array.from([0xb9, keys.length >> 8, keys.length & 0xff, ...entries])
}

describe('plain CBOR passes', () => {
  test.each([
    ['the smallest integer', '00'],
    ['an integer of 8 bits', '18 ff'],
    ['an integer of 16 bits', '19 ffff'],
    ['an integer of 32 bits', '1a ffffffff'],
    ['an integer of 64 bits', '1b ffffffffffffffff'],
    ['a negative integer of 64 bits', '3b ffffffffffffffff'],
    ['false, true and null', '83 f4 f5 f6'],
    ['undefined within an array', '81 f7'],
    ['a half-precision float', 'f9 3c00'],
    ['a single-precision float', 'fa 3f800000'],
    ['a double-precision float', 'fb 3ff0000000000000'],
    ['NaN', 'f9 7e00'],
    ['an empty byte string', '40'],
    ['a byte string with any content', '43 c2 ff fe'],
    ['a byte string with a length longer than it need be', '5a 00000001 00'],
    ['text', '65 68656c6c6f'],
    ['text of two, three and four bytes a character', '6a c3a9 e282ac f09f9880 31'],
    ['text with the outermost code points', '6d efbfbf f48fbfbf ee8080 ed9fbf'],
    ['an empty array', '80'],
    ['arrays in arrays', '82 81 01 80'],
    ['an empty map', 'a0'],
    ['a map', 'a2 61 61 01 61 62 02'],
    ['the same key in two maps of one array', '82 a1 61 61 01 a1 61 61 01'],
    ['a key that its child uses as well', 'a2 61 61 a1 61 61 01 61 62 02'],
    ['the keys constructor and prototype', 'a2 6b 636f6e7374727563746f72 01 69 70726f746f74797065 02'],
    ['an empty key', 'a1 60 00'],
    ['a date in whole seconds', 'c1 1a 514b67b0'],
    ['a date with milliseconds', 'c1 fb 41d452d9ec200000'],
    ['a date before 1970', 'c1 3a 00000010'],
  ])('%s', (_, digits) => {
    expect(accepts(hex(digits))).toBe(true)
  })

  test('64 arrays within each other', () => {
    expect(accepts(nested(64))).toBe(true)
  })

  test('a map of a thousand different keys', () => {
    expect(accepts(mapOf(Array.from({ length: 1000 }, (_, i) => `key ${i}`)))).toBe(true)
  })

  test('an item in a larger buffer, at a given range', () => {
    expect(() => scanCbor(hex('ff 61 61 ff'), 1, 3)).not.toThrow()
  })
})

describe('hostile bytes are refused', () => {
  test.each([
    ['nothing at all', ''],
    ['undefined as the whole item', 'f7'],
    ['trailing bytes', '01 01'],
    ['a reserved integer', '1c'],
    ['an indefinite byte string', '5f 41 00 ff'],
    ['an indefinite text', '7f 61 61 ff'],
    ['an indefinite array', '9f 01 ff'],
    ['an indefinite map', 'bf 61 61 01 ff'],
    ['a break on its own', 'ff'],
    ['an unassigned simple value', 'e0'],
    ['a simple value of one byte', 'f8 20'],
    ['a length of 64 bits', '5b 0000000000000001 00'],
    ['a huge byte string', '5a ffffffff 00'],
    ['a huge text', '7a ffffffff 61'],
    ['a huge array', '9a ffffffff 00'],
    ['a huge map', 'ba ffffffff 61 61 00'],
    ['a map with more entries than bytes', 'b9 ffff 61 61 00'],
    ['a map without its last value', 'a1 61 61'],
    ['a number as a map key', 'a1 01 02'],
    ['an array as a map key', 'a1 80 02'],
    ['the key __proto__', 'a1 69 5f5f70726f746f5f5f a0'],
    ['the key __proto__ below the top', '81 a1 69 5f5f70726f746f5f5f a0'],
    ['a repeated key', 'a2 61 61 01 61 61 02'],
    ['a key repeated with a longer head', 'a2 61 61 01 78 01 61 02'],
    ['an empty key twice', 'a2 60 01 60 02'],
    ['a bignum', 'c2 49 010000000000000000'],
    ['a negative bignum', 'c3 49 010000000000000000'],
    ['a date as text', 'c0 74 323031332d30332d32315432303a30343a30305a'],
    ['a date of an array', 'c1 80'],
    ['a date of a date', 'c1 c1 00'],
    ['a date of a bigint', 'c1 1b 0000000000000001'],
    ['a date of nothing', 'c1'],
    ['a date with a longer tag', 'd8 01 00'],
    ['a decimal fraction', 'c4 82 01 02'],
    ['a packed reference', 'c6 01'],
    ['a bundled string', 'ce 01'],
    ['a RegExp', 'd8 1b 83 66 526567457870 61 28 60'],
    ['a shared value', 'd8 1c 80'],
    ['a cycle', 'd8 1c 81 d8 1d 00'],
    ['a table of packed values', 'd8 33 84 81 00 80 80 00'],
    ['a typed array', 'd8 45 42 0000'],
    ['an old record', 'd8 69 83 19 e000 81 61 61 01'],
    ['a Set', 'd9 0102 80'],
    ['a Map', 'd9 0103 a0'],
    ['a self-described item', 'd9 d9f7 00'],
    ['a bundle of strings', 'd9 dff9 82 00 60'],
    ['a table of records', 'd9 dffe 82 19 e000 81 61 61'],
    ['a record with its definition', 'd9 dfff 83 19 e000 81 61 61 01'],
    ['a record by number', 'd9 e000 81 01'],
    ['shared structures', 'da 53687264 00'],
    ['a tag of 64 bits', 'db 0000000000000001 00'],
    ['UTF-8 in too many bytes', '62 c080'],
    ['UTF-8 in too many bytes, of three', '63 e08080'],
    ['UTF-8 in too many bytes, of four', '64 f0808080'],
    ['half a surrogate pair', '63 eda080'],
    ['a code point past the last', '64 f4908080'],
    ['a continuation byte on its own', '61 80'],
    ['a character cut short', '62 e282'],
    ['a character cut short by ASCII', '63 e28241'],
    ['a byte UTF-8 never uses', '61 ff'],
    ['bad UTF-8 after much ASCII', '6a 616161616161616161 ff'],
    ['bad UTF-8 in a key', 'a1 61 ff 00'],
    ['bad UTF-8 that borrows from the next item', '82 61 c3 61 61'],
  ])('%s', (_, digits) => {
    expect(accepts(hex(digits))).toBe(false)
  })

  test('65 arrays within each other, and a thousand', () => {
    expect(accepts(nested(65))).toBe(false)
    expect(accepts(nested(1000))).toBe(false)
  })

  test('a million arrays within each other, without a stack overflow', () => {
    expect(accepts(nested(1_000_000))).toBe(false)
  })

  test.each([2, 16, 17, 1000])('a key that is both first and last of %d', (count) => {
    expect(accepts(mapOf([...Array.from({ length: count - 1 }, (_, i) => `key ${i}`), 'key 0']))).toBe(false)
  })

  test('every tag of up to 14 bits but that of a date', () => {
    const passed = Array.from({ length: 0x4000 }, (_, tag) => tag).filter((tag) =>
      accepts(tag < 24 ? Uint8Array.of(0xc0 + tag, 0) : Uint8Array.of(0xd9, tag >> 8, tag & 0xff, 0)),
    )
    expect(passed).toEqual([1])
  })

  test('a good item cut off at any byte', () => {
    const whole = hex('a3 61 61 83 01 fb3ff0000000000000 c1 1a514b67b0 62 c3a9 43 010203 78 01 63 1b ffffffffffffffff')
    expect(accepts(whole)).toBe(true)
    for (let length = 0; length < whole.length; length++) expect(accepts(whole.subarray(0, length))).toBe(false)
  })

  test('an item that runs past the end it was given, though the buffer goes on', () => {
    expect(() => scanCbor(hex('63 616161'), 0, 3)).toThrow(GridError)
    expect(() => scanCbor(hex('00'), 0, 2)).toThrow(GridError)
  })
})

test('the error names the byte that offends', () => {
  expect(() => scanCbor(hex('82 01 c2 40'))).toThrow('Not plain CBOR: a tag other than that of a date, at byte 2')
})

/** Scans an item and counts the bytes that were read, those of keys that were decoded included. */
function bytesRead(bytes: Uint8Array): number {
  let count = 0
  const counting = new Proxy(bytes, {
    get(target, property) {
      if (property === 'length') return target.length
      if (property === 'subarray') {
        return (from: number, to: number) => {
          count += to - from
          return target.subarray(from, to)
        }
      }
      count += 1
      return target[Number(property)]
    },
  })
  scanCbor(counting)
  return count
}

test.each([10, 100])('%d times as many equal-looking keys take as many times the work', (times) => {
  const keys = (count: number): Uint8Array =>
    mapOf(Array.from({ length: count }, (_, i) => `k${String(i).padStart(12, '0')}k`))
  const once = bytesRead(keys(20))
  expect(once).toBeGreaterThan(20 * 14)
  // If each key were compared with each, it would be the square of that.
  expect(bytesRead(keys(20 * times)) / once).toBeLessThan(times * 1.1)
})
