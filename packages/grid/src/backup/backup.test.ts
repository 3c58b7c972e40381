import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageBlob, Peer } from '@gossipgrid/core'
import { levelStorage } from '@gossipgrid/storage'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import { backupBlobs, backupOrigin } from './backup.ts'
import { restoreBlobs } from './restore.ts'

let folder: string
let grids: TestGrids

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gg-backup-'))
  grids = new TestGrids()
})

afterEach(async () => {
  await grids.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Taken {
  readonly blobs: readonly ImageBlob[]
  readonly isSound: boolean
}

/** `meanwhile` is called after each blob. */
async function take(grid: Grid, meanwhile: () => unknown = () => undefined): Promise<Taken> {
  const blobs: ImageBlob[] = []
  const taking = backupBlobs(grid)
  for (let step = await taking.next(); ; step = await taking.next()) {
    if (step.done === true) return { blobs, isSound: step.value }
    blobs.push({ ...step.value, bytes: step.value.bytes.slice() })
    await meanwhile()
  }
}

async function restored({ blobs }: Taken, options: { readonly joined?: TestGrids } = {}): Promise<Grid> {
  const directory = join(folder, 'restored')
  async function* each(): AsyncGenerator<ImageBlob, void, undefined> {
    yield* blobs
  }
  await restoreBlobs(each(), directory)
  return (options.joined ?? new TestGrids()).open({ storage: await levelStorage({ directory }) })
}

/** Entries of one peer of which another one claims that it has seen them, and that it does not have. */
function claimedFalsely(source: Peer, copy: Peer): string[] {
  const missing: string[] = []
  for (const { name, replica } of source.collections.partitions()) {
    const here = copy.collections.find(name)?.replica
    for (const slot of replica.table.slots()) {
      const id = copy.collections.ids.indexOf(source.collections.ids.id(replica.table.writer(slot)))
      if (id === undefined || here?.vector.has(id, replica.table.sequence(slot)) !== true) continue
      const found = here.table.slotOf(replica.table.key(slot))
      if (found === undefined || here.table.hlc(found) < replica.table.hlc(slot)) missing.push(replica.table.key(slot))
    }
  }
  return missing
}

it('a restore into an empty grid is that grid again, with every kind, documents, expiry, deletes, drops and floors', async () => {
  const grid = await grids.open({ storage: diskInMemory() })
  const map = grid.map<unknown>('map')
  for (let i = 0; i < 3000; i++) void map.set(`key ${i}`, { i })
  await map.set('gone', 1)
  await map.delete('gone')
  await map.set('expires', 2, { ttlMs: 3_600_000 })
  await grid.map('fields', { merge: 'fields' }).set('o', { a: 1, b: 2 })
  await grid.counter('counter').increment(42)
  await grid.set('set').add('red')
  await grid.counters('counters').increment('/', 7)
  await grid.sets('sets').add('post', 'blue')
  const doc = await grid.doc('note')
  doc.y.getText('t').insert(0, 'hello')
  await doc.flush()
  await grid.map('dropped').set('a', 1)
  await grid.dropCollection('dropped')
  await grid.map('dropped').set('b', 2)
  const { peer } = grid.pump
  const { replica } = peer.collections.get('map')!.partitions[0]!
  const head = Math.floor(replica.vector.head(peer.collections.ids.indexOf(peer.replicaId)!) / 2)
  replica.raiseFloor(replica.floor.with([{ replicaId: peer.replicaId, head, ranges: [] }], Date.now() - 60_000))
  const taken = await take(grid)
  expect(taken.isSound).toBe(true)
  expect(backupOrigin(grid)).toMatchObject({ grid: 'test', peerId: grid.peerId })
  const again = await restored(taken)
  expect(again.pump.peer.collections.root()).toBe(peer.collections.root())
  expect(again.pump.peer.collections.floors()).toBe(peer.collections.floors())
  expect(again.pump.peer.replicaId).not.toBe(peer.replicaId)
  const copy = again.map<unknown>('map')
  expect([copy.size, copy.peek('key 2999'), copy.peek('gone')]).toEqual([3001, { i: 2999 }, undefined])
  expect(copy.expiresAt('expires')).toEqual(map.expiresAt('expires'))
  expect(again.map('fields', { merge: 'fields' }).peek('o')).toEqual({ a: 1, b: 2 })
  expect([again.counter('counter').value, again.counters('counters').peek('/')]).toEqual([42, 7])
  expect([again.set('set').holds('red'), again.sets('sets').peek('post')]).toEqual([true, ['blue']])
  expect((await again.doc('note')).y.getText('t').toJSON()).toBe('hello')
  expect(again.map('dropped').size).toBe(1)
  await again.close()
})

it('in a grid that lives it is a peer that returns with an old copy', async () => {
  const [first, second] = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
  await second.ready()
  const map = first.map<number>('map')
  for (const key of ['kept', 'changed', 'deleted']) await map.set(key, 1)
  await first.counter('visits').increment(5)
  await first.map('dropped').set('a', 1)
  await until(() => second.map('map').size === 3 && second.collections().length === 3, 'all have come')
  const taken = await take(second)
  await map.set('changed', 2)
  await map.delete('deleted')
  await first.counter('visits').increment(2)
  await first.dropCollection('dropped')
  const back = await restored(taken, { joined: grids })
  const all = [first, second, back]
  await until(() => all.every((grid) => grid.map('map').peek('changed') === 2), 'it has what was written since')
  await until(() => all.every((grid) => grid.counter('visits').value === 7), 'and what was counted')
  for (const grid of all) {
    expect([grid.map('map').peek('deleted'), grid.map('map').peek('kept')]).toEqual([undefined, 1])
    expect(
      grid
        .collections()
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['map', 'visits'])
  }
  await back.map('map').set('later', 3)
  await until(() => first.map('map').peek('later') === 3, 'it writes again')
})

it('what is written meanwhile is in it or not, and it claims nothing that it lacks', async () => {
  const grid = await grids.open({ storage: diskInMemory() })
  const map = grid.map<unknown>('map')
  for (let i = 0; i < 40_000; i++) void map.set(`key ${i}`, i)
  await map.set('last', 0)
  let turn = 0
  const taken = await take(grid, () => {
    turn += 1
    for (let i = 0; i < 300; i++) void map.set(`key ${(turn * 7919 + i * 13) % 40_000}`, `turn ${turn}`)
    void map.set(`new ${turn}`, turn)
    void map.delete(`key ${turn}`)
    void grid.counter(`counter ${turn}`).increment()
  })
  await map.set('after', 1)
  expect(taken.isSound).toBe(true)
  expect(taken.blobs.length).toBeGreaterThan(8)
  const again = await restored(taken)
  expect(claimedFalsely(grid.pump.peer, again.pump.peer)).toEqual([])
  expect(again.map('map').size).toBeGreaterThan(39_900)
  await again.close()
})

it('a purge or a drop on the way makes it unsound', async () => {
  const grid = await grids.open({ storage: diskInMemory() })
  for (let i = 0; i < 20_000; i++) void grid.map('map').set(`key ${i}`, i)
  await grid.map('map').set('last', 0)
  const { peer } = grid.pump
  const { replica } = peer.collections.get('map')!.partitions[0]!
  const { replicaId } = peer
  // Each time, since other collections may have their turn before this one.
  let head = 5
  const purged = await take(grid, () => {
    replica.raiseFloor(replica.floor.with([{ replicaId, head: head++, ranges: [] }], Date.now()))
  })
  expect(purged.isSound).toBe(false)
  const dropped = await take(grid, () => grid.dropCollection('map'))
  expect(dropped.isSound).toBe(false)
})

it('ends with the grid, and with its signal', async () => {
  const grid = await grids.open()
  await grid.map('map').set('a', 1)
  await expect(backupBlobs(grid, { signal: AbortSignal.abort() }).next()).rejects.toMatchObject({ code: 'ABORTED' })
  const taking = backupBlobs(grid)
  await taking.next()
  await grid.close()
  await expect(taking.next()).rejects.toMatchObject({ code: 'CLOSED' })
})
