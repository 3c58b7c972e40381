import { GridError } from 'gossipgrid'
import type { Grid, PartitionChange, PartitionedMap } from 'gossipgrid'
import type { Context, Hono } from 'hono'
import { CliError } from '../../cli-error.ts'
import { fromTagged, parseTagged, stringifyTagged, toTagged } from '../../formats/json/tagged-json.ts'
import type { OwnersAnswer } from './owners-answer.ts'
import { partitionedMap } from './partitioned-collection.ts'
import type { WantedShape } from './partitioned-collection.ts'

/** What a call needs of a map to send its changes. */
export interface FollowedMap {
  changes(query: ChangesQuery & { readonly initial?: boolean; readonly key?: string }): AsyncIterable<FollowedChange>
  watch(query: ChangesQuery & { readonly since?: string | undefined }): AsyncIterable<FollowedChange>
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

type Handler = (c: Context, map: PartitionedMap<unknown>, collection: string) => Response | Promise<Response>

/** The calls that read and write entries, where the collection is partitioned, and which peers own a key. Others go on to the next route. */
export function addPartitionedRoutes(app: Hono, grid: Grid, closing: AbortSignal, streams: LineStreams): void {
  const where =
    (handle: Handler) =>
    async (c: Context, next: () => Promise<void>): Promise<Response | void> => {
      const collection = c.req.query('collection')
      const map = collection === undefined ? undefined : partitionedMap(grid, collection, wantedOf(c))
      return map === undefined ? next() : handle(c, map, collection!)
    }
  app.get('/v1/entry', where(get))
  app.put('/v1/entry', where(set))
  app.delete('/v1/entry', where(remove))
  app.get(
    '/v1/entries',
    where((c, map, collection) => entries(c, map, collection, { closing, streams })),
  )
  app.post('/v1/entries', where(setEntries))
  app.on(
    ['GET', 'POST'],
    '/v1/changes',
    where((c, map, collection) => streams.changes(c, followedMap(map), collection)),
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

async function get(c: Context, map: PartitionedMap<unknown>, collection: string): Promise<Response> {
  const key = keyOf(c)
  if (c.req.query('after') !== undefined)
    throw new GridError('INVALID_OPTION', `'${collection}' is partitioned: its writes have no tokens`)
  const value = await map.get(key, timeoutOf(c))
  if (value === undefined) throw new CliError('NOT_FOUND', `its owners have no entry '${key}' in '${collection}'`)
  const expiresAt = (await map.expiresAt(key, timeoutOf(c)))?.toISOString()
  return json(c, stringifyTagged({ collection, key, value, ...(expiresAt === undefined ? {} : { expiresAt }) }))
}

async function set(c: Context, map: PartitionedMap<unknown>, collection: string): Promise<Response> {
  const key = keyOf(c)
  const ttlMs = c.req.query('ttlMs')
  const value = valueIn(await c.req.text())
  const options = { ...writeOptionsOf(c), ...(ttlMs === undefined ? {} : { ttlMs: Number(ttlMs) }) }
  return c.json({ collection, key, receipt: await map.set(key, value, options) })
}

async function remove(c: Context, map: PartitionedMap<unknown>, collection: string): Promise<Response> {
  const key = keyOf(c)
  const receipt = await map.delete(key, writeOptionsOf(c))
  if (receipt === undefined) throw new CliError('NOT_FOUND', `its owners have no entry '${key}' in '${collection}'`)
  return c.json({ collection, key, receipt })
}

function entries(
  c: Context,
  map: PartitionedMap<unknown>,
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

/** The changes of a partitioned map: none are left out for a slow reader. */
export function followedMap(map: PartitionedMap<unknown>): FollowedMap {
  return {
    async *changes(query) {
      for await (const change of map.changes(query)) yield { ...change, missed: 0 }
    },
    async *watch(query) {
      for await (const change of map.watch(query)) yield { ...change, missed: 0 }
    },
  }
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
