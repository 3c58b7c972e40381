import { GridError } from 'gossipgrid'
import { CliError } from '../cli-error.ts'
import { toTagged } from '../formats/json/tagged-json.ts'
import type { ChangeLine } from './control-api.ts'
import type { EntryChange, ReadableCollection } from './keyed-collection.ts'

/** Which changes of a collection to send, and from where on. */
export interface ChangesQuery {
  readonly key?: string
  readonly prefix?: string
  /** Begin with the entries that are there. */
  readonly initial: boolean
  /** Go on after this cursor, or print the present entries first, and send cursors. */
  readonly resume?: { readonly since?: string }
  readonly signal: AbortSignal
}

/**
 * The changes of a collection as lines of NDJSON. Throws `COLLECTION_MISMATCH` at once for a collection that cannot be resumed;
 * a cursor from which it cannot go on, and a drop of the collection, end the stream with a line of type `failed`.
 */
export function changeLines(name: string, source: ReadableCollection, query: ChangesQuery): AsyncIterable<string> {
  if (query.resume !== undefined && source.watch === undefined) {
    throw CliError.fromPeer(
      'COLLECTION_MISMATCH',
      `'${name}' has counters or sets under its keys, and only maps can be watched from a cursor on`,
      'Watch it with --initial.',
    )
  }
  return lines(name, source, query)
}

function changesOf(source: ReadableCollection, query: ChangesQuery): AsyncIterable<EntryChange> {
  const { initial, key, prefix, resume, signal } = query
  const chosen = { signal, ...(prefix === undefined ? {} : { prefix }) }
  // One key cannot be watched from a cursor on. Where cursors are sent, they come with the initial entries too.
  if (source.watch !== undefined && key === undefined && (initial || resume !== undefined)) {
    return source.watch({ ...chosen, since: resume?.since })
  }
  return source.changes({ ...chosen, initial, ...(key === undefined ? {} : { key }) })
}

async function* lines(
  name: string,
  source: ReadableCollection,
  query: ChangesQuery,
): AsyncGenerator<string, void, undefined> {
  let sent = 0
  try {
    for await (const change of changesOf(source, query)) {
      yield `${JSON.stringify(changeLine(change))}\n`
      sent += 1
    }
    if (source.isDropped === true) yield failedLine(new GridError('COLLECTION_DROPPED', `'${name}' was dropped`))
  } catch (error) {
    if (!(error instanceof GridError)) throw error
    if (error.code !== 'ABORTED') yield failedLine(error)
  }
  yield `{"end":${sent}}\n`
}

function failedLine({ code, message }: GridError): string {
  return `${JSON.stringify({ type: 'failed', code, message } satisfies ChangeLine)}\n`
}

function changeLine({ type, key, value, missed, cursor }: EntryChange): ChangeLine {
  if (type === 'lagged') return { type: 'lagged', missed }
  const resumable = cursor === undefined ? {} : { cursor }
  return type === 'delete' ? { type, key, ...resumable } : { type: 'set', key, value: toTagged(value), ...resumable }
}
