import { createContext, runInContext, runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { decodeValue, encodeValue } from './bytes/cbor.ts'
import { isPlainObject } from './realms.ts'

const realm = createContext({})
const foreign = (source: string): unknown => runInContext(`(${source})`, realm) as unknown
const roundTrip = (value: unknown): unknown => decodeValue(encodeValue(value, 1 << 20))

const storable: [string, string, unknown][] = [
  ['an object', '{ a: 1, b: { c: [true, null] } }', { a: 1, b: { c: [true, null] } }],
  ['an object without a prototype', 'Object.assign(Object.create(null), { a: [1] })', { a: [1] }],
  ['an object with odd names', '{ constructor: 1, length: 2, toJSON: 3 }', { constructor: 1, length: 2, toJSON: 3 }],
  ['an empty array', '[]', []],
  ['an array', "[1, 'two', [3], undefined, { n: 4 }]", [1, 'two', [3], undefined, { n: 4 }]],
  ['bytes', 'Uint8Array.of(1, 2, 3)', Uint8Array.of(1, 2, 3)],
  ['a part of bytes', 'new Uint8Array(10).fill(7).subarray(2, 5)', Uint8Array.of(7, 7, 7)],
  ['a subclass of bytes', 'new (class Mine extends Uint8Array {})(2)', new Uint8Array(2)],
  ['a date', 'new Date(1234567890123)', new Date(1_234_567_890_123)],
  [
    'all of it',
    '{ list: [new Date(0), { bytes: new Uint8Array(1), big: 7n }] }',
    {
      list: [new Date(0), { bytes: new Uint8Array(1), big: 7n }],
    },
  ],
]

describe('a value of another realm', () => {
  it.each(storable)('can be stored: %s', (_, source, value) => {
    expect(roundTrip(foreign(source))).toEqual(value)
    // Also inside of this realm's, and around it.
    expect(roundTrip({ inside: [foreign(source), 1] })).toEqual({ inside: [value, 1] })
    const around = foreign('(part) => ({ part: [part] })') as (part: unknown) => unknown
    expect(roundTrip(around(roundTrip(value)))).toEqual({ part: [value] })
    // It takes the bytes that it would take here.
    expect(encodeValue(foreign(source), 1 << 20)).toEqual(encodeValue(value, 1 << 20))
  })

  it.each([
    ['an instance of a class', 'new (class Mine {})()', 'Mine; store a plain object'],
    ['a subclass of arrays', 'new (class Mine extends Array {})()', 'Mine; store a plain object'],
    ['a subclass of dates', 'new (class Mine extends Date {})()', 'Mine; store a plain object'],
    ['an object of an object', 'Object.create({ a: 1 })', 'store a plain object'],
    ['a Map', 'new Map()', 'Map; store an object or an array of pairs'],
    ['a Set', 'new Set()', 'Set; store an array'],
    ['an ArrayBuffer', 'new ArrayBuffer(1)', 'ArrayBuffer; store a Uint8Array of its bytes'],
    ['another typed array', 'new Float64Array(1)', 'Float64Array; store a Uint8Array of its bytes'],
    ['an Error', "new Error('x')", 'Error; store a plain object'],
    ['a RegExp', '/x/', 'RegExp; store a plain object'],
    ['a boxed number', 'new Number(1)', 'Number; store a plain object'],
    ['a promise', 'Promise.resolve()', 'Promise; store a plain object'],
    ['an invalid date', 'new Date(NaN)', 'is an invalid or too distant Date'],
    ['a function', '() => 1', 'is a function'],
  ])('is refused as one of this realm is: %s', (_, source, reason) => {
    const here = runInThisRealm(source)
    for (const value of [foreign(source), [foreign(source)], here]) {
      expect(() => encodeValue(value, 1 << 20)).toThrow(
        expect.objectContaining({ code: 'INVALID_VALUE', message: expect.stringContaining(reason) }),
      )
    }
  })

  it('is bounded as one of this realm is', () => {
    expect(() => encodeValue(foreign("['x'.repeat(100)]"), 50)).toThrow(
      expect.objectContaining({ code: 'VALUE_TOO_LARGE' }),
    )
    expect(() => encodeValue(foreign('new Uint8Array(100)'), 50)).toThrow(
      expect.objectContaining({ code: 'VALUE_TOO_LARGE' }),
    )
    const cycle = foreign('(() => { const a = {}; a.a = a; return a })()')
    expect(() => encodeValue(cycle, 1000)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    const named = foreign(`JSON.parse('{"__proto__": 1}')`)
    expect(() => encodeValue(named, 1000)).toThrow(/__proto__/)
    const symbol = foreign('{ [Symbol.iterator]: 1 }')
    expect(() => encodeValue(symbol, 1000)).toThrow(/symbol/)
  })
})

it('a plain object is one of no class, of any realm', () => {
  for (const source of ['{}', 'Object.create(null)', '{ a: 1 }', 'Object.prototype']) {
    expect(isPlainObject(foreign(source))).toBe(true)
    expect(isPlainObject(runInThisRealm(source))).toBe(true)
  }
  for (const source of ['[]', 'new Date()', 'new Map()', 'new (class {})()', '() => 1', '1', 'null', '/x/']) {
    expect(isPlainObject(foreign(source))).toBe(false)
    expect(isPlainObject(runInThisRealm(source))).toBe(false)
  }
})

/** What the source gives here: built from this realm's own globals. */
function runInThisRealm(source: string): unknown {
  const names = { Object, Array, Date, Map, Set, ArrayBuffer, Float64Array, Error, Number, Promise }
  return (
    runInNewContext(`(names) => { const { ${Object.keys(names).join(', ')} } = names; return (${source}) }`) as (
      globals: typeof names,
    ) => unknown
  )(names)
}
