import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTagged, stringifyTagged } from './tagged-json.ts'

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
  fc.string({ unit: 'binary' }),
  fc.uint8Array(),
  fc.date({ noInvalidDate: true }),
  fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
  fc.constant(undefined),
)
const key = fc.oneof(
  fc.string().filter((text) => text !== '__proto__'),
  fc.constantFrom('$bytes', '$$bytes', '$date', '$bigint', '$number', '$undefined', '$$$undefined', '$other'),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))

test('every value comes back exactly, also one that looks like a tag', () => {
  fc.assert(
    fc.property(value, (original) => {
      expect(parseTagged(stringifyTagged(original))).toStrictEqual(original)
    }),
    { numRuns: 2000 },
  )
})

test('plain JSON stays what it is', () => {
  const text = '{"a":[1,"x",null,true,{"b":-1.5}]}'
  expect(stringifyTagged(JSON.parse(text))).toBe(text)
  expect(stringifyTagged(new Uint8Array([0, 1, 2]))).toBe('{"$bytes":"AAEC"}')
})

test('a malformed tag, a number that loses digits, and __proto__ are refused with the reason', () => {
  expect(() => parseTagged('{"$date":"tomorrow"}')).toThrow('{"$date":"tomorrow"} is no tagged value')
  expect(() => parseTagged('{"$bytes":"a"}')).toThrow('is no tagged value')
  expect(() => parseTagged('{"id":12345678901234567890}')).toThrow('would lose digits')
  expect(() => parseTagged('{"__proto__":1}')).toThrow('__proto__')
  expect(() => parseTagged('{"$number":"toString"}')).toThrow('is no tagged value')
  expect(() => parseTagged('[-1e400]')).toThrow('larger than any')
  expect(() => parseTagged('1E+309')).toThrow('larger than any')
  expect(parseTagged('{"id":9007199254740991}')).toEqual({ id: 9007199254740991 })
  expect(parseTagged('"12345678901234567890"')).toBe('12345678901234567890')
})

test('a date is one of ISO 8601 that exists, and says which moment it is', () => {
  for (const date of [
    '1',
    'tomorrow 5',
    '2026-02-30',
    '2026-13-01',
    '2026-02-29T00:00:00Z',
    '2026-01-31T12:00:00',
    '2026-01-31T25:00Z',
    '2026-01-31 12:00Z',
    '2026-01-31T12:00:00.0001Z',
    '-000000-01-01',
    'Jan 1 2026',
  ]) {
    expect(() => parseTagged(JSON.stringify({ $date: date })), date).toThrow('is no tagged value')
  }
  for (const date of [
    '2024-02-29',
    '2026-01-31T12:00Z',
    '2026-01-31T12:00:00.5000+01:00',
    '+010000-01-01T00:00:00.000Z',
    '-000001-12-31T00:00:00.000Z',
  ]) {
    expect(parseTagged(JSON.stringify({ $date: date })), date).toEqual(new Date(date))
  }
})

test('base64 that is not whole is refused', () => {
  for (const base64 of ['A', 'AAE==', 'AB', 'AAA=A', 'AA EC', '*']) {
    expect(() => parseTagged(JSON.stringify({ $bytes: base64 })), base64).toThrow('is no tagged value')
  }
  for (const base64 of ['', 'AA', 'AA==', '-_8=', '+/8'])
    expect(parseTagged(JSON.stringify({ $bytes: base64 })), base64).toBeInstanceOf(Uint8Array)
})

test('a fraction with more digits than a double holds is refused, and one that a double holds is not', () => {
  for (const number of ['0.12345678901234567890', '12345678901234.567', '1234567890123456.7', '1e-400', '1.5e-324'])
    expect(() => parseTagged(number), number).toThrow('would lose digits')
  for (const number of [
    '0.1',
    '20.30',
    '3.141592653589793',
    '0.10000000000000001',
    '1e300',
    '5e-324',
    '100.00000000000000000',
  ])
    expect(parseTagged(number), number).toBe(Number(number))
})

test('a date that is none, as a hostile peer may send it, spoils nothing beside it', () => {
  const text = stringifyTagged({ name: 'Ada', seen: new Date(Number.NaN) })
  expect(text).toBe('{"name":"Ada","seen":{"$date":null}}')
  expect(() => parseTagged(text)).toThrow('is no tagged value')
})
