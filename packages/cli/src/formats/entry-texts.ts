import type { stringify } from 'csv-stringify/sync'
import { visibleJson } from '../terminal/visible.ts'
import { CsvColumns } from './csv/csv-columns.ts'
import type { Format } from './format.ts'

/** A call of the CSV library costs as much as some dozens of records. */
const CSV_RECORDS_AT_ONCE = 256

/** An entry as a peer sends it: key and tagged value, and when it expires, if it does (ISO 8601). */
export type TaggedEntry = readonly [key: string, value: unknown, expiresAt?: string]

/** Gives the entries from the beginning each time it is called. */
export type EntrySource = () => AsyncIterable<TaggedEntry>

/** Entries as the text of a file in one of the formats. CSV goes through the entries twice: first for its columns. */
export async function* entryTexts(
  format: Format,
  entries: EntrySource,
  keyColumn: string | undefined,
): AsyncGenerator<string, void, undefined> {
  if (format === 'csv') yield* csvTexts(entries, keyColumn ?? 'key')
  else yield* objectTexts(format, entryObjects(entries()))
}

/** Objects as lines, or as one array. */
export async function* objectTexts(
  format: Exclude<Format, 'csv'>,
  objects: AsyncIterable<object>,
): AsyncGenerator<string, void, undefined> {
  if (format === 'ndjson') {
    for await (const object of objects) yield `${visibleJson(JSON.stringify(object))}\n`
    return
  }
  let before = '[\n'
  for await (const object of objects) {
    yield before + visibleJson(JSON.stringify(object))
    before = ',\n'
  }
  yield before === '[\n' ? '[]\n' : '\n]\n'
}

async function* entryObjects(entries: AsyncIterable<TaggedEntry>): AsyncGenerator<object, void, undefined> {
  for await (const [key, value, expiresAt] of entries) {
    yield expiresAt === undefined ? { key, value } : { key, value, expiresAt }
  }
}

async function* csvTexts(entries: EntrySource, keyColumn: string): AsyncGenerator<string, void, undefined> {
  // The synchronous face of the library, some records at a time: its stream would be one more queue between two others.
  const sync = (await import('csv-stringify/sync')) as { stringify: typeof stringify }
  const text = (records: string[][]): string => sync.stringify(records, { quoted_match: /^\s|\s$|\r/ })
  const columns = new CsvColumns(keyColumn)
  for await (const [, value, expiresAt] of entries()) columns.see(value, expiresAt)
  let records = [columns.header]
  for await (const [key, value, expiresAt] of entries()) {
    records.push(columns.cells(key, value, expiresAt))
    if (records.length < CSV_RECORDS_AT_ONCE) continue
    yield text(records)
    records = []
  }
  if (records.length > 0) yield text(records)
}
