import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Surroundings, folder, removeAll, until } from './cli-rig/surroundings.ts'

const here = new Surroundings('transfer')
let grid: Grid

interface ImportAnswer {
  readonly rows: number
  readonly written: number
  readonly skipped: number
  readonly expired: number
  readonly columns?: readonly { readonly column: string; readonly type: string; readonly reason: string }[]
}

beforeAll(async () => {
  const { started } = await here.peer('--name', 'transfer')
  grid = await openGrid({ name: 'transfer', mdns: false, join: started.addresses, listen: ['/ip4/127.0.0.1/tcp/0'] })
  await grid.ready()
})
afterAll(async () => {
  await grid.close()
  await removeAll()
})

function file(name: string, text: string | Uint8Array): string {
  writeFileSync(join(folder, name), text)
  return name
}

const text = (name: string): string => readFileSync(join(folder, name), 'utf8')
const linesOf = (written: string): string[] => written.trimEnd().split('\n').toSorted()

async function known(name: string): Promise<void> {
  const collections = async (): Promise<string> => here.ok('collections', '--json')
  await until(async () => (await collections()).includes(`"name":"${name}"`), `the peer knows ${name}`)
}

test('an import says how it reads each column, and what it read comes out again byte for byte', async () => {
  const csv = 'key,balance,zip,note\na,20.30,0100,"""hi"""\nb,-20.32,1000," x "\nc,7,,\n'
  const { code, stderr } = await here.run(['import', 'inferred', file('inferred.csv', csv)])
  expect(stderr).toMatch(
    /^column 'balance': text, since line 2 has '20.30'\ncolumn 'zip': text, since line 2 has '0100'\ncolumn 'note': text\n3 rows in /,
  )
  expect(code).toBe(0)
  await here.ok('export', 'inferred', 'inferred-out.csv')
  expect(linesOf(text('inferred-out.csv'))).toEqual(linesOf(csv))
  const typed = await here.json<ImportAnswer>('import', 'typed', 'inferred.csv', '--types', 'balance=number,*=text')
  expect(typed).toMatchObject({ rows: 3, written: 3, skipped: 0 })
  expect(typed.columns).toEqual([
    { column: 'balance', type: 'number', reason: 'as --types says' },
    { column: 'zip', type: 'text', reason: 'as --types says' },
    { column: 'note', type: 'text', reason: 'as --types says' },
  ])
  expect(await here.json('get', 'typed', 'a')).toMatchObject({ value: { balance: 20.3, zip: '0100', note: '"hi"' } })
})

test('wrong quotes anywhere in a file stop its import before the first row is written', async () => {
  const error = await here.error('import', 'quotes', file('quotes.csv', 'key,n\na,1\nb,"2\nc,"3"\n'))
  expect(error).toMatchObject({
    exit: 1,
    code: 'BAD_ROW',
    message: expect.stringMatching(/^line 3: a quote opens here/),
  })
  expect(await here.error('get', 'quotes', 'a')).toMatchObject({ code: 'NOT_FOUND' })
})

test('a stream of CSV is read as a file is, up to a length, and past that its types must be given', async () => {
  const small = await here.run(['import', 'piped', '--format', 'csv'], 'key,n,m\r\na,1,1\nb,2,x\r\n')
  expect(small.stderr).toMatch(/^column 'n': number\ncolumn 'm': text, since line 3 has 'x'\n2 rows in /)
  expect(await here.json('get', 'piped', 'a')).toMatchObject({ value: { n: 1, m: '1' } })
  const row = (i: number): string => `${i},${'x'.repeat(1000)}\n`
  const large = `key,n\n${Array.from({ length: 17_000 }, (_, i) => row(i)).join('')}`
  const refused = await here.run(['import', 'large', '--format', 'csv'], large)
  expect(refused.stderr).toMatch(
    /^error: the types of columns are found by reading all rows.* 16777216 bytes\n.*--types/,
  )
  expect(refused.code).toBe(2)
  expect(await here.error('get', 'large', '1')).toMatchObject({ code: 'NOT_FOUND' })
  const typed = await here.run(['import', 'large', '--format', 'csv', '--types', 'n=text'], large)
  expect(typed.stderr).toContain('17,000 rows in ')
  expect(typed.code).toBe(0)
})

test('bad rows are not counted as rows', async () => {
  file('bad.ndjson', 'x\ny\nz\n')
  const { code, stderr } = await here.run(['import', 'bad', 'bad.ndjson', '--skip-bad', '5'])
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^0 rows in .*, 0 a second; 3 bad rows skipped$/)
  expect(code).toBe(0)
  expect(await here.json('import', 'bad', 'bad.ndjson', '--skip-bad', '5')).toMatchObject({ written: 0, skipped: 3 })
})

test('what JSON would change is refused by line and column', async () => {
  for (const [value, reported] of [
    ['{"n":1e400}', "line 1, column 'value.n': the number 1e400 is larger than any that can be stored"],
    ['{"born":{"$date":"2026-02-30"}}', "line 1, column 'value.born': "],
  ] as const) {
    const { message } = await here.error('import', 'refused', file('refused.ndjson', `{"key":"a","value":${value}}\n`))
    expect(message).toContain(reported)
  }
})

test('entries keep their time to live in every format, and those that have expired are left out', async () => {
  await here.ok('set', 'sessions', 's1', 'ada', '--ttl', '1h')
  await here.ok('set', 'sessions', 's2', 'bob')
  const { expiresAt } = await here.json<{ expiresAt: string }>('get', 'sessions', 's1')
  for (const extension of ['ndjson', 'json', 'csv']) {
    await here.ok('export', 'sessions', `sessions.${extension}`)
    await here.ok('import', `sessions-${extension}`, `sessions.${extension}`)
    const back = await here.json<{ expiresAt: string }>('get', `sessions-${extension}`, 's1')
    expect(Math.abs(Date.parse(back.expiresAt) - Date.parse(expiresAt)), extension).toBeLessThan(20)
    expect(await here.json('get', `sessions-${extension}`, 's2'), extension).not.toHaveProperty('expiresAt')
  }
  file(
    'expired.ndjson',
    '{"key":"old","value":1,"expiresAt":"2020-01-01T00:00:00Z"}\n{"key":"new","value":1}\n{"key":"far","value":1,"expiresAt":"2999-01-01"}\n',
  )
  expect(await here.json('import', 'expired', 'expired.ndjson', '--skip-bad', '1')).toMatchObject({
    written: 1,
    skipped: 1,
    expired: 1,
  })
  expect(await here.error('get', 'expired', 'old')).toMatchObject({ code: 'NOT_FOUND' })
})

test('counters and sets are exported and imported, and importing again changes nothing', async () => {
  await grid.counter('visits').increment(45)
  await grid.counter('visits').decrement(3)
  const elements = ['red', 7, 7n, { a: new Uint8Array([1]) }, null]
  await grid.set('tags').addMany(elements)
  await until(async () => /42/.test((await here.run(['export', 'visits'])).stdout), 'the count has arrived')
  await until(async () => linesOf((await here.run(['export', 'tags'])).stdout).length === 5, 'the set has arrived')
  expect(await here.ok('export', 'visits')).toBe('{"counter":42}\n')
  expect(linesOf(await here.ok('export', 'tags'))).toEqual(
    ['{"element":"red"}', '{"element":7}', '{"element":{"$bigint":"7"}}', '{"element":{"a":{"$bytes":"AQ=="}}}', '{"element":null}'].toSorted(),
  ) // prettier-ignore
  for (const extension of ['ndjson', 'json']) {
    for (const name of ['visits', 'tags']) {
      await here.ok('export', name, `${name}.${extension}`)
      for (let i = 0; i < 2; i++) await here.ok('import', `${name}-${extension}`, `${name}.${extension}`, '--restart')
      expect(linesOf(await here.ok('export', `${name}-${extension}`))).toEqual(linesOf(await here.ok('export', name)))
    }
  }
  file('mixed.ndjson', '{"element":1}\n{"counter":1}\n{"key":"a","value":1}\n')
  expect(await here.json('import', 'mixed', 'mixed.ndjson', '--skip-bad', '2')).toMatchObject({
    written: 1,
    skipped: 2,
  })
  file('fraction.ndjson', '{"counter":1.5}\n')
  expect(await here.error('import', 'fraction', 'fraction.ndjson')).toMatchObject({ code: 'BAD_ROW' })
})

test('what an export cannot hold is an error that says what to do', async () => {
  await (await grid.doc('note')).flush()
  ;(await grid.doc('note')).y.getText('t').insert(0, 'hello')
  await known('documents')
  expect(await here.error('export', 'documents', 'documents.ndjson')).toMatchObject({
    code: 'COLLECTION_MISMATCH',
    message: "'documents' holds documents, and an export holds maps, counters and sets only",
    advice: expect.stringContaining('data directory') as string,
  })
  expect(() => text('documents.ndjson')).toThrow('ENOENT')
  await here.run(['import', 'three'], '{"element":1}\n')
  expect(await here.error('export', 'three', 'three.csv')).toMatchObject({ code: 'USAGE' })
  expect(await here.error('export', 'three', '--prefix', 'a')).toMatchObject({ code: 'USAGE' })
  expect(await here.error('get', 'three', 'a')).toMatchObject({
    code: 'COLLECTION_MISMATCH',
    message: "'three' is a set, not a map",
  })
})

test('of a map with fields its objects are counted', async () => {
  const people = grid.map<Record<string, number>>('people', { merge: 'fields' })
  for (let i = 0; i < 3; i++) await people.set(`p${i}`, { a: 1, b: 2, c: 3 })
  const listed = async (): Promise<string> => here.ok('collections')
  await until(async () => /people +3 /.test(await listed()), 'three objects')
  const { collections } = await here.json<{ collections: { name: string; entries: number; objects?: number }[] }>(
    'collections',
  )
  expect(collections.find(({ name }) => name === 'people')).toMatchObject({ objects: 3 })
  expect(collections.find(({ name }) => name === 'piped')).not.toHaveProperty('objects')
})
