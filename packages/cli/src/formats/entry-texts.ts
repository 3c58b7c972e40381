import type { stringify } from 'csv-stringify/sync'
import { CsvColumns } from './csv-columns.ts'
import type { Format } from './format.ts'

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
  // The synchronous face of the library, a record at a time: its stream would be one more queue between two others.
  const sync = (await import('csv-stringify/sync')) as { stringify: typeof stringify }
  const record = (cells: readonly string[]): string => sync.stringify([[...cells]], { quoted_match: /^\s|\s$/ })
  const columns = new CsvColumns(keyColumn)
  for await (const [, value] of entries()) columns.see(value)
  yield record(columns.header)
  for await (const [key, value] of entries()) yield record(columns.cells(key, value))
}

function entryJson(key: string, value: unknown): string {
  return JSON.stringify({ key, value })
}
