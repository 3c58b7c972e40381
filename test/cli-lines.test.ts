import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Surroundings, folder, killed, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('lines')
/** Characters that other readers treat as a line end, drop, or stop at, and sequences that control a terminal. */
const HIDDEN = [
  '\u2028',
  '\u2029',
  '\u0085',
  '\r',
  '\n',
  '\v',
  '\u001e',
  '\0',
  '\ufeff',
  '\u001b[2J',
  '\u009b2J',
  '\u202e',
]
const ALL = HIDDEN.join('')
const rows = HIDDEN.map((hidden, i) => ({ key: `${i}${hidden}x`, value: { [`f${hidden}`]: ALL, list: [hidden] } }))
/** No output may contain one of these. The escape character itself is allowed for the colours of a terminal. */
// oxlint-disable-next-line no-control-regex
const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202e\ufeff]/

interface Row {
  readonly key: string
  readonly value: unknown
}

const byKey = (lines: string): Row[] =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
    .toSorted((a, b) => Number.parseInt(a.key, 10) - Number.parseInt(b.key, 10))

beforeAll(async () => {
  await here.peer('--name', 'lines')
  const { code, stderr } = await here.run(['import', 'texts'], rows.map((row) => JSON.stringify(row)).join('\n'))
  if (code !== 0) throw new Error(stderr)
})
afterAll(removeAll)

test('entries with any characters are listed, one a line, and no control character reaches the terminal', async () => {
  for (const options of [[], ['--keys-only'], ['--format', 'csv', '--keys-only']]) {
    const shown = await here.ok('entries', 'texts', ...options)
    if (!options.includes('csv')) {
      expect(shown.trimEnd().split('\n'), options.join(' ')).toHaveLength(rows.length)
      expect(shown).not.toMatch(RAW)
    }
  }
  const json = await here.ok('entries', 'texts', '--json')
  expect(json).not.toMatch(RAW)
  expect(byKey(json)).toEqual(rows)
  const keys = byKey(await here.ok('entries', 'texts', '--keys-only', '--json'))
  expect(keys.map(({ key }) => key)).toEqual(rows.map(({ key }) => key))
})

test('get and watch show them', async () => {
  const key = rows[0]!.key
  expect(await here.ok('get', 'texts', key)).not.toMatch(RAW)
  expect(await here.json('get', 'texts', key)).toEqual({ collection: 'texts', ...rows[0] })
  for (const options of [[], ['--json']]) {
    const watch = here.spawn('watch', 'texts', '--initial', ...options)
    let seen = ''
    watch.stdout!.setEncoding('utf8').on('data', (text: string) => (seen += text))
    await until(() => seen.split('\n').length > rows.length, 'all entries are shown')
    expect(await killed(watch, 'SIGINT')).toBe(0)
    expect(seen.trimEnd().split('\n')).toHaveLength(rows.length)
    expect(seen).not.toMatch(RAW)
    if (options.length > 0) expect(byKey(seen).map(({ value }) => value)).toEqual(rows.map(({ value }) => value))
  }
})

test('export and import keep them exactly in every format', async () => {
  for (const extension of ['ndjson', 'json', 'csv']) {
    const file = `texts.${extension}`
    await here.ok('export', 'texts', file)
    if (extension !== 'csv') expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(RAW)
    await here.ok('import', `texts-${extension}`, file)
    expect(byKey(await here.ok('entries', `texts-${extension}`, '--json')), extension).toEqual(rows)
  }
})

test('a value of the largest size arrives whole, with characters of several bytes', async () => {
  const value = 'é\u2028𝄞'.repeat(100_000)
  await here.run(['import', 'large'], JSON.stringify({ key: 'k', value }))
  expect(byKey(await here.ok('entries', 'large', '--json'))).toEqual([{ key: 'k', value }])
  await here.ok('export', 'large', 'large.ndjson')
  await here.ok('import', 'large-again', 'large.ndjson')
  expect(byKey(await here.ok('entries', 'large-again', '--json'))).toEqual([{ key: 'k', value }])
})
