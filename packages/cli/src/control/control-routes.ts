import type { CollectionStatus, Grid, GridMap } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { Hono } from 'hono'
import type { Context, MiddlewareHandler } from 'hono'
import { CliError } from '../cli-error.ts'
import { parseTagged, stringifyTagged, toTagged, fromTagged } from '../formats/json/tagged-json.ts'
import { BODY_MAX_BYTES } from './control-api.ts'
import type { BatchAnswer, ChangeLine, ForgetAnswer, ListedCollection, MembersAnswer } from './control-api.ts'
import type { PeerStatus, RefusedRow } from './control-api.ts'
import { keyedCollection } from './keyed-collection.ts'
import type { ReadableCollection } from './keyed-collection.ts'
import { inPieces, streamed } from './ndjson.ts'

/** Facts that the peer command knows and the grid does not. */
export type PeerFacts = Omit<PeerStatus, keyof ReturnType<Grid['status']> | 'uptimeMs' | 'wallTime'>

/** The calls that a peer answers on its local socket. `closing` ends all streams. */
export function controlRoutes(grid: Grid, facts: PeerFacts, closing: AbortSignal): Hono {
  const calls = new Calls(grid, facts, closing)
  const app = new Hono()
  app.onError((error, c) => answerError(c, error))
  app.notFound((c) =>
    c.json({ error: { code: 'USAGE', message: `no call ${c.req.method} ${c.req.path}; is the peer older?` } }, 404),
  )
  app.use(boundedBody)
  app.get('/v1/status', (c) => c.json(calls.status()))
  app.get('/v1/members', (c) => c.json(calls.members()))
  app.delete('/v1/member', (c) => calls.forget(c))
  app.get('/v1/collections', (c) => c.json({ collections: calls.collections() }))
  app.get('/v1/entry', (c) => calls.get(c))
  app.put('/v1/entry', (c) => calls.set(c))
  app.delete('/v1/entry', (c) => calls.delete(c))
  app.get('/v1/entries', (c) => calls.entries(c))
  app.post('/v1/entries', (c) => calls.setEntries(c))
  app.get('/v1/elements', (c) => calls.elements(c))
  app.post('/v1/elements', (c) => calls.addElements(c))
  app.get('/v1/counter', (c) => calls.counter(c))
  app.post('/v1/counter', (c) => calls.setCounter(c))
  app.get('/v1/changes', (c) => calls.changes(c))
  return app
}

/** Node reads no more of a body than its declared length, so checking the length is enough. */
const boundedBody: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'DELETE') return next()
  const length = Number(c.req.header('content-length') ?? Number.NaN)
  if (length <= BODY_MAX_BYTES) return next()
  if (Number.isNaN(length)) return c.json({ error: { code: 'USAGE', message: 'a content-length is needed' } }, 411)
  return c.json({ error: { code: 'VALUE_TOO_LARGE', message: `more than ${BODY_MAX_BYTES} bytes at once` } }, 413)
}

class Calls {
  readonly #grid: Grid
  readonly #facts: PeerFacts
  readonly #closing: AbortSignal

  constructor(grid: Grid, facts: PeerFacts, closing: AbortSignal) {
    this.#grid = grid
    this.#facts = facts
    this.#closing = closing
  }

  status(): PeerStatus {
    const uptimeMs = Math.round(this.#grid.uptimeMs)
    const status = this.#grid.status()
    const collections = status.collections.map((collection) => this.#listed(collection))
    return { ...status, collections, ...this.#facts, uptimeMs, wallTime: new Date().toISOString() }
  }

  collections(): ListedCollection[] {
    return this.#grid.status().collections.map((collection) => this.#listed(collection))
  }

  members(): MembersAnswer {
    return { members: this.#grid.members, registered: this.#grid.status().purging.members }
  }

  async forget(c: Context): Promise<Response> {
    const meant = required(c, 'member')
    const peerIds = this.members().registered.map((member) => member.peerId)
    const whole = peerIds.filter((peerId) => peerId === meant)
    const found = whole.length > 0 || meant === '' ? whole : peerIds.filter((peerId) => peerId.endsWith(meant))
    if (found.length > 1) {
      throw new CliError('SEVERAL_PEERS', `several registered peers end in '${meant}'`, `They are: ${found.join(', ')}`)
    }
    const [peerId] = found
    if (peerId === undefined || !(await this.#grid.forget(peerId))) {
      throw new CliError(
        'NOT_FOUND',
        `no registered peer '${meant}'`,
        'gossipgrid members --wide lists those there are.',
      )
    }
    const alive = this.#grid.members.some((member) => member.peerId === peerId && member.state === 'alive')
    const answer: ForgetAnswer = { peerId, alive }
    return c.json(answer)
  }

  async get(c: Context): Promise<Response> {
    const { collection, key } = keyOf(c)
    const map = this.#known(collection)
    const value = await map.get(key)
    if (value === undefined) throw noEntry(collection, key)
    const expiresAt = map.expiresAt?.(key)?.toISOString()
    return jsonText(c, stringifyTagged({ collection, key, value, ...(expiresAt === undefined ? {} : { expiresAt }) }))
  }

  async set(c: Context): Promise<Response> {
    const { collection, key } = keyOf(c)
    const value = readable(parseTagged, await c.req.text())
    const ttlMs = countOf(c, 'ttlMs')
    const options = { ...writeOptionsOf(c), ...(ttlMs === undefined ? {} : { ttlMs }) }
    const receipt = await this.#map(collection).set(key, value, options)
    return c.json({ collection, key, receipt })
  }

  async delete(c: Context): Promise<Response> {
    const { collection, key } = keyOf(c)
    const receipt = await this.#known(collection).delete(key, writeOptionsOf(c))
    if (receipt === undefined) throw noEntry(collection, key)
    return c.json({ collection, key, receipt })
  }

  entries(c: Context): Response {
    const map = this.#known(required(c, 'collection'))
    const prefix = c.req.query('prefix') ?? ''
    const limit = countOf(c, 'limit') ?? Infinity
    if (!(limit >= 0)) throw new GridError('INVALID_OPTION', `limit is a number from 0, not ${c.req.query('limit')}`)
    const keysOnly = c.req.query('keysOnly') === 'true'
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#closing, stop.signal])
    async function* lines(): AsyncGenerator<string, void, undefined> {
      let sent = 0
      if (sent < limit && keysOnly) {
        for await (const key of map.keys({ prefix, signal })) {
          yield `${JSON.stringify(key)}\n`
          if (++sent >= limit) break
        }
      } else if (sent < limit) {
        for await (const [key, value] of map.entries({ prefix, signal })) {
          const expiresAt = map.expiresAt?.(key)?.toISOString()
          yield `${JSON.stringify(expiresAt === undefined ? [key, toTagged(value)] : [key, toTagged(value), expiresAt])}\n`
          if (++sent >= limit) break
        }
      }
      yield `{"end":${sent}}\n`
    }
    return streamed(inPieces(lines()), () => stop.abort())
  }

  changes(c: Context): Response {
    // Not `#known`: a watch may wait for the first entry of a collection.
    const map = this.#readable(required(c, 'collection'))
    const key = c.req.query('key')
    const prefix = c.req.query('prefix')
    const stop = new AbortController()
    const changes = map.changes({
      initial: c.req.query('initial') === 'true',
      signal: AbortSignal.any([this.#closing, stop.signal]),
      ...(key === undefined ? {} : { key }),
      ...(prefix === undefined ? {} : { prefix }),
    })
    async function* lines(): AsyncGenerator<string, void, undefined> {
      let sent = 0
      try {
        for await (const change of changes) {
          yield `${JSON.stringify(changeLine(change))}\n`
          sent += 1
        }
      } catch (error) {
        if (!(error instanceof GridError) || error.code !== 'ABORTED') throw error
      }
      yield `{"end":${sent}}\n`
    }
    return streamed(lines(), () => stop.abort())
  }

  async setEntries(c: Context): Promise<Response> {
    const map = this.#map(required(c, 'collection'))
    return this.#batch(c, async (row) => {
      if (!Array.isArray(row)) throw new GridError('INVALID_VALUE', 'a row of a batch is [key, value]')
      const [key, value, expiresAtMs] = row as [string, unknown, number?]
      if (expiresAtMs === undefined) await map.set(key, fromTagged(value))
      else return setExpiring(map, key, fromTagged(value), expiresAtMs)
      return 'written'
    })
  }

  /** The elements of a set, as tagged JSON. */
  elements(c: Context): Response {
    const collection = required(c, 'collection')
    this.#checkKind(collection, ['set'])
    const stop = new AbortController()
    const elements = this.#grid.set(collection).values({ signal: AbortSignal.any([this.#closing, stop.signal]) })
    async function* lines(): AsyncGenerator<string, void, undefined> {
      let sent = 0
      for await (const element of elements) {
        yield `${stringifyTagged(element)}\n`
        sent += 1
      }
      yield `{"end":${sent}}\n`
    }
    return streamed(inPieces(lines()), () => stop.abort())
  }

  async addElements(c: Context): Promise<Response> {
    const set = this.#grid.set(required(c, 'collection'))
    return this.#batch(c, async (element) => {
      await set.add(fromTagged(element))
      return 'written'
    })
  }

  counter(c: Context): Response {
    const collection = required(c, 'collection')
    this.#checkKind(collection, ['counter'])
    return c.json({ value: this.#grid.counter(collection).value })
  }

  /** Counts up or down to a value, from what this peer knows: the same value again counts nothing. */
  async setCounter(c: Context): Promise<Response> {
    const counter = this.#grid.counter(required(c, 'collection'))
    return this.#batch(c, async (value) => {
      if (!Number.isSafeInteger(value))
        throw new GridError('INVALID_VALUE', 'a counter is a whole number within ±(2^53 - 1)')
      const difference = (value as number) - counter.value
      if (difference > 0) await counter.increment(difference)
      if (difference < 0) await counter.decrement(-difference)
      return 'written'
    })
  }

  /** Writes the rows of a batch one by one, and answers which of them were refused. */
  async #batch(c: Context, write: (row: unknown) => Promise<'written' | 'expired'>): Promise<Response> {
    const rows: unknown = readable(JSON.parse, await c.req.text())
    if (!Array.isArray(rows)) throw new GridError('INVALID_VALUE', 'a batch is an array of rows')
    const refused: RefusedRow[] = []
    let expired = 0
    const writes = rows.map(async (row: unknown, index) => {
      try {
        if ((await write(row)) === 'expired') expired += 1
      } catch (error) {
        if (!(error instanceof GridError || error instanceof SyntaxError)) throw error
        const code = error instanceof GridError ? error.code : 'INVALID_VALUE'
        refused.push({ index, code, message: error.message })
      }
    })
    await Promise.all(writes)
    const written = rows.length - refused.length - expired
    const answer: BatchAnswer = { written, expired, refused: refused.toSorted((a, b) => a.index - b.index) }
    return c.json(answer)
  }

  #listed(collection: CollectionStatus): ListedCollection {
    if (collection.kind !== 'fields') return collection
    return { ...collection, objects: this.#grid.map(collection.name, { merge: 'fields' }).size }
  }

  /** The map of that name: with fields if it exists with fields, else an ordinary one. */
  #map(collection: string): GridMap<unknown> {
    try {
      return this.#grid.map(collection)
    } catch (mismatch) {
      if (!(mismatch instanceof GridError) || mismatch.code !== 'COLLECTION_MISMATCH') throw mismatch
      try {
        return this.#grid.map(collection, { merge: 'fields' })
      } catch {
        throw mismatch
      }
    }
  }

  /** The map, counters or sets of that name if they exist: reading a collection must not create it. */
  #known(collection: string): ReadableCollection {
    this.#checkKind(collection, ['map', 'fields', 'counters', 'sets'])
    return this.#readable(collection)
  }

  #readable(collection: string): ReadableCollection {
    return keyedCollection(this.#grid, collection) ?? this.#map(collection)
  }

  /** Throws `NOT_FOUND` where there is no collection of that name, and `COLLECTION_MISMATCH` for one of another kind. */
  #checkKind(collection: string, kinds: readonly string[]): void {
    const collections = this.#grid.collections()
    const found = collections.filter(({ name }) => name === collection)
    if (found.some(({ kind }) => kinds.includes(kind))) return
    if (found.length > 0) {
      const advice = `gossipgrid collections lists what there is; export writes maps, counters and sets to files.`
      throw CliError.fromPeer(
        'COLLECTION_MISMATCH',
        `'${collection}' is a ${found[0]!.kind}, not a ${kinds[0]}`,
        advice,
      )
    }
    const names = collections.map(({ name }) => name)
    const there = names.length === 0 ? 'There are none yet.' : `There are: ${names.slice(0, 20).join(', ')}`
    throw new CliError('NOT_FOUND', `no collection '${collection}' is known to this peer`, there)
  }
}

/** Writes an entry that expires at that time, unless it has come. */
async function setExpiring(
  map: GridMap<unknown>,
  key: string,
  value: unknown,
  expiresAtMs: number,
): Promise<'written' | 'expired'> {
  const ttlMs = Math.round(expiresAtMs - Date.now())
  if (ttlMs < 1) return 'expired'
  try {
    await map.set(key, value, { ttlMs })
  } catch (error) {
    // Here the option is a part of the row.
    if (!(error instanceof GridError) || error.code !== 'INVALID_OPTION') throw error
    throw new GridError('INVALID_VALUE', 'expiresAt is more than ten years from now', { cause: error })
  }
  return 'written'
}

function changeLine(change: { type: string; key: string; value: unknown; missed: number }): ChangeLine {
  if (change.type === 'lagged') return { type: 'lagged', missed: change.missed }
  if (change.type === 'delete') return { type: 'delete', key: change.key }
  return { type: 'set', key: change.key, value: toTagged(change.value) }
}

function noEntry(collection: string, key: string): CliError {
  return new CliError('NOT_FOUND', `no entry '${key}' in '${collection}' at this peer`)
}

/** Rejects invalid text with `INVALID_VALUE`. */
function readable<Content>(read: (text: string) => Content, text: string): Content {
  try {
    return read(text)
  } catch (error) {
    throw new GridError('INVALID_VALUE', (error as Error).message, { cause: error })
  }
}

function keyOf(c: Context): { collection: string; key: string } {
  return { collection: required(c, 'collection'), key: required(c, 'key') }
}

function required(c: Context, name: string): string {
  const value = c.req.query(name)
  if (value === undefined) throw new CliError('USAGE', `the parameter ${name} is missing`)
  return value
}

function countOf(c: Context, name: string): number | undefined {
  const value = c.req.query(name)
  return value === undefined ? undefined : Number(value)
}

function writeOptionsOf(c: Context): { copies?: number; timeoutMs?: number } {
  const copies = countOf(c, 'copies')
  const timeoutMs = countOf(c, 'timeoutMs')
  return { ...(copies === undefined ? {} : { copies }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

function jsonText(c: Context, text: string): Response {
  return c.body(text, 200, { 'content-type': 'application/json' })
}

function answerError(c: Context, error: unknown): Response {
  if (error instanceof CliError) {
    const { code, message, advice } = error
    return c.json({ error: { code, message, advice } }, code === 'NOT_FOUND' ? 404 : 400)
  }
  if (error instanceof GridError) return c.json({ error: { code: error.code, message: error.message } }, 400)
  const message = error instanceof Error ? error.message : String(error)
  return c.json({ error: { code: 'INTERNAL', message } }, 500)
}
