import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { CollectionStatus } from 'gossipgrid'
import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { clientCommand, examples } from '../commands/options.ts'
import type { ClientOptions } from '../commands/options.ts'
import type { CollectionsAnswer, DocumentsAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { documentsText } from '../control/document-answer.ts'
import { inPieces } from '../control/ndjson.ts'
import { writeTexts } from '../files/write-texts.ts'
import { entryTexts, objectTexts } from '../formats/entry-texts.ts'
import type { TaggedEntry } from '../formats/entry-texts.ts'
import { FORMATS, formatOf } from '../formats/format.ts'
import type { Format } from '../formats/format.ts'
import { interruption, note, printJson, write } from '../terminal/output.ts'
import { progressBar } from '../terminal/progress.ts'
import { bytesText, countOf, countText, durationText } from '../terminal/quantities.ts'
import { DOCUMENT_FORMATS, documentContent, documentFormatOf } from './document-export.ts'

interface ExportOptions extends ClientOptions {
  readonly format?: string
  readonly document?: string
  readonly prefix?: string
  readonly keyColumn?: string
}

/** `gossipgrid export`. */
export function exportCommand(): Command {
  const command = new Command('export')
    .description('Write the entries of a collection to a file or to stdout')
    .argument('<collection>', 'name of the collection')
    .argument('[file]', "the file to write, replaced when all is there; '-' or nothing: stdout")
    .addOption(
      new Option('--format <format>', 'default: by the extension, else ndjson; of a document, text').choices([
        ...FORMATS,
        ...DOCUMENT_FORMATS,
      ]),
    )
    .option('--prefix <text>', 'only keys with this prefix')
    .addOption(
      new Option('--document <name>', 'one document: all of it as a Yjs update, or its text').conflicts([
        'prefix',
        'keyColumn',
      ]),
    )
    .option('--key-column <name>', "CSV: how to call the column of the key; default 'key'")
    .action(runExport)
  return examples(clientCommand(command), [
    ['gossipgrid export users users.ndjson', 'one {"key":...,"value":...} a line'],
    ['gossipgrid export cities cities.csv --key-column id', 'one column a field'],
    ['gossipgrid export users | gzip > users.ndjson.gz', 'through a pipe'],
    ['gossipgrid export documents note.md --document notes/today', 'the text of a document'],
  ]).addHelpText(
    'after',
    '\nEntries that are exported come back exactly with `gossipgrid import`, in NDJSON, JSON and CSV. Documents: gossipgrid backup.',
  )
}

async function runExport(collection: string, file: string | undefined, options: ExportOptions): Promise<void> {
  if (options.document !== undefined) return exportDocument(collection, file, options.document, options)
  const startMs = performance.now()
  const client = await ControlClient.of(options)
  const signal = interruption()
  const progress = await progressBar('rows')
  let rows = 0
  try {
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
    const found = collectionIn(collections, collection)
    if (found?.kind === 'document') throw await documentsRefused(collection, client)
    const format = formatOf(file, entriesFormat(options.format))
    if (found !== undefined) checkExportable(found, format, options)
    const expected = options.prefix === undefined ? (found?.entries ?? 0) : 0
    async function* lines(path: string): AsyncGenerator<unknown, void, undefined> {
      rows = 0
      for await (const line of client.lines(path, { query: { collection, prefix: options.prefix }, signal })) {
        rows += 1
        if (rows % 1000 === 0) progress.show(rows, rows, expected)
        yield JSON.parse(line)
      }
      if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted')
    }
    const entries = (): AsyncIterable<TaggedEntry> => lines('/v1/entries') as AsyncIterable<TaggedEntry>
    async function* elements(): AsyncGenerator<object, void, undefined> {
      for await (const [element] of lines('/v1/elements') as AsyncIterable<[unknown]>) yield { element }
    }
    async function* counter(): AsyncGenerator<object, void, undefined> {
      const { value } = await client.call<{ value: number }>('/v1/counter', { query: { collection }, signal })
      rows = 1
      yield { counter: value }
    }
    const objects = found?.kind === 'set' ? elements : found?.kind === 'counter' ? counter : undefined
    const texts = inPieces(
      objects === undefined || format === 'csv'
        ? entryTexts(format, entries, options.keyColumn)
        : objectTexts(format, objects()),
    )
    if (toStdout(file)) for await (const text of texts) await write(text)
    else await writeTexts(file, texts, signal)
  } finally {
    progress.stop()
    client.close()
  }
  tellOutcome(rows, file, performance.now() - startMs, options)
}

/** Maps go before documents, of which one peer has a single table that may have the same name. */
function collectionIn(collections: readonly CollectionStatus[], name: string): CollectionStatus | undefined {
  const named = collections.filter((collection) => collection.name === name)
  return named.find(({ kind }) => kind !== 'document') ?? named[0]
}

/** One document, as a Yjs update or as text. */
async function exportDocument(
  collection: string,
  file: string | undefined,
  document: string,
  options: ExportOptions,
): Promise<void> {
  const startMs = performance.now()
  const format = documentFormatOf(file, options.format)
  if (format === 'update' && toStdout(file) && process.stdout.isTTY) {
    throw new CliError('USAGE', 'a Yjs update is not for a terminal', 'Name a file, or say --format text.')
  }
  const client = await ControlClient.of(options)
  const signal = interruption()
  let content: string | Uint8Array
  try {
    const { collections } = await client.call<CollectionsAnswer>('/v1/collections', { signal })
    if (!collections.some(({ name, kind }) => name === collection && kind === 'document')) {
      throw new CliError(
        'NOT_FOUND',
        `'${collection}' holds no documents`,
        'gossipgrid collections lists what there is.',
      )
    }
    content = await documentContent(client, document, format, signal)
  } catch (error) {
    if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted', '', { cause: error })
    throw error
  } finally {
    client.close()
  }
  if (toStdout(file)) await write(content)
  else await writeTexts(file, Readable.from([content]), signal)
  const tookMs = performance.now() - startMs
  const bytes = Buffer.byteLength(content)
  if (options.json === true) {
    const reported = { document, format, bytes, file: file ?? '-', tookMs: Math.round(tookMs) }
    if (toStdout(file)) note(JSON.stringify(reported))
    else printJson(reported)
  } else if (!toStdout(file)) note(`${bytesText(bytes)} in ${durationText(tookMs)}, in ${file}`)
}

async function documentsRefused(collection: string, client: ControlClient): Promise<CliError> {
  const { documents } = await client.call<DocumentsAnswer>('/v1/documents')
  return CliError.fromPeer(
    'COLLECTION_MISMATCH',
    `'${collection}' holds documents, and they are exported one by one`,
    `Name one with --document. ${documentsText(documents)} gossipgrid backup copies all of them, and everything else.`,
  )
}

/** Throws `USAGE` for a format of documents. */
function entriesFormat(format: string | undefined): Format | undefined {
  const found = FORMATS.find((each) => each === format)
  if (format === undefined || found !== undefined) return found
  throw new CliError('USAGE', `--format ${format} is for one document`, 'Name it with --document.')
}

/** Throws `USAGE` for what the options do not fit. */
function checkExportable({ name, kind }: CollectionStatus, format: Format, { prefix }: ExportOptions): void {
  if (kind !== 'set' && kind !== 'counter') return
  if (format === 'csv') {
    throw new CliError('USAGE', `'${name}' is a ${kind}, which CSV does not hold`, 'Export as NDJSON or JSON.')
  }
  if (prefix !== undefined)
    throw new CliError('USAGE', `'${name}' is a ${kind}, which has no keys`, 'Leave out --prefix.')
}

/** Its other names cannot all be opened: where stdout is a socket, the system refuses. */
function toStdout(file: string | undefined): file is '-' | undefined {
  return file === undefined || file === '-' || ['/dev/stdout', '/dev/fd/1'].includes(resolve(file))
}

function tellOutcome(rows: number, file: string | undefined, tookMs: number, options: ExportOptions): void {
  const rowsPerSecond = Math.round(rows / (tookMs / 1000))
  if (options.json === true) {
    const reported = { rows, file: file ?? '-', tookMs: Math.round(tookMs), rowsPerSecond }
    // On stdout are the rows, where they are written there.
    if (toStdout(file)) note(JSON.stringify(reported))
    else printJson(reported)
    return
  }
  if (toStdout(file)) return
  note(`${countOf(rows, 'row')} in ${durationText(tookMs)}, ${countText(rowsPerSecond)} a second, in ${file}`)
}
