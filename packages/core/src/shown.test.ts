import { expect, it } from 'vitest'
import { shown } from './shown.ts'

it.each([
  [undefined, 'undefined'],
  [null, 'null'],
  [true, 'true'],
  [Number.NaN, 'NaN'],
  [-Infinity, '-Infinity'],
  [3, '3'],
  ['3', 'the text "3"'],
  ['', 'the text ""'],
  ['\u001b[2J\n', String.raw`the text "\u001b[2J\n"`],
  ['x'.repeat(10_000), `the text "${'x'.repeat(40)}…"`],
  [3n, 'the bigint 3'],
  [10n ** 1000n, `the bigint 1${'0'.repeat(39)}…`],
  [() => 1, 'a function'],
  [class A {}, 'a function'],
  [Symbol('secret'), 'a symbol'],
  [{}, 'an object'],
  [Object.create(null), 'an object'],
  [new (class A {})(), 'an object'],
  [[], 'an array of 0'],
  [['a', 'b'], 'an array of 2'],
  [new Date(0), 'an object (Date)'],
  [new Map(), 'an object (Map)'],
  [Promise.resolve(1), 'an object (Promise)'],
  [new Uint8Array(2), 'an object (Uint8Array)'],
  [Object(3), 'an object (Number)'],
])('%# is shown with its type', (value, words) => {
  expect(shown(value)).toBe(words)
})
