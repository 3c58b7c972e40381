import { expect, test } from 'vitest'
import { colorsFor } from './colors.ts'
import { bytesText } from './quantities.ts'
import { shellWord } from './shell-word.ts'
import { facts, table } from './table.ts'
import { visible, visibleColoured, visibleJson, visibleLine, visibleLines } from './visible.ts'

const plain = colorsFor({ isTTY: false }, {})

test('a table has columns that line up, and no space at the end of a line', async () => {
  const columns = [{ title: 'name' }, { title: 'count', align: 'right' as const }, { title: 'last' }]
  const drawn = await table(
    columns,
    [
      ['größe', '7', 'x'],
      ['b', '1,000', ''],
    ],
    plain,
  )
  expect(drawn.split('\n')).toEqual(['NAME   COUNT  LAST', 'größe      7  x', 'b      1,000'])
})

test('facts are printed beside their names, further lines below', () => {
  expect(
    facts(
      [
        ['one', 'a\nb'],
        ['three', 'c'],
      ],
      plain,
    ),
  ).toBe('one    a\n       b\nthree  c')
})

test('only terminals get colours, unless a variable overrides that', () => {
  expect(colorsFor({ isTTY: true }, {}).red('x')).not.toBe('x')
  expect(colorsFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x')
  expect(colorsFor({ isTTY: true }, { TERM: 'dumb' }).red('x')).toBe('x')
  expect(colorsFor({ isTTY: false }, { FORCE_COLOR: '1' }).red('x')).not.toBe('x')
})

test('text of other users cannot control the terminal', () => {
  expect(visible('größe 1')).toBe('größe 1')
  expect(visible('\u001b[2Jgone')).toBe(String.raw`"\u001b[2Jgone"`)
  expect(visible('\u009b2J')).toBe(String.raw`"\u009b2J"`)
  const json = JSON.stringify({ a: '\u009b\u202eabc\n' })
  expect(visibleJson(json)).toBe(String.raw`{"a":"\u009b\u202eabc\n"}`)
  expect(JSON.parse(visibleJson(json))).toEqual(JSON.parse(json))
})

test('a coloured text keeps its colours, and no other control characters', () => {
  const { red, dim, bold, cyan } = colorsFor({ isTTY: true }, {})
  const coloured = `${red('a')}\t${dim(bold('b'))}\n${cyan('größe')}`
  expect(visibleColoured(coloured)).toBe(coloured)
  const hostile = [
    '\u001b[2J',
    '\u001b]0;title\u0007',
    '\u001b[8m',
    '\u009b31m',
    '\r',
    '\b',
    '\u007f',
    '\u202e',
    '\u2066',
    '\ufeff',
  ]
  for (const text of hostile) {
    const seen = visibleColoured(`${red('a')}${text}b`)
    // oxlint-disable-next-line no-control-regex
    expect(seen.replaceAll(/\u001b\[3[19]m/g, ''), JSON.stringify(text)).toMatch(/^a[\u0020-\u007e]+b$/)
  }
  expect(visibleLine('one\ntwo\tthree\u001b')).toBe(String.raw`one\u000atwo\u0009three\u001b`)
  expect(visibleLines('one\n\ttwo\r\u0085')).toBe('one\n\ttwo\\u000d\\u0085')
})

test('sizes are short', () => {
  expect([999, 12_345, 1_234_567, 83_500_000_000].map(bytesText)).toEqual(['999 B', '12 kB', '1.2 MB', '83.5 GB'])
})

test('what a person copies into a shell is one word there, whatever is in it', () => {
  const words = ['./shop', '10.0.0.1:4001', 'my shop', "it's", '$HOME', '']
  expect(words.map(shellWord)).toEqual(['./shop', '10.0.0.1:4001', "'my shop'", `'it'\\''s'`, "'$HOME'", "''"])
})
