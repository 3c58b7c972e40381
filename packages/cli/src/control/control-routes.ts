import type { Grid, GridMap } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { Hono } from 'hono'
import type { Context, MiddlewareHandler } from 'hono'
import { CliError } from '../cli-error.ts'
import { parseTagged, stringifyTagged, toTagged, fromTagged } from '../formats/tagged-json.ts'
import { BODY_MAX_BYTES } from './control-api.ts'
import type { Batch, ChangeLine, ForgetAnswer, MembersAnswer, PeerStatus, RefusedRow } from './control-api.ts'
import { inPieces, streamed } from './ndjson.ts'

/** What the peer command knows and the grid does not. */
export type PeerFacts = Omit<PeerStatus, keyof ReturnType<Grid['status']> | 'uptimeMs' | 'wallTime'>

/** The calls that a peer takes on its local socket. `closing` ends all streams. */
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
  app.get('/v1/collections', (c) => c.json({ collections: grid.status().collections }))
  app.get('/v1/entry', (c) => calls.get(c))
  app.put('/v1/entry', (c) => calls.set(c))
  app.delete('/v1/entry', (c) => calls.delete(c))
  app.get('/v1/entries', (c) => calls.entries(c))
  app.post('/v1/entries', (c) => calls.batch(c))
  app.get('/v1/changes', (c) => calls.changes(c))
  return app
}

/** Node reads no more of a body than its length says, so looking at the length is enough. */
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
    return { ...this.#grid.status(), ...this.#facts, uptimeMs, wallTime: new Date().toISOString() }
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
    const expiresAt = map.expiresAt(key)?.toISOString()
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
          yield `${JSON.stringify([key, toTagged(value)])}\n`
          if (++sent >= limit) break
        }
      }
      yield `{"end":${sent}}\n`
    }
    return streamed(inPieces(lines()), () => stop.abort())
  }

  changes(c: Context): Response {
    // Not `#known`: one may wait for the first entry of a collection.
    const map = this.#map(required(c, 'collection'))
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

  async batch(c: Context): Promise<Response> {
    const map = this.#map(required(c, 'collection'))
    const rows = readable(JSON.parse, await c.req.text()) as Batch
    if (!Array.isArray(rows)) throw new GridError('INVALID_VALUE', 'a batch is an array of [key, value]')
    const refused: RefusedRow[] = []
    const writes = (rows as readonly unknown[]).map(async (row, index) => {
      try {
        if (!Array.isArray(row)) throw new GridError('INVALID_VALUE', 'a row of a batch is [key, value]')
        await map.set(row[0] as string, fromTagged(row[1]))
      } catch (error) {
        if (!(error instanceof GridError || error instanceof SyntaxError)) throw error
        const code = error instanceof GridError ? error.code : 'INVALID_VALUE'
        refused.push({ index, code, message: error.message })
      }
    })
    await Promise.all(writes)
    return c.json({ written: rows.length - refused.length, refused: refused.toSorted((a, b) => a.index - b.index) })
  }

  /** The map of that name: with fields, where that is what is here already; else an ordinary one. */
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

  /** The map of that name if there is one: reading a collection must not make it. */
  #known(collection: string): GridMap<unknown> {
    const collections = this.#grid.collections()
    if (collections.some(({ name }) => name === collection)) return this.#map(collection)
    const names = collections.map(({ name }) => name)
    const there = names.length === 0 ? 'There are none yet.' : `There are: ${names.slice(0, 20).join(', ')}`
    throw new CliError('NOT_FOUND', `no collection '${collection}' is known to this peer`, there)
  }
}

function changeLine(change: { type: string; key: string; value: unknown; missed: number }): ChangeLine {
  if (change.type === 'lagged') return { type: 'lagged', missed: change.missed }
  if (change.type === 'delete') return { type: 'delete', key: change.key }
  return { type: 'set', key: change.key, value: toTagged(change.value) }
}

function noEntry(collection: string, key: string): CliError {
  return new CliError('NOT_FOUND', `no entry '${key}' in '${collection}' at this peer`)
}

/** Rejects text that cannot be read with `INVALID_VALUE`. */
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
