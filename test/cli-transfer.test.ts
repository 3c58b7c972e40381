import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Doc, applyUpdate } from 'yjs'
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
  expect(stderr.split('\n').slice(3)).toEqual([
    expect.stringMatching(/^0 rows in .*, 0 a second; 3 bad rows skipped$/),
    'error: nothing is imported: all 3 rows are bad',
    'Compare the file with --format, --key-column and --types.',
    '',
  ])
  expect(code).toBe(1)
  const json = await here.run(['import', 'bad', 'bad.ndjson', '--skip-bad', '5', '--json'])
  expect(JSON.parse(json.stdout)).toMatchObject({ rows: 3, written: 0, skipped: 3 })
  expect(json.stderr).toContain('{"error":{"code":"BAD_ROW","message":"nothing is imported: all 3 rows are bad"')
  expect(json.code).toBe(1)
  expect(await here.error('get', 'bad', 'x')).toMatchObject({ code: 'NOT_FOUND' })
  file('one-good.ndjson', 'x\ny\n{"key":"z","value":1}\n')
  expect(await here.json('import', 'bad', 'one-good.ndjson', '--skip-bad', '5')).toMatchObject({
    written: 1,
    skipped: 2,
  })
})

test('what JSON would change is refused by line and column', async () => {
  for (const [value, reported] of [
    ['{"n":1e400}', "line 1, column 'value.n': the number 1e400 is larger than any that can be stored"],
    ['{"born":{"$date":"2026-02-30"}}', "line 1, column 'value.born': "],
  ] as const) {
    const { message } = await here.error('import', 'refused', file('refused.ndjson', `{"key":"a","value":${value}}\n`))
    expect(message).toContain(reported)
  }
  const { code, message } = await here.error(
    'import',
    'refused',
    file('broken.ndjson', '{"key":"a","value":1}\n{"key":b}\n'),
  )
  expect([code, message]).toEqual(['BAD_ROW', 'line 2: is no JSON at column 8: b is no value of JSON'])
  expect(await here.error('set', 'refused', 'a', '{"n":')).toMatchObject({
    code: 'USAGE',
    message: 'the value is no JSON at column 6: the text ends where a value should be',
  })
})

test('entries keep their time to live in every format, and those that have expired are left out', async () => {
  await here.ok('set', 'sessions', 's1', 'ada', '--ttl', '1h')
  await here.ok('set', 'sessions', 's2', 'bob')
  const { expiresAt } = await here.json<{ expiresAt: string }>('get', 'sessions', 's1')
  for (const extension of ['ndjson', 'json', 'csv']) {
    await here.ok('export', 'sessions', `sessions.${extension}`)
    await here.ok('import', `sessions-${extension}`, `sessions.${extension}`)
    const back = await here.json<{ expiresAt: string }>('get', `sessions-${extension}`, 's1')
    expect(back.expiresAt, extension).toBe(expiresAt)
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

test('an import of which the collection is dropped says so, and begins again', async () => {
  const lines = Array.from({ length: 200_000 }, (_, i) => `{"key":"k${i}","value":${i}}\n`)
  file('dropped.ndjson', lines.join(''))
  const end = here.run(['import', 'going', 'dropped.ndjson'])
  await until(() => grid.map('going').size >= 5000, 'some rows are acknowledged')
  await grid.dropCollection('going')
  const { code, stderr } = await end
  expect([code, stderr]).toEqual([1, expect.stringContaining("'going' was dropped")])
  const { stderr: notes } = await here.run(['import', 'going', 'dropped.ndjson'])
  expect(notes).toContain('beginning again')
  const { collections } = await here.json<{ collections: { name: string; entries: number }[] }>('collections')
  expect(collections.find(({ name }) => name === 'going')?.entries).toBe(200_000)
})

test('counters and sets are exported and imported, and importing again changes nothing', async () => {
  await grid.counter('visits').increment(45)
  await grid.counter('visits').decrement(3)
  const elements = ['red', 7, 7n, { a: new Uint8Array([1]) }, null, { end: 0 }]
  await grid.set('tags').addMany(elements)
  await until(async () => /42/.test((await here.run(['export', 'visits'])).stdout), 'the count has arrived')
  await until(async () => linesOf((await here.run(['export', 'tags'])).stdout).length === 6, 'the set has arrived')
  expect(await here.ok('export', 'visits')).toBe('{"counter":42}\n')
  expect(linesOf(await here.ok('export', 'tags'))).toEqual(
    ['{"element":"red"}', '{"element":7}', '{"element":{"$bigint":"7"}}', '{"element":{"a":{"$bytes":"AQ=="}}}', '{"element":null}', '{"element":{"end":0}}'].toSorted(),
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
    message: "'documents' holds documents, and they are exported one by one",
    advice: 'Name one with --document. There are: note. gossipgrid backup copies all of them, and everything else.',
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

test('one document is exported as a Yjs update or as its text', async () => {
  const document = await grid.doc('notes/today')
  document.y.getText('content').insert(0, 'Zoë has left')
  document.y.getMap('tags').set('mood', 'sad')
  await document.flush()
  const today = ['--document', 'notes/today']
  const shown = async (): Promise<string> => (await here.run(['export', 'documents', ...today])).stdout
  await until(async () => (await shown()) === 'Zoë has left', 'it has come')
  await here.ok('export', 'documents', 'today.md', ...today)
  expect(text('today.md')).toBe('Zoë has left')
  expect(await here.json('export', 'documents', 'today.yjs', ...today)).toMatchObject({
    document: 'notes/today',
    format: 'update',
    bytes: readFileSync(join(folder, 'today.yjs')).length,
  })
  const copy = new Doc()
  applyUpdate(copy, readFileSync(join(folder, 'today.yjs')))
  expect(copy.getText('content').toJSON()).toBe('Zoë has left')
  expect(copy.getMap('tags').toJSON()).toEqual({ mood: 'sad' })
  await here.shell('"$@" export documents --document notes/today --format update > piped.yjs')
  expect(readFileSync(join(folder, 'piped.yjs'))).toEqual(readFileSync(join(folder, 'today.yjs')))

  file('kept.txt', 'old')
  expect(await here.error('export', 'documents', 'kept.txt', '--document', 'none')).toMatchObject({
    code: 'NOT_FOUND',
    message: "no document 'none' is known to this peer",
    advice: 'There are: note, notes/today.',
  })
  expect(text('kept.txt')).toBe('old')
  expect(grid.docs()).toEqual(['note', 'notes/today'])
  expect(await here.error('export', 'three', 'x.txt', ...today)).toMatchObject({ code: 'NOT_FOUND' })
  for (const wrong of [['x.csv'], ['x.txt', '--format', 'csv'], ['x.txt', '--prefix', 'a']]) {
    expect(await here.error('export', 'documents', ...wrong, ...today), wrong.join(' ')).toMatchObject({
      code: 'USAGE',
    })
  }
  expect(await here.error('export', 'three', 'x.txt', '--format', 'text')).toMatchObject({ code: 'USAGE' })
})

test('the entries of a map with fields are its objects', async () => {
  const people = grid.map<Record<string, number>>('people', { merge: 'fields' })
  for (let i = 0; i < 11; i++) await people.set(`p${i}`, { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 })
  const listed = async (): Promise<string> => here.ok('collections')
  await until(async () => /people +11 /.test(await listed()), 'eleven entries')
  const { collections } = await here.json<{ collections: { name: string; entries: number; rows: number }[] }>(
    'collections',
  )
  expect(collections.find(({ name }) => name === 'people')).toMatchObject({ entries: 11, rows: 88 })
  const piped = collections.find(({ name }) => name === 'piped')!
  expect(piped.rows).toBe(piped.entries)
})
