import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CliError } from '../../cli-error.ts'
import { entryTexts } from '../entry-texts.ts'
import type { TaggedEntry } from '../entry-texts.ts'
import type { Row } from '../json/row.ts'
import { columnTypeText, columnTypes, parseTypes, typesOf } from './column-types.ts'
import type { ColumnType } from './column-types.ts'
import { csvRecords, csvRows } from './csv-rows.ts'

async function* chunksOf(text: string, sizeBytes = 7): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes)
}

async function read(csv: string, types = '', chunkBytes = 7): Promise<{ rows: Row[]; columns: ColumnType[] }> {
  const given = types === '' ? new Map() : parseTypes(types)
  const columns = await columnTypes(chunksOf(csv, chunkBytes), undefined, given)
  const rows: Row[] = []
  const shape = { keyColumn: undefined, types: typesOf(columns) }
  for await (const row of csvRows(chunksOf(csv, chunkBytes), shape)) rows.push(row)
  return { rows, columns }
}

async function exported(rows: readonly Row[]): Promise<string> {
  async function* entries(): AsyncGenerator<TaggedEntry, void, undefined> {
    for (const row of rows) {
      if (!('key' in row)) throw new Error(row.reason)
      yield [row.key, row.value]
    }
  }
  let text = ''
  for await (const part of entryTexts('csv', entries, undefined)) text += part
  return text
}

async function cellsOf(csv: string): Promise<Record<string, string>[]> {
  let header: readonly string[] | undefined
  const rows: Record<string, string>[] = []
  for await (const { cells } of csvRecords(chunksOf(csv))) {
    if (header === undefined) header = cells
    // An empty cell is a field left out, and a column of them none.
    else
      rows.push(
        Object.fromEntries(header.map((name, i) => [name, cells[i]!] as const).filter(([, cell]) => cell !== '')),
      )
  }
  return rows
}

const values = (rows: readonly Row[]): unknown[] => rows.map((row) => ('key' in row ? row.value : row.reason))

test('a column has one type, which all of its cells decide', async () => {
  const csv = 'key,balance,age,active,zip,mixed,none\na,20.30,36,true,1000,1,\nb,-20.32,-1.5,false,0200,null,\n'
  const { rows, columns } = await read(csv)
  expect(values(rows)).toEqual([
    { balance: '20.30', age: 36, active: true, zip: '1000', mixed: 1 },
    { balance: '-20.32', age: -1.5, active: false, zip: '0200', mixed: null },
  ])
  expect(columns.map(columnTypeText)).toEqual([
    "column 'balance': text, since line 2 has '20.30'",
    "column 'age': number",
    "column 'active': boolean",
    "column 'zip': text, since line 3 has '0200'",
    "column 'mixed': json",
    "column 'none': text, and all cells are empty, so it is left out",
  ])
})

test('what is imported and exported again has every cell, byte for byte', async () => {
  const hard = [
    '007', '1.10', '20.30', '36', '-0', '1e5', '12345678901234567890', 'true', 'True', 'null', 'NaN', ' 1', '1 ', ' ', '"', '""', '"a"',
    '"36"', '"\\"36\\""', '""a""', '{"a":1}', '{"a": 1}', '{"$date":"2026-01-31"}', '{"$date":"2026-01-31T00:00:00.000Z"}', '{"$bytes":"AAEC"}',
    '{"$bigint":"007"}', '[1]', '[1,]', '{', ',', '\n', '\r', '\r\n', 'x\ny', '\t', 'é𝄞', '\ufeff', '0x10', '+1', '.5', '1.', '$value', '',
  ] // prettier-ignore
  const cell = fc.oneof(
    fc.constantFrom(...hard),
    fc.string({ unit: fc.constantFrom('"', '\\', '1', '.', '[', ']', ' ') }),
  )
  // Columns of one kind, which whole files of other programs are made of, and mixed ones.
  const column = fc.oneof(
    fc.array(cell, { minLength: 3, maxLength: 3 }),
    cell.map((one) => [one, one, '']),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(column, { minLength: 1, maxLength: 4 }), async (columns) => {
      const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
      const lines = [0, 1, 2].map((i) => [`k${i}`, ...columns.map((cells) => cells[i]!)].map(quoted).join(','))
      const csv = `key,${columns.map((_, i) => `$f ${i}`).join(',')}\n${lines.join('\n')}\n`
      expect(await cellsOf(await exported((await read(csv)).rows))).toEqual(await cellsOf(csv))
    }),
    { numRuns: 500 },
  )
})

test('lines may end in any way, also each in another, and no cell gets a part of the end', async () => {
  const ends = ['\n', '\r\n', '\r']
  for (const first of ends) {
    for (const second of ends) {
      for (const third of ends) {
        for (const chunkBytes of [1, 2, 3, 100]) {
          const { rows } = await read(`key,age${first}a,36${second}${second}"b","37"${third}`, '', chunkBytes)
          expect(rows).toMatchObject([
            { key: 'a', value: { age: 36 }, line: 2 },
            { key: 'b', value: { age: 37 }, line: 4 },
          ])
        }
      }
    }
  }
})

test('an error names the line in which its row begins, whatever line ends its cells have', async () => {
  const { rows } = await read('key,text\r\n"a","1\r\n2\n3"\r\n\r\n,"no\nkey"\r\nc,x\r\n')
  expect(rows.map(({ line }) => line)).toEqual([2, 6, 8])
})

test('an error of quotes names the line in which the quote opened', async () => {
  for (const [csv, reported] of [
    ['key,name\na,"x"y\nb,z\n', 'line 2: a quote opens here, and after its end comes more text'],
    ['key,name\na,x"y"\nb,z\n', 'line 2: a quote stands inside of a cell that does not begin with one'],
    [
      'key,name\na,ok\nb,"open\nc,"fine"\nd,z\n',
      'line 3: a quote opens here, and after its end in line 4 comes more text',
    ],
    ['key,name\r\na,ok\r\nb,"open\r\nc,z\r\nd,z\r\n', 'line 3: a quote opens here, and is not closed'],
    ['\ufeff"key",name\na,ok\n"b""""\n,z\n', 'line 3: a quote opens here, and is not closed'],
    ['\ufeff"key,name\na,ok\n', 'line 1: a quote opens here, and is not closed'],
  ] as const) {
    for (const chunkBytes of [1, 7, 100]) await expect(read(csv, '', chunkBytes)).rejects.toThrow(reported)
  }
})

test('types can be given, and a cell that does not fit is a bad row with its column', async () => {
  const csv = 'key,balance,name,active,since,any\na,20.30,7,true,2026-01-31,"{ ""a"": 1 }"\n'
  const { rows, columns } = await read(csv, 'balance=number,name=text,active=boolean,since=date,any=json')
  expect(values(rows)).toEqual([
    { balance: 20.3, name: '7', active: true, since: { $date: '2026-01-31T00:00:00.000Z' }, any: { a: 1 } },
  ])
  expect(columns[0]).toEqual({ column: 'balance', type: 'number', reason: 'as --types says' })
  for (const [cell, type, reason] of [
    ['x', 'number', "'x' is no number"],
    ['0x10', 'number', 'is no number'],
    ['1e400', 'number', 'larger than any'],
    ['12345678901234567890', 'number', 'would lose digits'],
    ['yes', 'boolean', "'yes' is neither true nor false"],
    ['2026-02-30', 'date', "'2026-02-30' is no date"],
    ['2026-01-31T12:00', 'date', 'is no date'],
    ['1', 'date', 'is no date'],
    ['{', 'json', 'JSON'],
    ['{"$number":"x"}', 'json', 'is no tagged value'],
  ] as const) {
    const bad = await read(`key,c\na,1\nb,"${cell.replaceAll('"', '""')}"\n`, `*=${type}`)
    expect(bad.rows[1], cell).toEqual({ line: 3, column: 'c', reason: expect.stringContaining(reason) as string })
  }
})

test('a malformed tag is a bad row, not a text', async () => {
  const { rows } = await read('key,t\na,"{""$date"":""tomorrow 5""}"\n')
  expect(rows).toEqual([{ line: 2, column: 't', reason: expect.stringContaining('is no tagged value') as string }])
})

test('types that cannot be are refused', async () => {
  for (const wrong of ['age', '=text', 'age=int', 'age=text,age=number', '']) {
    expect(() => parseTypes(wrong), wrong).toThrow(CliError)
  }
  expect(parseTypes('b=text', parseTypes('a=b=number'))).toEqual(new Map([['a=b', 'number'], ['b', 'text']])) // prettier-ignore
  await expect(read('key,age\na,1\n', 'aeg=number')).rejects.toThrow("--types names 'aeg', which is no column")
  await expect(read('key,age\na,1\n', 'key=number')).rejects.toThrow("--types names 'key', which is no column")
})

test('where all columns are given, only the header is looked at', async () => {
  let chunks = 0
  async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.from('key,age\n')
    for (; chunks < 10_000; chunks++) yield Buffer.from(`${chunks},1\n`.repeat(1000))
  }
  expect(await columnTypes(endless(), undefined, new Map([['*', 'number']]))).toMatchObject([{ type: 'number' }])
  expect(chunks).toBeLessThan(1000)
})
