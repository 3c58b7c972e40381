import { GridError } from 'gossipgrid'
import type { Grid, PartitionChange, PartitionedMap } from 'gossipgrid'
import type { Context, Hono } from 'hono'
import { CliError } from '../../cli-error.ts'
import { fromTagged, parseTagged, stringifyTagged, toTagged } from '../../formats/json/tagged-json.ts'
import type { OwnersAnswer } from './owners-answer.ts'
import { keyedEntries } from './partitioned-keyed.ts'
import type { PartitionedEntries } from './partitioned-keyed.ts'
import { partitionedMap } from './partitioned-collection.ts'
import type { WantedShape } from './partitioned-collection.ts'

/** What a call needs of a map to send its changes. */
export interface FollowedMap {
  changes(query: ChangesQuery & { readonly initial?: boolean; readonly key?: string }): AsyncIterable<FollowedChange>
  watch?(query: ChangesQuery & { readonly since?: string | undefined }): AsyncIterable<FollowedChange>
}

interface ChangesQuery {
  readonly prefix?: string
  readonly signal?: AbortSignal
}

type FollowedChange = PartitionChange<unknown> & { readonly missed: number; readonly cursor?: string | undefined }

/** How a call answers with a stream of lines. */
export interface LineStreams {
  endLine(sent: number, name: string, state: object): string
  inPieces(lines: AsyncIterable<string>): AsyncIterable<string>
  /** The changes of a collection that the call asks for. */
  readonly changes: (c: Context, source: FollowedMap, collection: string) => Promise<Response>
  streamed(pieces: AsyncIterable<string>, stop: () => void): Response
}

type Answer<Source> = (c: Context, source: Source, collection: string) => Response | Promise<Response>
type Handler = (c: Context, next: () => Promise<void>) => Promise<Response | void>

/** The calls that read and write entries, where the collection is partitioned, and which peers own a key. Others go on to the next route. */
export function addPartitionedRoutes(app: Hono, grid: Grid, closing: AbortSignal, streams: LineStreams): void {
  const found =
    <Source>(find: (c: Context, name: string) => Source | undefined, answer: Answer<Source>): Handler =>
    async (c, next) => {
      const collection = c.req.query('collection')
      const source = collection === undefined ? undefined : find(c, collection)
      return source === undefined ? next() : answer(c, source, collection!)
    }
  const mapOf = (c: Context, name: string): PartitionedMap<unknown> | undefined => {
    return partitionedMap(grid, name, wantedOf(c))
  }
  const where = (answer: Answer<PartitionedEntries>): Handler => {
    return found((c, name) => mapOf(c, name) ?? keyedEntries(grid, name), answer)
  }
  app.get('/v1/entry', where(get))
  app.put('/v1/entry', found(mapOf, set))
  app.delete('/v1/entry', where(remove))
  app.get(
    '/v1/entries',
    where((c, map, collection) => entries(c, map, collection, { closing, streams })),
  )
  app.post('/v1/entries', found(mapOf, setEntries))
  app.on(
    ['GET', 'POST'],
    '/v1/changes',
    where((c, map, collection) => streams.changes(c, followed(map), collection)),
  )
  app.get('/v1/owners', (c) => owners(c, grid))
}

/** Only a write makes a partitioned map. */
function wantedOf(c: Context): WantedShape | undefined {
  if (c.req.query('partitioned') !== 'true') return undefined
  const count = (name: string): number | undefined => {
    const text = c.req.query(name)
    return text === undefined ? undefined : Number(text)
  }
  return { partitioned: true, owners: count('owners'), partitions: count('partitions') }
}

async function get(c: Context, map: PartitionedEntries, collection: string): Promise<Response> {
  const key = keyOf(c)
  if (c.req.query('after') !== undefined)
    throw new GridError('INVALID_OPTION', `'${collection}' is partitioned: its writes have no tokens`)
  const value = await map.get(key, timeoutOf(c))
  if (value === undefined) throw new CliError('NOT_FOUND', `its owners have no entry '${key}' in '${collection}'`)
  const expiresAt = (await map.expiresAt?.(key, timeoutOf(c)))?.toISOString()
  return json(c, stringifyTagged({ collection, key, value, ...(expiresAt === undefined ? {} : { expiresAt }) }))
}

async function set(c: Context, map: PartitionedMap<unknown>, collection: string): Promise<Response> {
  const key = keyOf(c)
  const ttlMs = c.req.query('ttlMs')
  const value = valueIn(await c.req.text())
  const options = { ...writeOptionsOf(c), ...(ttlMs === undefined ? {} : { ttlMs: Number(ttlMs) }) }
  return c.json({ collection, key, receipt: await map.set(key, value, options) })
}

async function remove(c: Context, map: PartitionedEntries, collection: string): Promise<Response> {
  const key = keyOf(c)
  const receipt = await map.delete(key, writeOptionsOf(c))
  if (receipt === undefined) throw new CliError('NOT_FOUND', `its owners have no entry '${key}' in '${collection}'`)
  return c.json({ collection, key, receipt })
}

function entries(
  c: Context,
  map: PartitionedEntries,
  collection: string,
  { closing, streams }: { readonly closing: AbortSignal; readonly streams: LineStreams },
): Response {
  const { prefix = '', limit: limitText } = c.req.query()
  const limit = limitText === undefined ? Infinity : Number(limitText)
  if (!(limit >= 0)) throw new GridError('INVALID_OPTION', `limit is a number from 0, not ${JSON.stringify(limitText)}`)
  const keysOnly = c.req.query('keysOnly') === 'true'
  const stop = new AbortController()
  const signal = AbortSignal.any([closing, stop.signal])
  async function* lines(): AsyncGenerator<string, void, undefined> {
    let sent = 0
    if (limit > 0) {
      for await (const [key, value] of map.entries({ prefix, signal })) {
        yield `${JSON.stringify(keysOnly ? key : [key, toTagged(value)])}\n`
        if (++sent >= limit) break
      }
    }
    yield streams.endLine(sent, collection, {})
  }
  return streams.streamed(streams.inPieces(lines()), () => stop.abort())
}

async function setEntries(c: Context, map: PartitionedMap<unknown>): Promise<Response> {
  const rows: unknown = valueIn(await c.req.text(), JSON.parse)
  if (!Array.isArray(rows)) throw new GridError('INVALID_VALUE', 'a batch is an array of rows')
  const refused: { readonly index: number; readonly code: string; readonly message: string }[] = []
  let expired = 0
  const write = async (row: unknown, index: number): Promise<void> => {
    try {
      if (!Array.isArray(row)) throw new GridError('INVALID_VALUE', 'a row of a batch is [key, value]')
      const [key, value, expiresAtMs] = row as [string, unknown, number?]
      if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) expired += 1
      else if (expiresAtMs === undefined) await map.set(key, fromTagged(value))
      else await map.set(key, fromTagged(value), { expiresAt: new Date(expiresAtMs) })
    } catch (error) {
      if (!(error instanceof GridError || error instanceof SyntaxError)) throw error
      const code = error instanceof GridError ? error.code : 'INVALID_VALUE'
      refused.push({ index, code, message: error.message })
    }
  }
  await Promise.all(rows.map(write))
  const inOrder = refused.toSorted((a, b) => a.index - b.index)
  return c.json({ written: rows.length - refused.length - expired, expired, refused: inOrder })
}

async function owners(c: Context, grid: Grid): Promise<Response> {
  const [collection, key] = [c.req.query('collection'), keyOf(c)]
  if (collection === undefined) throw new CliError('USAGE', 'the parameter collection is missing')
  const found = await grid.owners(collection, key)
  if (found.length === 0) {
    const advice = 'gossipgrid collections lists what there is.'
    throw new CliError('NOT_FOUND', `no partitioned collection '${collection}' is known to this peer`, advice)
  }
  const connected = new Set(grid.members.filter((each) => each.connected || each.self).map(({ peerId }) => peerId))
  const known = found.map((owner) => ({ ...owner, connected: connected.has(owner.peerId) }))
  const answer: OwnersAnswer = { collection, key, owners: known }
  return c.json(answer)
}

/** The changes of the partitioned map, counters or sets of that name, if that is what is here. */
export function followedPartitions(grid: Grid, name: string): FollowedMap | undefined {
  const source = partitionedMap(grid, name) ?? keyedEntries(grid, name)
  return source === undefined ? undefined : followed(source)
}

/** The changes of a partitioned collection: none are left out for a slow reader. */
function followed(source: PartitionedEntries): FollowedMap {
  const watch = source.watch?.bind(source)
  return {
    changes: (query) => withMissed(source.changes(query)),
    ...(watch === undefined ? {} : { watch: (query) => withMissed(watch(query)) }),
  }
}

async function* withMissed(
  changes: AsyncIterable<PartitionChange<unknown> & { readonly cursor?: string | undefined }>,
): AsyncGenerator<FollowedChange, void, undefined> {
  for await (const change of changes) yield { ...change, cursor: change.cursor, missed: 0 }
}

function keyOf(c: Context): string {
  const key = c.req.query('key')
  if (key === undefined) throw new CliError('USAGE', 'the parameter key is missing')
  return key
}

function timeoutOf(c: Context): { timeoutMs?: number } {
  const timeoutMs = c.req.query('timeoutMs')
  return timeoutMs === undefined ? {} : { timeoutMs: Number(timeoutMs) }
}

function writeOptionsOf(c: Context): { copies?: number | 'all'; timeoutMs?: number } {
  const { copies, peers } = c.req.query()
  if (peers !== undefined)
    throw new GridError('INVALID_OPTION', 'a partitioned map counts owners: pass --copies and not --peers')
  const counted = copies === 'all' ? 'all' : Number(copies)
  return { ...timeoutOf(c), ...(copies === undefined ? {} : { copies: counted }) }
}

/** Rejects invalid text with `INVALID_VALUE`. */
function valueIn(text: string, read: (text: string) => unknown = parseTagged): unknown {
  try {
    return read(text)
  } catch (error) {
    throw new GridError('INVALID_VALUE', (error as Error).message, { cause: error })
  }
}

function json(c: Context, text: string): Response {
  return c.body(text, 200, { 'content-type': 'application/json' })
}
