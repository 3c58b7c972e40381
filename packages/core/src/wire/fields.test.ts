import { expect, test } from 'vitest'
import { decodeValue } from '../bytes/cbor.ts'
import { Fields } from './fields.ts'

const hash = '0123456789abcdef'

function refused(work: () => unknown): void {
  expect(work).toThrow(expect.objectContaining({ name: 'GridError', code: 'MESSAGE_MALFORMED' }))
}

function of(value: unknown): Fields {
  return new Fields({ x: value }, 'thing')
}

test('only a map has fields', () => {
  for (const value of [undefined, null, 1, 'text', true, [], [1], new Uint8Array(3), 5n]) {
    refused(() => new Fields(value, 'thing'))
  }
  expect(new Fields({}, 'thing').has('x')).toBe(false)
})

test('text that could command a terminal is refused', () => {
  for (const text of ['\u001b[2J', 'two\nlines', 'nul\0', '\u007f']) {
    refused(() => of(text).text('x', 100))
    refused(() => of(['fine', text]).texts('x', 2, 100))
  }
})

test('each read gives what is there', () => {
  const bytes = Uint8Array.of(1)
  expect(of('abc').text('x', 3)).toBe('abc')
  expect(of(hash).hash('x')).toBe(hash)
  expect(of(0).count('x')).toBe(0)
  expect(of(Number.MAX_SAFE_INTEGER).count('x')).toBe(Number.MAX_SAFE_INTEGER)
  expect(of(5n).count('x')).toBe(5)
  expect(of(0.5).amount('x')).toBe(0.5)
  expect(of(false).flag('x')).toBe(false)
  expect(of(bytes).bytes('x')).toBe(bytes)
  expect(of({ y: 1 }).nested('x').count('y')).toBe(1)
  expect(
    of([{ y: 1 }, { y: 2 }])
      .list('x', 2)
      .map((each) => each.count('y')),
  ).toEqual([1, 2])
  expect(of(['a', 'b']).texts('x', 2, 1)).toEqual(['a', 'b'])
  expect(of([1, 2]).counts('x')).toEqual([1, 2])
  expect(of(0).has('x')).toBe(true)
})

const reads: Record<string, (fields: Fields) => unknown> = {
  text: (fields) => fields.text('x', 3),
  hash: (fields) => fields.hash('x'),
  count: (fields) => fields.count('x'),
  amount: (fields) => fields.amount('x'),
  flag: (fields) => fields.flag('x'),
  bytes: (fields) => fields.bytes('x'),
  nested: (fields) => fields.nested('x'),
  list: (fields) => fields.list('x', 2),
  texts: (fields) => fields.texts('x', 2, 2),
  counts: (fields) => fields.counts('x'),
}

const wrong: Record<string, unknown[]> = {
  text: ['abcd', 1, [], {}, new Uint8Array(1), true],
  hash: [hash.slice(1), `${hash}0`, hash.toUpperCase(), `${hash.slice(1)}g`, `${hash}\n`, 1, new Uint8Array(16)],
  count: [-1, 0.5, Number.NaN, Infinity, 2 ** 53, '1', -1n, 2n ** 53n, 2n ** 64n - 1n, true, []],
  amount: [-0.1, Number.NaN, Infinity, -Infinity, '1', 1n, true],
  flag: [0, 1, 'true', []],
  bytes: ['abc', [1, 2], {}, 1],
  nested: [1, [], 'text', new Uint8Array(1)],
  list: [{}, [1], [[]], [{}, {}, {}], 'text', new Uint8Array(1)],
  texts: [['abc'], [1], ['a', 'b', 'c'], 'ab', {}],
  counts: [[-1], [0.5], ['1'], [2 ** 53], {}, 7, new Uint8Array(2)],
}

for (const [name, read] of Object.entries(reads)) {
  test(`a field read as ${name} is refused when it is something else, or missing`, () => {
    for (const value of [undefined, null, ...wrong[name]!]) refused(() => read(of(value)))
    refused(() => read(new Fields({}, 'thing')))
  })
}

test('what every object inherits is no field', () => {
  const fields = new Fields(decodeValue(Uint8Array.of(0xa0)), 'thing')
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    expect(fields.has(name)).toBe(false)
    refused(() => fields.text(name, 100))
    refused(() => fields.nested(name))
  }
})

test('the error says which field of what', () => {
  expect(() => of({ y: 'text' }).nested('x').count('y')).toThrow('thing.x.y')
})
