import type { CollectionStatus, Grid, GridMap, WriteOptions } from 'gossipgrid'
import { GridError } from 'gossipgrid'
import { Hono } from 'hono'
import type { Context, MiddlewareHandler } from 'hono'
import { CliError } from '../cli-error.ts'
import { JsonError, parseJson } from '../formats/json/json-fault.ts'
import { parseTagged, stringifyTagged, toTagged, fromTagged } from '../formats/json/tagged-json.ts'
import { BODY_MAX_BYTES } from './control-api.ts'
import type { BatchAnswer, DropAnswer, ForgetAnswer, MembersAnswer, PeerStatus, RefusedRow } from './control-api.ts'
import { backupResponse } from './backup-response.ts'
import { addPartitionedRoutes, followedPartitions } from './partitioned/partitioned-routes.ts'
import { memberShares } from './partitioned/member-shares.ts'
import { partitionedMap } from './partitioned/partitioned-collection.ts'
import { addQueryRoutes } from './queries/query-routes.ts'
import { changeLines, chosenOf, lateChangeLines, sinceIn } from './change-lines.ts'
import type { ChangesAnswer, ChangesQuery, FollowedCollection } from './change-lines.ts'
import { changeElements, countBy } from './counting.ts'
import { documentAnswer } from './document-answer.ts'
import { setExpiring } from './expiring-entry.ts'
import { keyedCollection, openSet } from './keyed-collection.ts'
import type { ReadableCollection } from './keyed-collection.ts'
import { endLine, inPieces, streamed } from './ndjson.ts'

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
  const changes: ChangesAnswer = (c, source, name) => calls.changesOf(c, source, name)
  addPartitionedRoutes(app, grid, closing, { changes, endLine, inPieces, streamed })
  app.get('/v1/status', (c) => c.json(calls.status()))
  app.get('/v1/members', async (c) => c.json({ ...calls.members(), shares: await memberShares(grid) }))
  app.delete('/v1/member', (c) => calls.forget(c))
  app.get('/v1/collections', (c) => c.json({ collections: calls.collections() }))
  app.delete('/v1/collection', (c) => calls.drop(c))
  app.get('/v1/backup', () => backupResponse(grid, facts.version, closing))
  app.get('/v1/entry', (c) => calls.get(c))
  app.put('/v1/entry', (c) => calls.set(c))
  app.delete('/v1/entry', (c) => calls.delete(c))
  app.get('/v1/entries', (c) => calls.entries(c))
  app.post('/v1/entries', (c) => calls.setEntries(c))
  app.get('/v1/elements', (c) => calls.elements(c))
  app.post('/v1/elements', (c) => calls.addElements(c))
  app.get('/v1/counter', (c) => calls.counter(c))
  app.post('/v1/change-of-counter', (c) => calls.change(c, countBy))
  app.post('/v1/change-of-set', (c) => calls.change(c, changeElements))
  app.post('/v1/counter', (c) => calls.setCounter(c))
  app.get('/v1/documents', (c) => c.json({ documents: grid.docs() }))
  app.get('/v1/document', (c) => calls.document(c))
  app.get('/v1/changes', (c) => calls.changes(c))
  app.post('/v1/changes', (c) => calls.changes(c))
  addQueryRoutes(app, (c) => partitionedMap(grid, c.req.query('collection') ?? '') ?? calls.map(c))
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
    return { ...status, ...this.#facts, uptimeMs, wallTime: new Date().toISOString() }
  }

  collections(): readonly CollectionStatus[] {
    return this.#grid.status().collections
  }

  members(): Omit<MembersAnswer, 'shares'> {
    return { members: this.#grid.members, registered: this.#grid.status().purging.members }
  }

  async drop(c: Context): Promise<Response> {
    const name = required(c, 'collection')
    this.#checkKind(name, ['map', 'fields', 'counter', 'set', 'counters', 'sets'])
    const { kind, entries } = this.collections().find((each) => each.name === name)!
    const receipt = await this.#grid.dropCollection(name, writeOptionsOf(c))
    if (receipt === undefined) throw new CliError('NOT_FOUND', `'${name}' is no collection that can be dropped`)
    const answer: DropAnswer = { collection: name, kind, entries, receipt }
    return c.json(answer)
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
        'gossipgrid members --wide lists them. A peer registers in its first minute; for one that left before, nothing waits.',
      )
    }
    const alive = this.#grid.members.some((member) => member.peerId === peerId && member.state === 'alive')
    const answer: ForgetAnswer = { peerId, alive }
    return c.json(answer)
  }

  async get(c: Context): Promise<Response> {
    const { collection, key } = keyOf(c)
    const map = this.#known(collection)
    const { timeoutMs } = writeOptionsOf(c)
    const after = c.req.query('after')
    const value = await map.get(key, { after, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
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
    const collection = required(c, 'collection')
    const map = this.#known(collection)
    const prefix = c.req.query('prefix') ?? ''
    const limit = countOf(c, 'limit') ?? Infinity
    if (!(limit >= 0))
      throw new GridError('INVALID_OPTION', `limit is a number from 0, not ${JSON.stringify(c.req.query('limit'))}`)
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
      yield endLine(sent, collection, sent < limit ? map : {})
    }
    return streamed(inPieces(lines()), () => stop.abort())
  }

  /** A POST has the cursor to go on from in its body, since it can be long: `{"since":...}`, or `{}` to begin. */
  async changes(c: Context): Promise<Response> {
    const collection = required(c, 'collection')
    const isThere = (): boolean => this.#grid.collections().some(({ name }) => name === collection)
    const found = (): FollowedCollection => {
      const spread = followedPartitions(this.#grid, collection)
      if (spread !== undefined) return spread
      return this.#known(collection)
    }
    if (isThere()) return this.changesOf(c, found(), collection)
    return this.#changeLines(c, (query) => lateChangeLines(collection, { isThere, found }, query))
  }

  changesOf(c: Context, source: FollowedCollection, collection: string): Promise<Response> {
    return this.#changeLines(c, (query) => changeLines(collection, source, query))
  }

  async #changeLines(c: Context, linesOf: (query: ChangesQuery) => AsyncIterable<string>): Promise<Response> {
    const resume = c.req.method === 'POST' ? { resume: sinceIn(readable(parseJson, await c.req.text())) } : {}
    const stop = new AbortController()
    const signal = AbortSignal.any([this.#closing, stop.signal])
    return streamed(linesOf({ ...chosenOf(c), ...resume, signal }), () => stop.abort())
  }

  async setEntries(c: Context): Promise<Response> {
    const collection = required(c, 'collection')
    const map = this.#map(collection)
    return this.#batch(c, collection, async (row) => {
      if (!Array.isArray(row)) throw new GridError('INVALID_VALUE', 'a row of a batch is [key, value]')
      const [key, value, expiresAtMs] = row as [string, unknown, number?]
      if (expiresAtMs === undefined) await map.set(key, fromTagged(value))
      else return setExpiring(map, key, fromTagged(value), expiresAtMs)
      return 'written'
    })
  }

  /** The elements of a set, each as tagged JSON in an array of its own: no element may look like the end of the stream. */
  elements(c: Context): Response {
    const collection = required(c, 'collection')
    this.#checkKind(collection, ['set'])
    const stop = new AbortController()
    const set = openSet(this.#grid, collection)
    const elements = set.values({ signal: AbortSignal.any([this.#closing, stop.signal]) })
    async function* lines(): AsyncGenerator<string, void, undefined> {
      let sent = 0
      for await (const element of elements) {
        yield `[${stringifyTagged(element)}]\n`
        sent += 1
      }
      yield endLine(sent, collection, set)
    }
    return streamed(inPieces(lines()), () => stop.abort())
  }

  async addElements(c: Context): Promise<Response> {
    const collection = required(c, 'collection')
    const set = this.#grid.set(collection)
    return this.#batch(c, collection, async (element) => {
      await set.add(fromTagged(element))
      return 'written'
    })
  }

  counter(c: Context): Response {
    const collection = required(c, 'collection')
    this.#checkKind(collection, ['counter'])
    return c.json({ value: this.#grid.counter(collection).value })
  }

  async document(c: Context): Promise<Response> {
    return c.json(await documentAnswer(this.#grid, required(c, 'document')))
  }

  /** Changes a counter or a set, of its own or under a key, and answers what is there then. */
  async change(c: Context, change: typeof countBy): Promise<Response> {
    const [collection, key] = [required(c, 'collection'), c.req.query('key')]
    const body = readable(parseJson, await c.req.text())
    const { value, receipt } = await change(this.#grid, { collection, key }, body, writeOptionsOf(c))
    const place = key === undefined ? { collection } : { collection, key }
    return jsonText(c, stringifyTagged({ ...place, value, ...(receipt === undefined ? {} : { receipt }) }))
  }

  /** Counts up or down to a value, from what this peer knows: the same value again counts nothing. */
  async setCounter(c: Context): Promise<Response> {
    const collection = required(c, 'collection')
    const counter = this.#grid.counter(collection)
    return this.#batch(c, collection, async (value) => {
      if (!Number.isSafeInteger(value))
        throw new GridError('INVALID_VALUE', 'a counter is a whole number within ±(2^53 - 1)')
      const difference = (value as number) - counter.value
      if (difference > 0) await counter.increment(difference)
      if (difference < 0) await counter.decrement(-difference)
      return 'written'
    })
  }

  /** Writes the rows of a batch one by one, and answers which of them were refused. */
  async #batch(
    c: Context,
    collection: string,
    write: (row: unknown) => Promise<'written' | 'expired'>,
  ): Promise<Response> {
    const rows: unknown = readable(parseJson, await c.req.text())
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
    // At once: it may be dropped, and begun again, while the rows are stored.
    const drops = this.#grid.collections().find(({ name }) => name === collection)?.drops
    await Promise.all(writes)
    const written = rows.length - refused.length - expired
    const inOrder = refused.toSorted((a, b) => a.index - b.index)
    const answer: BatchAnswer = { written, expired, refused: inOrder, ...(drops === undefined ? {} : { drops }) }
    return c.json(answer)
  }

  /** The map that a call names. Reading it must not create it. */
  map(c: Context): GridMap<unknown> {
    this.#checkKind(required(c, 'collection'), ['map', 'fields'])
    return this.#map(required(c, 'collection'))
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
    return keyedCollection(this.#grid, collection) ?? this.#map(collection)
  }

  /** Throws `NOT_FOUND` where there is no collection of that name, and `COLLECTION_MISMATCH` for one of another kind. */
  #checkKind(collection: string, kinds: readonly string[]): void {
    const collections = this.#grid.collections()
    const found = collections.filter(({ name }) => name === collection)
    if (found.some(({ kind }) => kinds.includes(kind))) return
    if (found.length > 0) {
      const advice = `gossipgrid collections lists what there is; export writes maps, counters and sets to files.`
      const message = `'${collection}' is a ${found[0]!.kind}, not a ${kinds[0]}`
      throw CliError.fromPeer('COLLECTION_MISMATCH', message, advice)
    }
    const names = collections.map(({ name }) => name)
    const there = names.length === 0 ? 'There are none yet.' : `There are: ${names.slice(0, 20).join(', ')}`
    throw new CliError('NOT_FOUND', `no collection '${collection}' is known to this peer`, there)
  }
}

function noEntry(collection: string, key: string): CliError {
  return new CliError('NOT_FOUND', `no entry '${key}' in '${collection}' at this peer`)
}

/** Rejects invalid text with `INVALID_VALUE`. */
function readable<Content>(read: (text: string) => Content, text: string): Content {
  try {
    return read(text)
  } catch (error) {
    const { message } = error as Error
    throw new GridError('INVALID_VALUE', error instanceof JsonError ? `the body ${message}` : message, { cause: error })
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

function writeOptionsOf(c: Context): Pick<WriteOptions, 'copies' | 'timeoutMs'> & { timeoutMs?: number } {
  const peers = countOf(c, 'peers')
  const counted = peers === undefined ? countOf(c, 'copies') : { peers }
  const copies = c.req.query('copies') === 'all' ? 'all' : counted
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
