import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonFault, placeIn } from './json-fault.ts'

test.each([
  ['', 0, 'the text ends where a value should be'],
  ['{', 1, 'the text ends where the name of a field in double quotes, or } should be'],
  ['{"a":1', 6, 'the text ends where a comma or } should be'],
  ['{"a" 1}', 5, 'a colon should be here, not 1'],
  ['{"a":1 "b":2}', 7, 'a comma or } should be here, not "'],
  ['{"a":1,}', 7, 'the name of a field in double quotes should be here, not }'],
  ['{a:1}', 1, 'the name of a field in double quotes, or } should be here, not a'],
  ["{'a':1}", 1, "the name of a field in double quotes, or } should be here, not ': texts have double quotes"],
  ['[1,]', 3, 'a value should be here, not ]'],
  ['[1 2]', 3, 'a comma or ] should be here, not 2'],
  ['[,1]', 1, 'a value or ] should be here, not ,'],
  ['1 2', 2, 'nothing more should be here, not 2'],
  ['{} 😀', 3, 'nothing more should be here, not 😀'],
  ['{"a":NaN}', 5, 'NaN is no value of JSON'],
  ['undefined', 0, 'undefined is no value of JSON'],
  ['True', 0, 'True is no value of JSON'],
  ['-', 0, 'a digit should follow the minus'],
  ['01', 1, 'nothing more should be here, not 1'],
  ['1.', 1, 'nothing more should be here, not .'],
  ['{"a":"b', 5, 'the text that begins here has no closing double quote'],
  ['"a\tb"', 2, 'a control character in a text must be an escape such as \\n'],
  [String.raw`"a\xb"`, 2, 'JSON has no such escape'],
  ['hello world', 0, 'hello is no value of JSON'],
])('%j is no JSON at %i', (text, index, words) => {
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError)
  expect(jsonFault(text)).toMatchObject({ index, words })
})

test('a text has a fault exactly where JSON.parse refuses it', () => {
  const piece = fc.constantFrom(
    ...'{}[]:,"\\-0123.eE+ \n\tatrufls'.split(''),
    'true',
    'null',
    '"a"',
    '\\u00e9',
    '\u2028',
  )
  const near = fc.tuple(fc.json(), fc.nat(), fc.nat(3), fc.string({ unit: piece, maxLength: 3 }))
  const mutated = near.map(([json, at, cut, added]) => {
    const from = at % (json.length + 1)
    return json.slice(0, from) + added + json.slice(from + cut)
  })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.string({ unit: piece })), (text) => {
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      expect(jsonFault(text) === undefined).toBe(isJson)
    }),
    { numRuns: 20_000 },
  )
})

test('a million open arrays are one fault, and take no stack', () => {
  expect(jsonFault('['.repeat(1_000_000))).toMatchObject({ index: 1_000_000 })
})

test('a place is a line and a column, in characters', () => {
  expect(placeIn('ab', 2)).toEqual({ line: 1, column: 3 })
  expect(placeIn('a\n😀b', 4)).toEqual({ line: 2, column: 2 })
  expect(placeIn('\n\n', 2)).toEqual({ line: 3, column: 1 })
})
