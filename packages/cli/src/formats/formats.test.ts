import fc from 'fast-check'
import { hardTexts } from '@gossipgrid/testing/hard-texts'
import { expect, test } from 'vitest'
import { columnTypes, typesOf } from './csv/column-types.ts'
import { entryTexts } from './entry-texts.ts'
import type { TaggedEntry } from './entry-texts.ts'
import { FORMATS, formatOf } from './format.ts'
import type { Format } from './format.ts'
import { ROW_MAX_BYTES } from './json/row.ts'
import type { Row, RowShape } from './json/row.ts'
import { rowsOf } from './rows.ts'
import { fromTagged, toTagged } from './json/tagged-json.ts'

const SHAPE: RowShape = { keyColumn: undefined }

async function* chunksOf(text: string | Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes)
}

async function read(
  format: Format,
  text: string | Uint8Array,
  shape: RowShape = SHAPE,
  chunkBytes = 7,
): Promise<Row[]> {
  const types = format === 'csv' && shape.types === undefined ? await typesIn(text, shape.keyColumn, chunkBytes) : {}
  const rows: Row[] = []
  for await (const row of rowsOf(format, chunksOf(text, chunkBytes), { ...types, ...shape })) rows.push(row)
  return rows
}

async function typesIn(
  text: string | Uint8Array,
  keyColumn: string | undefined,
  chunkBytes: number,
): Promise<Pick<RowShape, 'types'>> {
  return { types: typesOf(await columnTypes(chunksOf(text, chunkBytes), keyColumn, new Map())) }
}

async function textOf(format: Format, entries: readonly TaggedEntry[], keyColumn?: string): Promise<string> {
  async function* source(): AsyncGenerator<TaggedEntry, void, undefined> {
    yield* entries
  }
  let text = ''
  for await (const part of entryTexts(format, source, keyColumn)) text += part
  return text
}

/** What some readers take for the end of a line, and what others drop. */
const SEPARATORS = ['\u2028', '\u2029', '\u0085', '\r', '\v', '\f', '\u001e', '\u0000', '\ufeff']

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', 'é', '𝄞', '"', ',', '\n', ...SEPARATORS) }),
  fc.constantFrom(...hardTexts([3, 64, 65, 200]).map((hard) => hard.text)),
)
const key = text.filter((name) => name !== '')
const field = fc
  .oneof(text, fc.constantFrom('age', 'name', '$value', '$bytes', ''))
  .filter((name) => name !== '__proto__')
const scalar = fc.oneof(
  text,
  fc.constantFrom('', '007', '1.10', '36', 'true', 'null', '{', '"', '[1]', ' a ', 'a,b', 'x\ny', '\r\n', '1e5', '-0'),
  fc.integer(),
  fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 5 }),
  fc.date({ noInvalidDate: true }),
  fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }),
)
const value = fc.oneof(
  scalar.filter((inside) => inside !== undefined),
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(field, fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), { maxKeys: 4, noNullPrototype: true }),
)

for (const format of FORMATS) {
  test(`when an entry expires is written as ${format} and read back`, async () => {
    const expiresAt = '2030-01-31T12:00:00.123Z'
    const entries: TaggedEntry[] = [
      ['a', 1, expiresAt],
      ['b', { n: 2 }],
      ['c', { n: 3 }, expiresAt],
    ]
    const rows = await read(format, await textOf(format, entries))
    expect(rows).toMatchObject([
      { key: 'a', value: 1, expiresAtMs: Date.parse(expiresAt) },
      { key: 'b', value: { n: 2 } },
      { key: 'c', value: { n: 3 }, expiresAtMs: Date.parse(expiresAt) },
    ])
    expect(rows[1]).not.toHaveProperty('expiresAtMs')
  })

  test(`what is written as ${format} is read back exactly`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), async (entries) => {
        const tagged = entries.map(([name, content]): TaggedEntry => [name, toTagged(content)])
        const written = await textOf(format, tagged, '\u0000key')
        const rows = await read(format, written, format === 'csv' ? { ...SHAPE, keyColumn: '\u0000key' } : SHAPE)
        const back = rows.map((row) => {
          if (!('key' in row)) throw new Error(`${row.line} ${row.column} ${row.reason}`)
          return [row.key, fromTagged(structuredClone(row.value))]
        })
        expect(back).toStrictEqual(entries)
      }),
      { numRuns: 300 },
    )
  })
}

test('bytes that are no UTF-8 are never quietly changed, and so never make two keys one', async () => {
  const [quoted, cell] = [Buffer.from([0x22, 0x61, 0xff, 0x22]), Buffer.from([0x61, 0xff])]
  await expect(read('csv', Buffer.concat([Buffer.from('key,name\n'), cell, Buffer.from(',x\n')]))).rejects.toThrow(
    'UTF-8',
  )
  await expect(read('csv', Buffer.concat([Buffer.from('key,name\na,'), cell]))).rejects.toThrow('UTF-8')
  await expect(read('csv', Buffer.from('key,name\na,\u20ac').subarray(0, -1))).rejects.toThrow('UTF-8')
  const object = Buffer.concat([Buffer.from('{"key":'), quoted, Buffer.from(',"value":1}')])
  expect(await read('ndjson', object)).toMatchObject([{ line: 1, reason: 'is not UTF-8' }])
  expect(await read('json', Buffer.concat([Buffer.from('['), object, Buffer.from(']')]))).toMatchObject([
    { line: 1, reason: 'is not UTF-8' },
  ])
})

test('a byte order mark at the start of a file is no part of it, and one anywhere else is', async () => {
  expect(await read('csv', '\ufeffkey,\ufeffname\n\ufeffa,\ufeffb\n')).toMatchObject([
    { key: '\ufeffa', value: { '\ufeffname': '\ufeffb' } },
  ])
  const object = '{"key":"\ufeffa","value":{"\ufeffname":"\ufeffb"}}'
  for (const text of [`\ufeff${object}\n`, `\ufeff[${object}]`]) {
    expect(await read(text.includes('[') ? 'json' : 'ndjson', text)).toMatchObject([
      { key: '\ufeffa', value: { '\ufeffname': '\ufeffb' } },
    ])
  }
})

test('a bad row says in which line, in which column, and why', async () => {
  expect(await read('ndjson', '{"key":"a","value":1}\n\n{"key":"b"}\n{"key":7,"value":1}\nnonsense\n')).toMatchObject([
    { key: 'a', value: 1, line: 1 },
    { line: 3, column: 'value', reason: 'is missing' },
    { key: '7', line: 4 },
    { line: 5, reason: expect.stringContaining('JSON') as string },
  ])
  expect(await read('json', '[\n{"key":"a","value":[1,"]"]},\n,{"key":"c","value":1}]')).toMatchObject([
    { key: 'a', line: 2 },
    { line: 3, reason: 'an element is missing between two commas' },
    { key: 'c', line: 3 },
  ])
  expect(await read('csv', 'key,age\nada,36\n,1\nbob\n')).toMatchObject([
    { key: 'ada', value: { age: 36 }, line: 2 },
    { line: 3, column: 'key', reason: 'is empty, and it is the key' },
    { line: 4, reason: 'has 1 cells, and the header has 2' },
  ])
  expect(await read('ndjson', Buffer.from([0x22, 0xff, 0x22]))).toMatchObject([{ line: 1, reason: 'is not UTF-8' }])
})

test('a row that is no JSON says in which line and column, in the same words everywhere', async () => {
  const ndjson = '\ufeff{"key":"a","value":1}\r\n  {"key":"é😀", value:1}\n{"key":"b"\nhello\n{"key":"c","value":[1,]}'
  expect(await read('ndjson', ndjson, SHAPE, 3)).toEqual([
    expect.objectContaining({ key: 'a', line: 1 }),
    {
      line: 2,
      column: '',
      reason: 'is no JSON at column 16: the name of a field in double quotes should be here, not v',
    },
    { line: 3, column: '', reason: 'is no JSON at column 11: the text ends where a comma or } should be' },
    { line: 4, column: '', reason: 'is no JSON at column 1: hello is no value of JSON' },
    { line: 5, column: '', reason: 'is no JSON at column 23: a value should be here, not ]' },
  ])
  const json = '\ufeff[{"key":"é😀","value":01},{"key":x},\n\n {"key":"b",\n  \'value\':1}, {"key":y}]'
  expect(await read('json', json, SHAPE, 3)).toEqual([
    { line: 1, column: '', reason: 'is no JSON at column 23: a comma or } should be here, not 1' },
    { line: 1, column: '', reason: 'is no JSON at column 33: x is no value of JSON' },
    {
      line: 4,
      column: '',
      reason:
        "is no JSON at column 3: the name of a field in double quotes should be here, not ': texts have double quotes",
    },
    { line: 4, column: '', reason: 'is no JSON at column 22: y is no value of JSON' },
  ])
  const csv = 'key,n\na,"{""b"":}"\n'
  expect(await read('csv', csv, { keyColumn: undefined, types: new Map([['n', 'json']]) })).toMatchObject([
    { line: 2, column: 'n', reason: 'is no JSON at column 6: a value should be here, not }' },
  ])
})

test('only a line feed ends a row, however the bytes are cut', async () => {
  for (const format of FORMATS) {
    const texts = SEPARATORS.map((separator) => `one${separator}two é𝄞`)
    const entries = texts.map((value): TaggedEntry => [`${value} key`, { field: value }])
    const written = await textOf(format, entries)
    for (const chunkBytes of [1, 2, 3, 5, 64 * 1024]) {
      const rows = await read(format, written, SHAPE, chunkBytes)
      expect(rows.map((row) => 'key' in row && [row.key, row.value])).toEqual(entries)
    }
  }
  // As others write it: not escaped, with "\r\n", and without an end of the last line.
  const raw = '\ufeff{"key":"a","value":"x\u2028y"}\r\n{"key":"b\u0085","value":"\u2029"}'
  expect(await read('ndjson', raw, SHAPE, 1)).toMatchObject([
    { key: 'a', value: 'x\u2028y', line: 1 },
    { key: 'b\u0085', value: '\u2029', line: 2 },
  ])
  expect(await read('csv', '\ufeffkey,n\u2028\r\na,x\u2028y\r\nb,\u0085', SHAPE, 1)).toMatchObject([
    { key: 'a', value: { 'n\u2028': 'x\u2028y' }, line: 2 },
    { key: 'b', value: { 'n\u2028': '\u0085' }, line: 3 },
  ])
})

test('a line of NDJSON that is too long is one bad row, and the rows after it are read', async () => {
  const long = `{"key":"b","value":"${'x'.repeat(ROW_MAX_BYTES)}"}`
  const rows = await read('ndjson', `{"key":"a","value":1}\n${long}\n{"key":"c","value":2}`, SHAPE, 100_000)
  expect(rows).toMatchObject([
    { key: 'a', line: 1 },
    { line: 2, reason: `is longer than ${ROW_MAX_BYTES} bytes` },
    { key: 'c', line: 3 },
  ])
})

test('a row with NUL bytes in place of text, as a crash can leave it, is a bad row', async () => {
  expect(await read('ndjson', '{"key":"a","value":1}\n\0\0\0\0\n{"key":"b","value":2}\n')).toMatchObject([
    { key: 'a' },
    { line: 2, reason: expect.stringContaining('JSON') as string },
    { key: 'b', line: 3 },
  ])
})

test('CSV that is not UTF-8 is refused instead of changed', async () => {
  const latin = Buffer.from('key,name\na,Ann\nb,J\xfcrgen\n', 'latin1')
  for (const chunkBytes of [1, 7, 1000]) {
    await expect(read('csv', latin, SHAPE, chunkBytes)).rejects.toMatchObject({ code: 'BAD_ROW' })
    await expect(read('csv', latin, SHAPE, chunkBytes)).rejects.toThrow('the file is not UTF-8')
    await expect(read('csv', Buffer.from([...Buffer.from('key,name\na,'), 0xc3]), SHAPE, chunkBytes)).rejects.toThrow(
      'line 2',
    )
  }
  const utf16 = Buffer.from('\ufeffkey,name\nb,J\xfcrgen\n', 'utf16le')
  expect(await read('csv', utf16)).toMatchObject([{ key: 'b', value: { name: 'Jürgen' } }])
})

test('any column can be the key', async () => {
  const csv = '\ufeffid,name,zip\n7,"Ada, L.",1000\n'
  const id = { keyColumn: 'id' }
  expect(await read('csv', csv, id)).toMatchObject([{ key: '7', value: { name: 'Ada, L.', zip: 1000 } }])
  expect(await read('csv', csv, { ...id, types: new Map() })).toMatchObject([
    { value: { name: 'Ada, L.', zip: '1000' } },
  ])
  expect(await read('ndjson', '{"id":7,"name":"Ada"}', id)).toMatchObject([{ key: '7', value: { name: 'Ada' } }])
  await expect(read('csv', csv)).rejects.toThrow("the header has no column 'key'; it has: id, name, zip")
})

test('what JSON would change is refused with the way to it', async () => {
  for (const [written, column, reason] of [
    ['{"key":"a","value":{"n":[1,1e400]}}', 'value.n.1', '1e400 is larger than any'],
    ['{"key":"a","value":12345678901234567890}', 'value', 'would lose digits'],
    ['{"key":"a","value":12345678901234.567}', 'value', 'would lose digits'],
    ['{"key":"a","value":1e-400}', 'value', 'would lose digits'],
    ['{"key":"a","value":{"$number":"__proto__"}}', 'value', 'is no tagged value'],
    ['{"key":"a","value":{"born":{"$date":"2026-02-30"}}}', 'value.born', 'is no tagged value'],
    ['{"key":"a","value":1,"expiresAt":"soon"}', 'expiresAt', 'is no time'],
  ] as const) {
    const bad = [{ line: 1, column, reason: expect.stringContaining(reason) as string }]
    expect(await read('ndjson', written), written).toMatchObject(bad)
    expect(await read('json', `[${written}]`), written).toMatchObject(bad)
  }
  const id = { keyColumn: 'id' }
  expect(await read('ndjson', '{"id":"a","t":{"$date":"1"}}', id)).toMatchObject([{ line: 1, column: 't' }])
})

test('a JSON file that is no whole array is refused', async () => {
  expect(await read('json', ' [ ] ')).toEqual([])
  await expect(read('json', '{"key":1}')).rejects.toThrow('no JSON array')
  await expect(read('json', '[{"key":"a","value":1}')).rejects.toThrow('before the array does')
  await expect(read('json', '[] x')).rejects.toThrow('follows the end')
})

test('the format follows the name of the file', () => {
  expect([formatOf('a.JSONL', undefined), formatOf('a.csv', undefined), formatOf('-', undefined)]).toEqual([
    'ndjson',
    'csv',
    'ndjson',
  ])
  expect(formatOf('a.txt', 'json')).toBe('json')
  expect(() => formatOf('a.txt', undefined)).toThrow('does not tell its format')
})
