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

test('a date that is none, as a hostile peer may send it, spoils nothing beside it', () => {
  const text = stringifyTagged({ name: 'Ada', seen: new Date(Number.NaN) })
  expect(text).toBe('{"name":"Ada","seen":{"$date":null}}')
  expect(() => parseTagged(text)).toThrow('is no tagged value')
})
