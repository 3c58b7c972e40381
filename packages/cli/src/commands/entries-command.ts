import { Command, Option } from 'commander'
import { EXIT } from '../cli-error.ts'
import { ControlClient } from '../control/control-client.ts'
import { entryTexts } from '../formats/entry-texts.ts'
import type { EntrySource, TaggedEntry } from '../formats/entry-texts.ts'
import { inPieces } from '../control/ndjson.ts'
import { FORMATS } from '../formats/format.ts'
import type { Format } from '../formats/format.ts'
import { interruption, write } from '../terminal/output.ts'
import { visible, visibleJson } from '../terminal/visible.ts'
import { clientCommand, countParser, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

export interface EntriesOptions extends ClientOptions {
  readonly prefix?: string
  readonly limit?: number
  readonly format?: Format
  readonly keysOnly?: true
}

/** `gossipgrid entries`. */
export function entriesCommand(): Command {
  const command = new Command('entries')
    .description('Print the entries of a collection, in no particular order')
    .argument('<collection>', 'name of the collection')
    .option('--prefix <text>', 'only keys with this prefix')
    .addOption(new Option('--limit <count>', 'at most this many').argParser(countParser(1, Number.MAX_SAFE_INTEGER)))
    .addOption(new Option('--format <format>', 'as a file would be; --json is ndjson').choices(FORMATS))
    .option('--keys-only', 'without values')
    .action(runEntries)
  return examples(clientCommand(command), [
    ['gossipgrid entries users --limit 10', 'key, tab, value'],
    ['gossipgrid entries users --prefix a --json | jq .value.age', 'one JSON object a line'],
    ['gossipgrid entries users --keys-only | wc -l', 'count keys'],
    ['gossipgrid entries users --format csv', 'a table for a spreadsheet'],
  ])
}

/** Prints the entries of a collection. */
export async function runEntries(collection: string, options: EntriesOptions): Promise<void> {
  const signal = interruption()
  const client = await ControlClient.of(options)
  const { prefix, limit, keysOnly } = options
  const lines = (): AsyncIterable<string> =>
    client.lines('/v1/entries', { query: { collection, prefix, limit, keysOnly }, signal })
  const format = options.format ?? (options.json === true ? 'ndjson' : undefined)
  try {
    for await (const piece of inPieces(keysOnly === true ? keyTexts(lines(), format) : texts(lines, format))) {
      await write(piece)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    client.close()
  }
  if (signal.aborted) process.exitCode = EXIT.interrupted
}

async function* texts(
  lines: () => AsyncIterable<string>,
  format: Format | undefined,
): AsyncGenerator<string, void, undefined> {
  const entries: EntrySource = async function* () {
    for await (const line of lines()) yield JSON.parse(line) as TaggedEntry
  }
  if (format !== undefined) return yield* entryTexts(format, entries, undefined)
  for await (const [key, value] of entries()) yield `${visible(key)}\t${visibleJson(JSON.stringify(value))}\n`
}

async function* keyTexts(
  lines: AsyncIterable<string>,
  format: Format | undefined,
): AsyncGenerator<string, void, undefined> {
  if (format === 'csv') yield 'key\n'
  let before = '[\n'
  for await (const line of lines) {
    const key = JSON.parse(line) as string
    if (format === 'json') yield `${before}${visibleJson(line)}`
    else if (format === 'ndjson') yield `{"key":${visibleJson(line)}}\n`
    else if (format === 'csv') yield `${/["\n\r,]|^\s|\s$/.test(key) ? `"${key.replaceAll('"', '""')}"` : key}\n`
    else yield `${visible(key)}\n`
    before = ',\n'
  }
  if (format === 'json') yield before === '[\n' ? '[]\n' : '\n]\n'
}
