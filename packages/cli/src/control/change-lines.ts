import { setTimeout as delay } from 'node:timers/promises'
import { GridError, collectionOfCursor } from 'gossipgrid'
import type { Context } from 'hono'
import { CliError } from '../cli-error.ts'
import { toTagged } from '../formats/json/tagged-json.ts'
import type { ChangeLine } from './control-api.ts'
import type { EntryChange, ReadableCollection } from './keyed-collection.ts'

/** How often a peer is asked whether it knows a collection by now. */
const LOOK_GAP_MS = 100
/** How long a peer is given to learn of the collection of a cursor: as long as a watch waits for what its cursor has seen. */
const CURSOR_WAIT_MAX_MS = 10_000

/** What is needed of a collection to follow it. */
export type FollowedCollection = Pick<ReadableCollection, 'changes' | 'watch' | 'isDropped'>

/** Which changes of a collection to send, and from where on. */
export interface ChangesQuery {
  readonly key?: string
  readonly prefix?: string
  /** Begin with the entries that are there. */
  readonly initial: boolean
  /** There was nothing when the call came, so all entries are changes. */
  readonly isNew?: true
  /** Go on after this cursor, or print the present entries first, and send cursors. */
  readonly resume?: { readonly since?: string }
  readonly signal: AbortSignal
}

/** Answers a call with the changes of a collection. */
export type ChangesAnswer = (c: Context, source: FollowedCollection, collection: string) => Promise<Response>

/** Which changes a call asks for. */
export function chosenOf(c: Context): Pick<ChangesQuery, 'key' | 'prefix' | 'initial'> {
  const { initial, key, prefix } = c.req.query()
  return {
    initial: initial === 'true',
    ...(key === undefined ? {} : { key }),
    ...(prefix === undefined ? {} : { prefix }),
  }
}

/** Where a call with this body goes on. */
export function sinceIn(body: unknown): { readonly since?: string } {
  const { since } = body as { since?: string }
  return since === undefined ? {} : { since }
}

/**
 * The changes of a collection as lines of NDJSON. Throws `COLLECTION_MISMATCH` at once for a collection that cannot be resumed;
 * a cursor from which it cannot go on, and a drop of the collection, end the stream with a line of type `failed`.
 */
export function changeLines(name: string, source: FollowedCollection, query: ChangesQuery): AsyncIterable<string> {
  if (query.resume !== undefined && source.watch === undefined) {
    throw CliError.fromPeer(
      'COLLECTION_MISMATCH',
      `'${name}' has counters or sets under its keys, and only maps can be watched from a cursor on`,
      'Watch it with --initial.',
    )
  }
  return lines(name, source, query)
}

/** A collection that a peer may come to know. */
export interface LateCollection {
  isThere(): boolean
  /** Throws where it cannot be followed. */
  found(): FollowedCollection
}

/**
 * The same of a collection that is not there yet: its changes begin with its first entries. Waiting for it does not make it. With a
 * cursor of another map the stream ends at once, and with one of this map after a while.
 */
export async function* lateChangeLines(
  name: string,
  collection: LateCollection,
  query: ChangesQuery,
): AsyncGenerator<string, void, undefined> {
  const since = query.resume?.since
  const limit = since === undefined ? [] : [AbortSignal.timeout(CURSOR_WAIT_MAX_MS)]
  try {
    if (since !== undefined) checkCursor(since, name)
    const signal = AbortSignal.any([query.signal, ...limit])
    while (!signal.aborted && !collection.isThere())
      await delay(LOOK_GAP_MS, undefined, { signal }).catch(() => undefined)
    if (query.signal.aborted) return yield endLine(0)
    if (!collection.isThere()) {
      const why = 'it was dropped since this cursor, or this peer has not met the others yet'
      throw new GridError('CURSOR_EXPIRED', `no collection '${name}' is known to this peer: ${why}`)
    }
    yield* changeLines(name, collection.found(), { ...query, isNew: true })
  } catch (error) {
    if (!(error instanceof CliError || error instanceof GridError)) throw error
    yield failedLine(error)
    yield endLine(1)
  }
}

function checkCursor(since: string, name: string): void {
  if (collectionOfCursor(since) !== name)
    throw new GridError('INVALID_TOKEN', 'since is a cursor of another map or another grid')
}

function endLine(sent: number): string {
  return `{"end":${sent}}\n`
}

function changesOf(source: FollowedCollection, query: ChangesQuery): AsyncIterable<EntryChange> {
  const { initial, isNew = false, key, prefix, resume, signal } = query
  const chosen = { signal, ...(prefix === undefined ? {} : { prefix }) }
  // One key cannot be watched from a cursor on. Where cursors are sent, they come with the initial entries too.
  if (source.watch !== undefined && key === undefined && (initial || resume !== undefined)) {
    return source.watch({ ...chosen, since: resume?.since })
  }
  return source.changes({ ...chosen, initial: initial || isNew, ...(key === undefined ? {} : { key }) })
}

async function* lines(
  name: string,
  source: FollowedCollection,
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
  yield endLine(sent)
}

function failedLine({ code, message }: Pick<GridError | CliError, 'code' | 'message'>): string {
  return `${JSON.stringify({ type: 'failed', code, message } satisfies ChangeLine)}\n`
}

function changeLine({ type, key, value, missed, cursor, partition }: EntryChange): ChangeLine {
  if (type === 'lagged') return { type: 'lagged', missed }
  const resumable = cursor === undefined ? {} : { cursor }
  if (type === 'reset') return { type, partition: partition!, ...resumable }
  return type === 'delete' ? { type, key, ...resumable } : { type: 'set', key, value: toTagged(value), ...resumable }
}
