import { deepStrictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scanCbor } from './cbor-scanner.ts'
import { decodeValue, encodeValue } from './cbor.ts'
import { GridError } from '../errors.ts'

const sizeMaxBytes = 1 << 20

function roundTrip(value: unknown): unknown {
  const bytes = encodeValue(value, sizeMaxBytes)
  scanCbor(bytes)
  return decodeValue(bytes)
}

function refusalOf(encode: () => unknown): GridError {
  try {
    encode()
  } catch (error) {
    if (error instanceof GridError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function nested(depth: number): unknown {
  let value: unknown = 'innermost'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { child: value }
  return value
}

const text = fc.string({ unit: 'binary', maxLength: 80 })
const plainValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(null, true, false, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.double().map((number) => number + 0), // no -0
    fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
    text,
    fc.uint8Array({ maxLength: 80 }),
    fc.date({ min: new Date(-(2 ** 51)), max: new Date(2 ** 51), noInvalidDate: true }),
    fc.array(fc.oneof(tie('value'), fc.constant(undefined)), { maxLength: 30 }),
    fc.dictionary(
      fc.oneof(
        text.filter((key) => key !== '__proto__'),
        fc.constantFrom('constructor', 'toString', 'length', '0'),
      ),
      fc.oneof(tie('value'), fc.constant(undefined)),
      { maxKeys: 30, noNullPrototype: true },
    ),
  ),
})).value

describe('what encodeValue accepts', () => {
  test('passes the scanner and decodes to an equal value', () => {
    fc.assert(
      fc.property(plainValue, (value) => {
        deepStrictEqual(roundTrip(value), value) // expect would read a key `constructor` as a type
      }),
      { numRuns: 2000, seed: 1 },
    )
  })

  test('any value is encoded and decodes to an equal one, or is refused with a code', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    })
    fc.assert(
      fc.property(anything, (value) => {
        try {
          expect(roundTrip(value)).toEqual(value)
        } catch (error) {
          if (!(error instanceof GridError)) throw error
          expect(error.code).toBe('INVALID_VALUE')
        }
      }),
      { numRuns: 2000, seed: 2 },
    )
  })

  test('may have the names of an object’s built-in parts as keys', () => {
    const value = { constructor: 1, toString: 'x', hasOwnProperty: null, prototype: { valueOf: [] } }
    deepStrictEqual(roundTrip(value), value)
  })

  test('may have no prototype, and gets the usual one', () => {
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
  })

  test('loses the sign of zero and the holes of arrays', () => {
    // oxlint-disable-next-line no-sparse-arrays
    expect(roundTrip([-0, , 1])).toStrictEqual([0, undefined, 1])
  })

  test('may be 64 levels deep', () => {
    expect(roundTrip(nested(64))).toStrictEqual(nested(64))
  })

  test('may be a Buffer, and comes back as a Uint8Array', () => {
    const decoded = roundTrip(Buffer.from([1, 2, 3]))
    expect(decoded).toStrictEqual(Uint8Array.of(1, 2, 3))
  })

  test('may use one object twice', () => {
    const shared = { a: 1 }
    expect(roundTrip([shared, shared])).toStrictEqual([{ a: 1 }, { a: 1 }])
  })
})

describe('what encodeValue refuses', () => {
  class Point {
    readonly x = 1
  }
  const cycle: Record<string, unknown> = { list: [] }
  ;(cycle['list'] as unknown[]).push(cycle)

  test.each<[string, unknown, string]>([
    ['undefined at the top', undefined, 'undefined stands for a missing value'],
    ['a function', { a: { b: [1, () => 1] } }, 'value.a.b[1] is a function'],
    ['a symbol', [Symbol('s')], 'value[0] is a symbol'],
    ['a symbol as a key', { [Symbol('s')]: 1 }, 'value has a symbol as a key'],
    ['a cycle', cycle, 'value.list[0].list[0].list[0].list[0]... contains itself'],
    ['65 levels', nested(65), 'is nested deeper than 64 levels'],
    ['a bigint of 65 bits', { n: 2n ** 64n }, 'value.n is a bigint of more than 64 bits'],
    ['a negative bigint of 65 bits', -(2n ** 64n), 'value is a bigint of more than 64 bits'],
    ['an instance of a class', { p: new Point() }, 'value.p is an instance of Point; store a plain object'],
    ['an instance of a nameless class', new (class {})(), 'value is an instance of a class'],
    ['a RegExp', /x/, 'value is an instance of RegExp'],
    ['an Error', new Error('x'), 'value is an instance of Error'],
    ['a WeakMap', new WeakMap(), 'value is an instance of WeakMap'],
    ['a Map', new Map(), 'value is an instance of Map; store an object or an array of pairs'],
    ['a Set', new Set(), 'value is an instance of Set; store an array'],
    ['a Promise', Promise.resolve(), 'value is an instance of Promise'],
    ['a boxed string', Object('x'), 'value is an instance of String'],
    ['another typed array', new Uint16Array(1), 'value is an instance of Uint16Array; store a Uint8Array of its bytes'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'value is an instance of ArrayBuffer; store a Uint8Array of its bytes'],
    ['a subclass of Array', new (class List extends Array {})(), 'value is an instance of List'],
    ['a subclass of Date', new (class Day extends Date {})(0), 'value is an instance of Day'],
    ['an invalid Date', [new Date(NaN)], 'value[0] is an invalid or too distant Date'],
    [
      'a Date whose milliseconds would blur',
      new Date(-4_398_047_251_363_556),
      'value is an invalid or too distant Date',
    ],
    ['an own key __proto__', JSON.parse('{"a":{"__proto__":{"admin":true}}}'), 'value.a has an own key __proto__'],
    ['half a surrogate pair', { s: 'a\ud800' }, 'value.s has half a surrogate pair'],
    ['half a surrogate pair in long text', `${'a'.repeat(100)}\udc00`, 'value has half a surrogate pair'],
    ['half a surrogate pair in a key', [{ '\ud800': 1 }], 'has half a surrogate pair'],
    ['a fake Date', Object.create(Date.prototype), 'it fails or changes while it is read'],
    [
      'a getter that throws',
      Object.defineProperty({}, 'a', { get: throwing, enumerable: true }),
      'it fails or changes',
    ],
    ['a value that changes while it is read', changing(), 'it fails or changes while it is read'],
  ])('%s, saying so', (_, value, message) => {
    const refusal = refusalOf(() => encodeValue(value, sizeMaxBytes))
    expect(refusal.code).toBe('INVALID_VALUE')
    expect(refusal.message).toContain(message)
  })

  function throwing(): never {
    throw new Error('not today')
  }

  /** A number when it is checked, a function when it is encoded. */
  function changing(): object {
    let reads = 0
    return Object.defineProperty({}, 'a', { get: () => (reads++ === 0 ? 1 : throwing), enumerable: true })
  }

  test('a value over the limit, naming both sizes', () => {
    expect(refusalOf(() => encodeValue([1.5, 1.5], 18))).toMatchObject({
      code: 'VALUE_TOO_LARGE',
      message: 'The value takes 19 bytes, and 18 are allowed',
    })
    expect(encodeValue([1.5, 1.5], 19)).toHaveLength(19)
  })

  test.each<[string, unknown]>([
    ['a long string', 'x'.repeat(2 * sizeMaxBytes)],
    ['long bytes', new Uint8Array(2 * sizeMaxBytes)],
    ['an array of four billion holes', Object.assign([], { length: 2 ** 32 - 1 })],
    ['an object that contains another 2^60 times', doubled(60)],
  ])('%s, before it costs anything', (_, value) => {
    const refusal = refusalOf(() => encodeValue(value, sizeMaxBytes))
    expect(refusal.code).toBe('VALUE_TOO_LARGE')
    expect(refusal.message).toMatch(/^The value takes at least \d+ bytes, and 1048576 are allowed$/)
  })

  function doubled(times: number): unknown {
    let value: unknown = 0
    for (let i = 0; i < times; i++) value = [value, value]
    return value
  }
})

describe('the bytes', () => {
  test('stay as they are when more is encoded', () => {
    const first = encodeValue({ name: 'first' }, sizeMaxBytes)
    const copy = first.slice()
    for (let i = 0; i < 2000; i++) encodeValue({ name: `value ${i}` }, sizeMaxBytes)
    expect(first).toEqual(copy)
  })

  test('are a plain Uint8Array, whose slice copies', () => {
    const bytes = encodeValue('text', sizeMaxBytes)
    expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
    expect(bytes.slice().buffer).not.toBe(bytes.buffer)
  })

  test('are good after a value that was refused halfway', () => {
    expect(() => encodeValue(['x'.repeat(100), () => 1], sizeMaxBytes)).toThrow(GridError)
    expect(roundTrip(['y'])).toStrictEqual(['y'])
  })

  test('share no memory with the decoded value', () => {
    const stored = Buffer.from(encodeValue({ bytes: Uint8Array.of(1, 2, 3) }, sizeMaxBytes))
    const decoded = decodeValue(stored) as { readonly bytes: Uint8Array }
    expect(Object.getPrototypeOf(decoded.bytes)).toBe(Uint8Array.prototype)
    decoded.bytes.fill(9)
    expect(decodeValue(stored)).toStrictEqual({ bytes: Uint8Array.of(1, 2, 3) })
    expect(Object.keys(stored)).not.toContain('dataView')
  })
})

describe('mutated bytes', () => {
  const originals = [
    { name: 'Amsterdam', population: 741_636, at: [52.374, 4.89], seen: new Date(1_700_000_000_123) },
    ['x'.repeat(70), { a: { b: { c: [null, undefined, true, 2n ** 63n] } } }, 'é€😀', new Uint8Array(40)],
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i}`, i * 1000])),
  ].map((value) => encodeValue(value, sizeMaxBytes))

  /** Bytes that a hostile peer would reach for: tags, huge and indefinite lengths, breaks. */
  const spices = [0x1b, 0x3b, 0x5b, 0x5f, 0x7a, 0x9a, 0x9f, 0xba, 0xbf, 0xc1, 0xc2, 0xd8, 0xd9, 0xdf, 0xf8, 0xff]

  function mutate(original: Uint8Array, random: () => number): Uint8Array {
    let bytes = original.slice()
    for (let edits = 1 + (random() % 4); edits > 0; edits--) {
      const at = random() % bytes.length
      const kind = random() % 5
      if (kind === 0) bytes[at] = random()
      else if (kind === 1) bytes[at]! ^= 1 << (random() % 8)
      else if (kind === 2) bytes[at] = spices[random() % spices.length]!
      else if (kind === 3) bytes.copyWithin(at, random() % bytes.length, random() % bytes.length)
      else bytes = bytes.slice(0, Math.max(1, at))
    }
    return bytes
  }

  /** Decodes bytes that pass the scanner. All that pass must decode. */
  function take(bytes: Uint8Array): boolean {
    try {
      scanCbor(bytes)
    } catch (error) {
      if (error instanceof GridError && error.code === 'MESSAGE_MALFORMED') return false
      throw error
    }
    decodeValue(bytes)
    return true
  }

  function timeMs(act: () => void): number {
    const start = performance.now()
    act()
    return performance.now() - start
  }

  test('neither crash, nor hang, nor change a prototype, 100,000 times', () => {
    const random = xorshift(20_261_122)
    const builtIns = [Object.prototype, Array.prototype, Uint8Array.prototype, Date.prototype, String.prototype]
    const before = builtIns.map((prototype) => Reflect.ownKeys(prototype))
    let passed = 0
    for (let i = 0; i < 100_000; i++) {
      const bytes = mutate(originals[i % originals.length]!, random)
      const tookMs = timeMs(() => {
        if (take(bytes)) passed++
      })
      // On a busy machine one long turn proves nothing; the same bytes being slow again do.
      if (tookMs > 50) expect(Math.min(...[1, 2, 3].map(() => timeMs(() => take(bytes))))).toBeLessThan(50)
    }
    expect(passed).toBeGreaterThan(1000)
    expect(passed).toBeLessThan(99_000)
    expect(builtIns.map((prototype) => Reflect.ownKeys(prototype))).toEqual(before)
    for (const original of originals) expect(take(original)).toBe(true)
  })

  function xorshift(seed: number): () => number {
    let state = seed
    return () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state >>> 0
    }
  }
})

test('nothing is compiled from strings, which a content security policy would forbid', () => {
  const script = `
    import { decodeValue, encodeValue } from ${JSON.stringify(new URL('./cbor.ts', import.meta.url).href)}
    let compiled = true
    try { new Function('') } catch { compiled = false }
    const bytes = encodeValue({ name: 'Ada', list: [1, 2.5, new Date(0)] }, 1000)
    let decoded
    for (let i = 0; i < 1000; i++) decoded = decodeValue(bytes)
    console.log(compiled, decoded.name, decoded.list.length)`
  const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', script]
  expect(execFileSync(process.execPath, flags, { encoding: 'utf8' })).toBe('false Ada 3\n')
})
