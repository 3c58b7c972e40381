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
