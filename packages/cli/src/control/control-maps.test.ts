import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BatchAnswer, EntryAnswer } from './control-api.ts'
import { ControlClient } from './control-client.ts'
import { serveControl } from './control-server.ts'
import type { ControlServer } from './control-server.ts'

let folder: string
let grid: Grid
let server: ControlServer
let client: ControlClient

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
  grid = await openGrid({ name: 'maps', secret: 'of a test', listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  const socket = join(folder, 'maps.sock')
  const facts = { pid: process.pid, version: '0.0.0', directory: '', metrics: '' }
  server = await serveControl({ grid, socket, facts })
  client = new ControlClient(socket)
})

afterEach(async () => {
  client.close()
  await server.close()
  await grid.close()
  rmSync(folder, { recursive: true, force: true })
})

test('an entry can have a time to live, and shows when it expires', async () => {
  const before = Date.now()
  const query = { collection: 'm', key: 'k' }
  await client.call('/v1/entry', { method: 'PUT', query: { ...query, ttlMs: 60_000 }, body: '1' })
  const { value, expiresAt } = await client.call<EntryAnswer>('/v1/entry', { query })
  expect(value).toBe(1)
  expect(Date.parse(expiresAt!)).toBeGreaterThanOrEqual(before + 60_000)
  const refused = client.call('/v1/entry', { method: 'PUT', query: { ...query, ttlMs: 0 }, body: '1' })
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await client.call('/v1/entry', { method: 'PUT', query, body: '2' })
  expect(await client.call<EntryAnswer>('/v1/entry', { query })).toEqual({ ...query, value: 2 })
})

test('what has no changes to watch is refused, and a collection that is not there yet is waited for', async () => {
  await grid.counter('visits').increment()
  await grid.set('tags').add('red')
  const note = await grid.doc('note')
  note.y.getText('t').insert(0, 'x')
  await note.flush()
  await note.close()
  for (const [collection, kind] of [
    ['visits', 'counter'],
    ['tags', 'set'],
    ['documents', 'document'],
  ] as const) {
    const refused = { code: 'COLLECTION_MISMATCH', message: `'${collection}' is a ${kind}, not a map` }
    await expect(client.lines('/v1/changes', { query: { collection } }).next()).rejects.toMatchObject(refused)
    const resumed = { query: { collection }, method: 'POST', body: '{}' } as const
    await expect(client.lines('/v1/changes', resumed).next()).rejects.toMatchObject(refused)
  }
  const lines = client.lines('/v1/changes', { query: { collection: 'later', initial: true } })
  const first = lines.next()
  await grid.map('later').set('a', 1)
  expect(JSON.parse((await first).value!)).toMatchObject({ type: 'set', key: 'a', value: 1 })
  await lines.return()
})

test('a stream of entries that ends early, since the collection is dropped, says so at its end', async () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => [`key ${i}`, 'x'.repeat(100)] as const)
  for (const [path, write, query] of [
    ['/v1/entries', () => grid.map('m').setMany(rows), {}],
    ['/v1/entries', () => grid.map('m').setMany(rows), { keysOnly: true }],
    ['/v1/elements', () => grid.set('m').addMany(rows.map(([key]) => key)), {}],
  ] as const) {
    await write()
    let seen = 0
    const read = async (limit?: number): Promise<void> => {
      for await (const _ of client.lines(path, { query: { collection: 'm', limit, ...query } })) {
        if (seen++ === 0) await grid.dropCollection('m')
      }
    }
    await expect(read(), path).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
    await write()
    seen = 1
    await read(10)
    expect(seen).toBe(path === '/v1/elements' ? 50_001 : 11)
    await grid.dropCollection('m')
  }
})

test('a map with fields is read and written as one, and another kind is refused', async () => {
  await grid.map('m', { merge: 'fields' }).set('k', { a: 1 })
  const query = { collection: 'm', key: 'k' }
  await client.call('/v1/entry', { method: 'PUT', query, body: '{"a":1,"b":2}' })
  expect(grid.map('m').peek('k')).toEqual({ a: 1, b: 2 })
  expect(await client.call<EntryAnswer>('/v1/entry', { query })).toEqual({ ...query, value: { a: 1, b: 2 } })
  await grid.set('s').add('element')
  const refused = client.call('/v1/entry', { query: { collection: 's', key: 'k' } })
  await expect(refused).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
})

test('an invalid batch, row or number is refused with a code, and the other rows are written', async () => {
  const query = { collection: 'm' }
  const body = '[null, 1, [], ["k", 1], {"a": 1}, [5, 5], ["\\ud800", 1], ["v", {"$date": 1}]]'
  const answer = await client.call<BatchAnswer>('/v1/entries', { method: 'POST', query, body })
  expect(answer.written).toBe(1)
  expect(answer.refused.map(({ index }) => index)).toEqual([0, 1, 2, 4, 5, 6, 7])
  expect(new Set(answer.refused.map(({ code }) => code))).toEqual(new Set(['INVALID_VALUE', 'INVALID_KEY']))
  expect(await client.call<EntryAnswer>('/v1/entry', { query: { ...query, key: 'k' } })).toMatchObject({ value: 1 })
  const unreadable = client.call('/v1/entries', { method: 'POST', query, body: '[nu' })
  await expect(unreadable).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  for (const limit of ['abc', -5]) {
    const refused = client.text('/v1/entries', { query: { ...query, limit } })
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  }
})

test('counters and sets under keys are read, listed, watched and deleted as entries', async () => {
  const [visits, tags] = [grid.counters('visits'), grid.sets<string>('tags')]
  await visits.increment('/home', 3)
  await visits.increment('/about')
  await tags.add('post', 'red')
  await tags.add('post', 'blue')
  const get = (collection: string, key: string): Promise<EntryAnswer> =>
    client.call<EntryAnswer>('/v1/entry', { query: { collection, key } })
  expect(await get('visits', '/home')).toEqual({ collection: 'visits', key: '/home', value: 3 })
  expect(await get('tags', 'post')).toEqual({ collection: 'tags', key: 'post', value: ['red', 'blue'] })
  await expect(get('tags', 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const lines = async (path: string, query: Record<string, string>, count: number): Promise<unknown[]> => {
    const read: unknown[] = []
    for await (const line of client.lines(path, { query })) if (read.push(JSON.parse(line)) === count) break
    return read
  }
  expect(await lines('/v1/entries', { collection: 'visits', prefix: '/h' }, 2)).toEqual([['/home', 3]])
  expect(await lines('/v1/entries', { collection: 'tags', keysOnly: 'true' }, 1)).toEqual(['post'])
  expect(await lines('/v1/changes', { collection: 'visits', key: '/about', initial: 'true' }, 1)).toEqual([
    { type: 'set', key: '/about', value: 1 },
  ])
  const watching = lines('/v1/changes', { collection: 'tags', initial: 'true' }, 3)
  await client.call('/v1/entry', { method: 'DELETE', query: { collection: 'visits', key: '/home' } })
  expect(visits.peek('/home')).toBeUndefined()
  await new Promise((resolve) => setTimeout(resolve, 100))
  await tags.remove('post', 'red')
  await tags.delete('post')
  expect(await watching).toEqual([
    { type: 'set', key: 'post', value: ['red', 'blue'] },
    { type: 'set', key: 'post', value: ['red', 'blue'] },
    { type: 'set', key: 'post', value: ['blue'] },
  ])
})

test('changes of maps can be resumed, those of counters and sets under keys cannot', async () => {
  await grid.map('m', { merge: 'fields' }).set('k', { a: 1 })
  const first = async (collection: string, body: object, query = {}): Promise<Partial<Record<string, unknown>>> => {
    const call = { method: 'POST', query: { collection, ...query }, body: JSON.stringify(body) } as const
    for await (const line of client.lines('/v1/changes', call)) return JSON.parse(line) as Record<string, unknown>
    return {}
  }
  const { cursor: since, ...change } = await first('m', {})
  expect(change).toEqual({ type: 'set', key: 'k', value: { a: 1 } })
  await grid.map('m').set('k', { a: 1, b: 2 })
  expect(await first('m', { since })).toMatchObject({ type: 'set', key: 'k', value: { a: 1, b: 2 } })
  expect(await first('other', { since })).toMatchObject({ type: 'failed', code: 'INVALID_TOKEN' })
  expect(await first('m', { since: 7 })).toMatchObject({ type: 'failed', code: 'INVALID_TOKEN' })
  await grid.counters('visits').increment('/home')
  await expect(first('visits', {})).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
})

test('a stream of changes says that its collection was dropped, and a cursor from before that has expired', async () => {
  await grid.map('m').set('k', 1)
  await grid.counters('visits').increment('/home')
  const call = { method: 'POST', query: { collection: 'm' } } as const
  const read = async (path: string, options: object): Promise<{ type?: string; code?: string; cursor?: string }[]> => {
    const lines: object[] = []
    for await (const line of client.lines(path, options)) lines.push(JSON.parse(line) as object)
    return lines
  }
  const all = [
    read('/v1/changes', { ...call, body: '{}' }),
    read('/v1/changes', { query: { collection: 'visits', initial: 'true' } }),
  ]
  await new Promise((resolve) => setTimeout(resolve, 200))
  await grid.dropCollection('m')
  await grid.dropCollection('visits')
  const [ofMap, ofCounters] = await Promise.all(all)
  for (const lines of [ofMap!, ofCounters!]) {
    expect(lines.map(({ type }) => type)).toEqual(['set', 'delete', 'failed'])
    expect(lines.at(-1)).toMatchObject({ code: 'COLLECTION_DROPPED' })
  }
  const resumed = await read('/v1/changes', { ...call, body: JSON.stringify({ since: ofMap![0]!.cursor }) })
  expect(resumed).toMatchObject([{ type: 'failed', code: 'CURSOR_EXPIRED' }])
})

test('a counter and a set without keys are refused with a word on what they are', async () => {
  await grid.counter('total').increment()
  const refused = client.call('/v1/entry', { query: { collection: 'total', key: 'k' } })
  await expect(refused).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
    message: "'total' is a counter, not a map",
  })
  await grid.counters('visits').increment('k')
  const writing = client.call('/v1/entry', { method: 'PUT', query: { collection: 'visits', key: 'k' }, body: '1' })
  await expect(writing).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
})

test('a collection is dropped, and one that is not there, or of documents, is not', async () => {
  await grid.map('m', { merge: 'fields' }).set('k', { a: 1, b: 2 })
  const drop = (collection: string): Promise<unknown> =>
    client.call('/v1/collection', { method: 'DELETE', query: { collection } })
  expect(await drop('m')).toMatchObject({ collection: 'm', kind: 'fields', entries: 1, receipt: { durable: false } })
  expect(grid.collections()).toEqual([])
  await expect(drop('m')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const doc = await grid.doc('note')
  doc.y.getText('t').insert(0, 'kept')
  await doc.flush()
  await expect(drop('documents')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
  expect(grid.docs()).toEqual(['note'])
})
