import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { CliError, errorText } from '../cli-error.ts'
import { clientCommand, countParser, examples, shapeCommand, shapeQuery } from '../commands/options.ts'
import type { ClientOptions, ShapeOptions } from '../commands/options.ts'
import type { PeerStatus } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { OTHER_COLUMNS, columnTypeText, columnTypes, parseTypes, typesOf } from '../formats/csv/column-types.ts'
import type { ColumnType } from '../formats/csv/column-types.ts'
import { FORMATS, formatOf } from '../formats/format.ts'
import type { Format } from '../formats/format.ts'
import type { CellType } from '../formats/json/row.ts'
import { rowsOf } from '../formats/rows.ts'
import { interruption, note, printJson } from '../terminal/output.ts'
import { progressBar } from '../terminal/progress.ts'
import { countOf, countText, durationText } from '../terminal/quantities.ts'
import { Importer, badRowText } from './importer.ts'
import { Journal, journalPath } from './journal.ts'
import type { ImportState } from './journal.ts'
import { sourceOf } from './source.ts'
import type { Source } from './source.ts'

/** So many bad rows are shown one by one. */
const BAD_ROWS_SHOWN_MAX = 20
/** The types of so many columns are shown one by one. With --json the result has all of them. */
const COLUMNS_SHOWN_MAX = 100

interface ImportOptions extends ClientOptions, ShapeOptions {
  readonly format?: Format
  readonly keyColumn?: string
  readonly strings?: true
  readonly types?: ReadonlyMap<string, CellType>
  readonly skipBad: number
  readonly resume?: string
  readonly restart?: true
}

/** `gossipgrid import`. */
export function importCommand(): Command {
  const command = new Command('import')
    .description('Write the rows of a file or of stdin into a collection')
    .argument('<collection>', 'name of the collection; created if it does not exist')
    .argument('[file]', "the file to read; '-' or nothing reads stdin")
    .addOption(new Option('--format <format>', 'default: by the extension, else ndjson').choices(FORMATS))
    .option('--key-column <name>', "the column or field with the key; the others become the value (CSV: 'key')")
    .addOption(
      new Option('--types <types>', 'CSV: how columns are read, as in age=number,name=text; *=text: all others')
        .argParser(parseTypes)
        .conflicts('strings'),
    )
    .option('--strings', 'CSV: take every cell as text, as --types *=text does')
    .addOption(
      new Option('--skip-bad <count>', 'skip up to this many bad rows')
        .argParser(countParser(0, 1_000_000_000))
        .default(0),
    )
    .option('--resume <file>', 'the journal to go on from; default one beside the file, none for stdin')
    .option('--restart', 'begin again, whatever the journal says')
    .action(runImport)
  return examples(clientCommand(shapeCommand(command)), [
    ['gossipgrid import users users.ndjson', 'lines of {"key":...,"value":...}'],
    ['gossipgrid import cities cities.csv --key-column id --skip-bad 100', 'one object a row'],
    ['gossipgrid import people people.csv --types balance=number,since=date', 'the other columns as they are written'],
    ['gossipgrid import carts carts.ndjson --partitioned', 'into a new map that is spread over the peers'],
    ['zcat big.ndjson.gz | gossipgrid import big --resume big.journal', 'from stdin'],
  ]).addHelpText(
    'after',
    `
Rows are acknowledged when they are on the peer's disk. An import that was stopped or killed goes on where it was when the
same command runs again. In CSV, a column is read as number, boolean or json if every cell of it is written exactly as an
export writes one, and else as text; so 20.30 and 007 keep their zeros. What was found is shown before the first row is
written. --types says it instead: text, number, boolean, date or json. An empty cell leaves its field out. CSV from a stream
without --types or --strings is kept in memory for that, up to 16 MiB.`,
  )
}

async function runImport(collection: string, file: string | undefined, options: ImportOptions): Promise<void> {
  const startMs = performance.now()
  const format = formatOf(file, options.format)
  const shape = shapeQuery(options)
  const client = await ControlClient.of(options)
  const source = sourceOf(file)
  const signal = interruption()
  signal.addEventListener('abort', () => source.stop())
  try {
    const columns = format === 'csv' ? await foundColumns(source, options, signal) : undefined
    const journal = await journalFor(client, { collection, file, format, source: source.identity, options })
    const from = startingPoint(journal, options)
    if (from !== undefined) note(`going on after ${countOf(from.rows, 'row')}, as ${journal!.path} says`, options.json)
    const progress = await progressBar('bytes', from?.rows)
    const show = (state: ImportState): void => progress.show(state.rows, source.readBytes(), source.sizeBytes)
    let shown = 0
    const importer = new Importer({
      client,
      collection,
      shape,
      skipMax: options.skipBad,
      signal,
      onBadRow: (row) => {
        if (shown++ < BAD_ROWS_SHOWN_MAX) note(`skipped ${badRowText(row)}`, options.json)
        else if (shown === BAD_ROWS_SHOWN_MAX + 1) note('further bad rows are counted, not shown', options.json)
      },
      onAcknowledged: (state) => {
        journal?.save(state)
        show(state)
      },
    })
    try {
      await importer.run(
        rowsOf(format, source.bytes(), {
          keyColumn: options.keyColumn,
          ...(columns === undefined ? {} : { types: typesOf(columns) }),
        }),
        from,
      )
    } catch (error) {
      if (importer.state.rows > 0) journal?.save(importer.state, true)
      throw stopped(error, importer.state, journal)
    } finally {
      progress.stop()
    }
    journal?.remove()
    tellOutcome(
      { state: importer.state, expired: importer.expired, from, tookMs: performance.now() - startMs, columns },
      options,
    )
    checkSomeGood(importer.state)
  } finally {
    client.close()
  }
}

/** How the columns are read; shown before anything is written. */
async function foundColumns(source: Source, options: ImportOptions, signal: AbortSignal): Promise<ColumnType[]> {
  const given = options.strings === true ? new Map([[OTHER_COLUMNS, 'text'] as const]) : (options.types ?? new Map())
  let columns: ColumnType[]
  try {
    columns = await columnTypes(source.sample(), options.keyColumn, given)
  } catch (error) {
    if (signal.aborted) throw new CliError('INTERRUPTED', 'interrupted', '', { cause: error })
    if (error instanceof CliError) throw error
    throw new CliError('FILE', errorText(error), 'No row is written.', { cause: error })
  }
  if (options.strings === true) return columns.map((column) => ({ ...column, reason: 'as --strings says' }))
  for (const column of columns.slice(0, COLUMNS_SHOWN_MAX)) note(columnTypeText(column), options.json)
  if (columns.length > COLUMNS_SHOWN_MAX) {
    note(`and ${countOf(columns.length - COLUMNS_SHOWN_MAX, 'further column')}`, options.json)
  }
  return columns
}

interface Outcome {
  readonly state: ImportState
  readonly expired: number
  /** Where an earlier run had stopped. */
  readonly from: ImportState | undefined
  readonly tookMs: number
  readonly columns: readonly ColumnType[] | undefined
}

function tellOutcome({ state, expired, from, tookMs, columns }: Outcome, options: ImportOptions): void {
  const { rows, skipped } = state
  const before = from?.rows ?? 0
  const written = rows - skipped - expired - (before - (from?.skipped ?? 0))
  const rowsPerSecond = Math.round(written / (tookMs / 1000))
  if (options.json === true) {
    return printJson({
      rows,
      written: rows - skipped - expired,
      skipped,
      expired,
      resumedAt: before,
      tookMs: Math.round(tookMs),
      rowsPerSecond,
      ...(columns === undefined ? {} : { columns }),
    })
  }
  const resumed = before > 0 ? `, after ${countText(before)} of an earlier run` : ''
  const left = [
    ...(skipped > 0 ? [`; ${countOf(skipped, 'bad row')} skipped`] : []),
    ...(expired > 0 ? [`; ${countOf(expired, 'row')} had expired`] : []),
  ].join('')
  note(`${countOf(written, 'row')} in ${durationText(tookMs)}, ${countText(rowsPerSecond)} a second${resumed}${left}`)
}

/** Throws `BAD_ROW` where all rows are bad: then it is the way of reading that is wrong, however many may be skipped. */
function checkSomeGood({ rows, skipped }: ImportState): void {
  if (rows === 0 || skipped < rows) return
  throw new CliError(
    'BAD_ROW',
    `nothing is imported: ${rows === 1 ? 'the only row is' : `all ${countText(rows)} rows are`} bad`,
    'Compare the file with --format, --key-column and --types.',
  )
}

interface JournalWish {
  readonly collection: string
  readonly file: string | undefined
  readonly format: Format
  readonly source: string
  readonly options: ImportOptions
}

/** The journal of this import: beside the file, or where it is asked for; none for stdin. */
async function journalFor(client: ControlClient, wish: JournalWish): Promise<Journal | undefined> {
  const { collection, file, format, source, options } = wish
  const status = await client.call<PeerStatus>('/v1/status')
  // What a peer without a disk has acknowledged ends with it, and the replica id is new with every opening of one.
  const target = status.storage.persistent ? status.name : `${status.name} in the memory of ${status.replicaId}`
  const reading = [format, options.keyColumn ?? '', typesText(options)].join(' ').trim()
  const identity = { target, collection, source, reading }
  const drops = status.collections.find(({ name }) => name === collection)?.drops
  if (options.resume !== undefined) return new Journal(options.resume, identity, drops)
  if (file === undefined || file === '-') return undefined
  return new Journal(journalPath(resolve(file), status.name, collection), identity, drops)
}

function typesText({ strings, types }: ImportOptions): string {
  if (strings === true) return 'strings'
  return types === undefined ? '' : JSON.stringify(Object.fromEntries(types))
}

/** Where an earlier run has stopped; undefined to begin at the beginning. */
function startingPoint(journal: Journal | undefined, options: ImportOptions): ImportState | undefined {
  if (journal === undefined) return undefined
  try {
    if (options.restart !== true) return journal.read()
    journal.check()
    return undefined
  } catch (error) {
    // The journal beside a file is only ours, and beginning again does no harm; one that was named may be anything.
    if (options.resume !== undefined) throw error
    note(`beginning again: ${errorText(error)}`, options.json)
    return undefined
  }
}

const OWN_WAY_ON: ReadonlySet<string> = new Set(['BAD_ROW', 'USAGE', 'COLLECTION_DROPPED'])

/** The error that ended an import, saying how far it came and how to go on. */
function stopped(error: unknown, { rows }: ImportState, journal: Journal | undefined): Error {
  // These say themselves what to do: the same command would only come to the same place.
  if (error instanceof CliError && OWN_WAY_ON.has(error.code)) return error
  const code = error instanceof CliError ? error.code : 'FILE'
  const far = `${countOf(rows, 'row')} ${rows === 1 ? 'is' : 'are'} acknowledged`
  return CliError.fromPeer(code, `${errorText(error)}. ${far}.`, wayOn(rows, journal))
}

function wayOn(rows: number, journal: Journal | undefined): string {
  if (journal?.failure !== undefined) {
    return `There is no journal (${errorText(journal.failure)}): the same command begins again, which does no harm.`
  }
  if (journal !== undefined && rows > 0) return 'The same command goes on from there.'
  return 'The same command begins again, which does no harm.'
}
