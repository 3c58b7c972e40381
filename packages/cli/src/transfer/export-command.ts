import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { Command, Option } from 'commander'
import { CliError, errorText } from '../cli-error.ts'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { CollectionsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { inPieces } from '../control/ndjson.ts'
import { entryTexts } from '../formats/entry-texts.ts'
import type { TaggedEntry } from '../formats/entry-texts.ts'
import { FORMATS, formatOf } from '../formats/format.ts'
import type { Format } from '../formats/format.ts'
import { interruption, note, print, write } from '../terminal/output.ts'
import { progressBar } from '../terminal/progress.ts'
import { countOf, countText, durationText } from '../terminal/quantities.ts'

interface ExportOptions extends ClientOptions {
  readonly format?: Format
  readonly prefix?: string
  readonly keyColumn?: string
}

/** `gossipgrid export`. */
export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write the entries of a collection to a file or to stdout')
    .argument('<collection>', 'name of the collection')
    .argument('[file]', "the file to write, replaced when all is there; '-' or nothing writes to stdout")
    .addOption(new Option('--format <format>', 'default: by the extension, else ndjson').choices(FORMATS))
    .option('--prefix <text>', 'only keys that start so')
    .option('--key-column <name>', "CSV: how to call the column of the key; default 'key'")
    .action(runExport)
  return examples(clientCommand(command), [
    ['gossipgrid export users users.ndjson', 'one {"key":...,"value":...} a line'],
    ['gossipgrid export cities cities.csv --key-column id', 'one column a field'],
    ['gossipgrid export users | gzip > users.ndjson.gz', 'through a pipe'],
  ]).addHelpText('after', '\nWhat is exported comes back exactly with `gossipgrid import`, in all three formats.')
}

async function runExport(collection: string, file: string | undefined, options: ExportOptions): Promise<void> {
  const startMs = performance.now()
  const format = formatOf(file, options.format)
  const client = await ControlClient.of(options)
  const signal = interruption()
  const progress = await progressBar('rows')
  let rows = 0
  try {
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
    const expected =
      options.prefix === undefined ? (collections.find(({ name }) => name === collection)?.entries ?? 0) : 0
    async function* entries(): AsyncGenerator<TaggedEntry, void, undefined> {
      rows = 0
      for await (const line of client.lines('/v1/entries', { query: { collection, prefix: options.prefix }, signal })) {
        rows += 1
        if (rows % 1000 === 0) progress.show(rows, rows, expected)
        yield JSON.parse(line) as TaggedEntry
      }
      if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted; nothing was written to the file')
    }
    const texts = inPieces(entryTexts(format, entries, options.keyColumn))
    if (file === undefined || file === '-') for await (const text of texts) await write(text)
    else await writeFile(file, texts)
  } finally {
    progress.stop()
    client.close()
  }
  tellOutcome(rows, file, performance.now() - startMs, options)
}

function tellOutcome(rows: number, file: string | undefined, tookMs: number, options: ExportOptions): void {
  const rowsPerSecond = Math.round(rows / (tookMs / 1000))
  if (options.json === true) {
    const told = JSON.stringify({ rows, file: file ?? '-', tookMs: Math.round(tookMs), rowsPerSecond })
    // On stdout are the rows, where they are written there.
    if (file === undefined || file === '-') note(told)
    else print(told)
    return
  }
  if (file === undefined || file === '-') return
  note(`${countOf(rows, 'row')} in ${durationText(tookMs)}, ${countText(rowsPerSecond)} a second, in ${file}`)
}

/** Writes beside the file and renames at the end: whoever finds the file finds all of it. */
async function writeFile(file: string, texts: AsyncIterable<string>): Promise<void> {
  const part = `${file}.part`
  const stream = createWriteStream(part, { flush: true })
  const failed = new Promise<never>((_, reject) => stream.once('error', reject))
  failed.catch(() => undefined)
  try {
    for await (const text of texts) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failed])
    }
    stream.end()
    await Promise.race([once(stream, 'close'), failed])
    await rename(part, file)
  } catch (error) {
    stream.destroy()
    await rm(part, { force: true })
    if (error instanceof CliError) throw error
    throw new CliError('FILE', `${file} cannot be written: ${errorText(error)}`, 'Check the directory and its space.', {
      cause: error,
    })
  }
}
