import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ChangeAnswer, CollectionsAnswer, EntryAnswer, MembersAnswer } from './control-api.ts'
import { ControlClient } from './control-client.ts'
import { serveControl } from './control-server.ts'
import type { ControlServer } from './control-server.ts'
import type { LeaveLine } from './partitioned/leave-routes.ts'

const SHAPE = { mode: 'partitioned', partitions: 16, owners: 1 } as const

let folder: string
let grid: Grid
let server: ControlServer
let client: ControlClient
let left = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
  const listen = ['/ip4/127.0.0.1/tcp/0']
  grid = await openGrid({ name: 'spread', secret: 'of a test', listen, mdns: false, directory: join(folder, 'data') })
  const socket = join(folder, 'spread.sock')
  const facts = { pid: process.pid, version: '0.0.0', directory: '', metrics: '' }
  left = 0
  server = await serveControl({ grid, socket, facts, left: () => (left += 1) })
  client = new ControlClient(socket)
})

afterEach(async () => {
  client.close()
  await server.close()
  await grid.close()
  rmSync(folder, { recursive: true, force: true })
})

async function linesOf(path: string, query: Record<string, string | boolean>): Promise<unknown[]> {
  const lines: unknown[] = []
  for await (const line of client.lines(path, { query })) lines.push(JSON.parse(line))
  return lines
}

function change(path: string, query: Record<string, string>, body: string): Promise<ChangeAnswer> {
  return client.call(path, { method: 'POST', query, body })
}

test('partitioned counters are counted, read and deleted', async () => {
  grid.counters('visits', SHAPE)
  const query = { collection: 'visits', key: '/home' }
  expect(await change('/v1/change-of-counter', query, '3')).toMatchObject({ value: 3, receipt: { durable: true } })
  expect(await change('/v1/change-of-counter', { ...query, copies: 'all' }, '-1')).toMatchObject({ value: 2 })
  expect(await client.call<EntryAnswer>('/v1/entry', { query })).toEqual({ ...query, value: 2 })
  expect(await linesOf('/v1/entries', { collection: 'visits' })).toEqual([['/home', 2]])
  await expect(change('/v1/change-of-counter', { collection: 'visits' }, '1')).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
  })
  await expect(change('/v1/change-of-counter', { ...query, peers: '2' }, '1')).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
  await client.call('/v1/entry', { method: 'DELETE', query })
  await expect(client.call('/v1/entry', { query })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(client.call('/v1/entry', { method: 'PUT', query, body: '1' })).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
  })
})

test('partitioned sets get elements and lose them, and tell what each key has then', async () => {
  grid.sets('tags', SHAPE)
  grid.set('words', SHAPE)
  const query = { collection: 'tags', key: 'post' }
  const body = JSON.stringify({ add: ['red', 'blue'], remove: ['green'] })
  expect((await change('/v1/change-of-set', query, body)).value).toEqual(expect.arrayContaining(['red', 'blue']))
  expect(await change('/v1/change-of-set', query, '{"remove":["red"]}')).toMatchObject({ value: ['blue'] })
  const watch = client.lines('/v1/changes', { query: { ...query, initial: true } })
  expect(JSON.parse((await watch.next()).value!)).toEqual({ type: 'set', key: 'post', value: ['blue'] })
  await client.call('/v1/entry', { method: 'DELETE', query })
  expect(JSON.parse((await watch.next()).value!)).toEqual({ type: 'delete', key: 'post' })
  await watch.return()
  expect(await change('/v1/change-of-set', { collection: 'words' }, body)).toMatchObject({ value: expect.any(Array) })
  expect((await linesOf('/v1/elements', { collection: 'words' })).map(String).toSorted()).toEqual(['blue', 'red'])
  await expect(change('/v1/change-of-set', { collection: 'tags' }, body)).rejects.toMatchObject({
    code: 'COLLECTION_MISMATCH',
  })
})

test('members have their shares of all partitioned collections together, and collections what is here', async () => {
  const none = await client.call<MembersAnswer>('/v1/members')
  expect(none.shares).toEqual([])
  grid.counters('visits', SHAPE)
  await grid.map('plain').set('a', 1)
  const carts = grid.map<string>('carts', { ...SHAPE, partitions: 32 })
  await carts.set('42', 'tea', { copies: 'all' })
  await grid.counters('visits', SHAPE).increment('/', 1, { copies: 'all' })
  const { shares } = await client.call<MembersAnswer>('/v1/members')
  expect(shares).toEqual([
    { peerId: grid.peerId, zone: '', weight: 1, state: 'owner', owned: 48, whole: 48, handingOver: 0 },
  ])
  const { collections } = await client.call<CollectionsAnswer>('/v1/collections')
  const shown = { partitions: 32, owners: 1, owned: 32, whole: 32 }
  const moving = { handingOver: 0, handingOverBytes: 0, underReplicated: 0 }
  expect(collections.find(({ name }) => name === 'carts')).toMatchObject({ ...shown, ...moving })
  expect(collections.find(({ name }) => name === 'plain')).not.toHaveProperty('handingOver')
})

test('a peer that leaves says so once, also if it has nothing to hand over, and is closed', async () => {
  const lines: LeaveLine[] = []
  for await (const line of client.lines('/v1/leave', { method: 'POST' })) lines.push(JSON.parse(line) as LeaveLine)
  expect(lines.at(-1)).toEqual({ left: true })
  expect(left).toBe(1)
  expect(() => grid.map('m')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})
