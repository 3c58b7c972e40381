import type { stringify } from 'csv-stringify/sync'
import { visibleJson } from '../terminal/visible.ts'
import { CsvColumns } from './csv-columns.ts'
import type { Format } from './format.ts'

/** A call of the CSV library costs as much as some dozens of records. */
const CSV_RECORDS_AT_ONCE = 256

/** An entry as a peer sends it: key and tagged value. */
export type TaggedEntry = readonly [key: string, value: unknown]

/** Gives the entries from the beginning each time it is called. */
export type EntrySource = () => AsyncIterable<TaggedEntry>

/** Entries as the text of a file in one of the formats. CSV goes through the entries twice: first for its columns. */
export async function* entryTexts(
  format: Format,
  entries: EntrySource,
  keyColumn: string | undefined,
): AsyncGenerator<string, void, undefined> {
  switch (format) {
    case 'ndjson':
      for await (const [key, value] of entries()) yield `${entryJson(key, value)}\n`
      break
    case 'json':
      yield* jsonTexts(entries)
      break
    case 'csv':
      yield* csvTexts(entries, keyColumn ?? 'key')
      break
  }
}

async function* jsonTexts(entries: EntrySource): AsyncGenerator<string, void, undefined> {
  let before = '[\n'
  for await (const [key, value] of entries()) {
    yield before + entryJson(key, value)
    before = ',\n'
  }
  yield before === '[\n' ? '[]\n' : '\n]\n'
}

async function* csvTexts(entries: EntrySource, keyColumn: string): AsyncGenerator<string, void, undefined> {
  // The synchronous face of the library, some records at a time: its stream would be one more queue between two others.
  const sync = (await import('csv-stringify/sync')) as { stringify: typeof stringify }
  const text = (records: string[][]): string => sync.stringify(records, { quoted_match: /^\s|\s$/ })
  const columns = new CsvColumns(keyColumn)
  for await (const [, value] of entries()) columns.see(value)
  let records = [columns.header]
  for await (const [key, value] of entries()) {
    records.push(columns.cells(key, value))
    if (records.length < CSV_RECORDS_AT_ONCE) continue
    yield text(records)
    records = []
  }
  if (records.length > 0) yield text(records)
}

function entryJson(key: string, value: unknown): string {
  return visibleJson(JSON.stringify({ key, value }))
}
