import { randomInt } from 'node:crypto'
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { levelStorage } from '@gossipgrid/storage'
import { Random } from '@gossipgrid/testing/simulation'
import { GridError } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GridDirectories, entriesOf, equalEntries, reasonsOf } from './grid-directories.ts'

const RANDOM_DAMAGES = 25

let directories: GridDirectories

beforeEach(async () => {
  directories = await GridDirectories.make()
})

afterEach(async () => {
  await directories.close()
})

/**
 * Two peers that have seen each other's writes. The first one was closed: its tables have the older writes, its log the
 * last ones, one per group.
 */
async function closedPeer(): Promise<{ replicaId: string; other: Grid; entries: Record<string, unknown> }> {
  const other = await directories.open('other')
  for (let life = 0; life < 3; life++) {
    const grid = await directories.open('grid', [other])
    const notes = grid.map('notes')
    for (let i = 0; i < 20; i++) {
      await notes.set(`grid ${i}`, `life ${life}`)
      await other.map('notes').set(`other ${i}`, `life ${life}`)
    }
    for (let i = 0; i < 5; i++) await notes.delete(`grid ${i}`)
    await equalEntries(grid, other)
    // Losing the last writes would cost nothing if all of them were from other peers.
    await notes.set('last', life)
    const entries = await equalEntries(grid, other)
    const { replicaId } = grid.status()
    await grid.close()
    if (life === 2) return { replicaId, other, entries }
  }
  throw new Error('unreachable')
}

async function fileNamed(pattern: RegExp): Promise<string> {
  const names = await readdir(directories.path('grid'))
  const name = names.toSorted().findLast((candidate) => pattern.test(candidate))
  return join(directories.path('grid'), name!)
}

async function overwrite(pattern: RegExp, from: number, to: number): Promise<void> {
  const content = await readFile(await fileNamed(pattern))
  content.fill(0xff, from < 0 ? content.length + from : from, to < 0 ? content.length + to : to)
  await writeFile(await fileNamed(pattern), content)
}

/** Replaces or removes blobs of the closed store. LevelDB notices nothing. */
async function tamper(prefix: string, which: number, bytes?: Uint8Array): Promise<void> {
  const storage = await levelStorage({ directory: directories.path('grid') })
  const key = (await storage.list(prefix)).at(which)!
  await storage.write([bytes === undefined ? { type: 'delete', key } : { type: 'put', key, bytes }], { durable: true })
  await storage.close()
}

const GARBAGE = new Uint8Array(30).fill(0xee)

const damages: readonly (readonly [what: string, damage: () => Promise<void>, reason: RegExp])[] = [
  [
    'a manifest of garbage',
    async () => writeFile(await fileNamed(/^MANIFEST/), GARBAGE),
    /was set aside as .*damaged-1/,
  ],
  ['a manifest cut short', async () => truncate(await fileNamed(/^MANIFEST/), 20), /was set aside as .*damaged-1/],
  ['no CURRENT', async () => rm(await fileNamed(/^CURRENT/)), /was set aside as .*damaged-1/],
  ['a table cut short', async () => truncate(await fileNamed(/\.ldb$/), 300), /was set aside as .*damaged-1/],
  ['a lost table', async () => rm(await fileNamed(/\.ldb$/)), /was set aside as .*damaged-1/],
  ['a log with unreadable bytes', () => overwrite(/\.log$/, 100, 150), /bytes of the database's log were unreadable/],
  ['a log with an unreadable tail', () => overwrite(/\.log$/, -20, -1), /bytes of the database's log were unreadable/],
  ['no log', async () => rm(await fileNamed(/\.log$/)), /the database's log was missing/],
  ['a log tail that is torn off', async () => truncate(await fileNamed(/\.log$/), 500), /has seen write \d+ of this/],
  ['no last log blob', () => tamper('log/', -1), /has seen write \d+ of this/],
  ['a log blob missing in the middle', () => tamper('log/', 5), /is damaged: missing/],
  ['a log blob of garbage', () => tamper('log/', -1, GARBAGE), /stored blob 'log\/\d+' is damaged/],
  ['a meta blob of garbage', () => tamper('meta', 0, GARBAGE), /stored blob 'meta' is damaged/],
]

describe('a directory with', () => {
  it.each(damages)(
    '%s: reported, a new replica id, and everything that the other peer has comes back',
    async (_what, damage, reason) => {
      const { replicaId, other, entries } = await closedPeer()
      await damage()
      const grid = await directories.open('grid', [other])
      expect(await equalEntries(grid, other)).toEqual(entries)
      expect(reasonsOf(grid)).toMatch(reason)
      expect(reasonsOf(grid)).toMatch(/new replica id/)
      expect(grid.status().replicaId).not.toBe(replicaId)
      // It runs on, and the next start finds nothing wrong.
      await grid.map('notes').set('after', 'the damage')
      await other.map('notes').set('after', 'the damage, too')
      await equalEntries(grid, other)
    },
  )
})

/**
 * Flips a bit, cuts, blanks or removes, somewhere in some file of the closed store. Tables are only cut or removed:
 * LevelDB checks no checksums when it opens them, and some bits in a table's index end the whole process by an
 * assertion.
 */
async function damageAnything(name: string, random: Random): Promise<string> {
  const files = (await readdir(directories.path(name))).filter((file) => !/^(LOG|LOCK)/.test(file))
  const file = random.pick(files)
  const path = join(directories.path(name), file)
  const content = await readFile(path)
  const at = random.below(content.length)
  const ways = file.endsWith('.ldb') ? ['cut', 'remove'] : ['flip', 'zero', 'fill', 'cut', 'remove']
  const way = random.pick(ways)
  if (way === 'remove') await rm(path)
  else if (way === 'cut') await truncate(path, at)
  else {
    if (way === 'flip') content[at]! ^= 1 << random.below(8)
    else content.fill(way === 'zero' ? 0 : 0xff, at, Math.min(content.length, at + 1 + random.below(4096)))
    await writeFile(path, content)
  }
  return `${way} ${file} at ${at}`
}

it(`${RANDOM_DAMAGES} random damages of random files: the grid opens, and everything that the other peer has comes back`, async () => {
  const { other, entries } = await closedPeer()
  const seed = randomInt(2 ** 32)
  const random = new Random(seed)
  for (let i = 0; i < RANDOM_DAMAGES; i++) {
    await directories.copy('grid', `copy ${i}`)
    const damage = await damageAnything(`copy ${i}`, random)
    try {
      const grid = await directories.open(`copy ${i}`, [other])
      expect(await equalEntries(grid, other)).toEqual(entries)
      await grid.close()
      await (await directories.open(`copy ${i}`)).close()
    } catch (error) {
      throw new Error(`Damage ${i} of seed ${seed}, ${damage}`, { cause: error })
    }
  }
})

it('a torn tail is reported in the log too', async () => {
  await closedPeer()
  await truncate(await fileNamed(/\.log$/), 500)
  await directories.open('grid')
  expect(directories.warnings.join()).toMatch(/was cut off by a crash/)
})

it('reports from before the first listener are in the status, and later ones are events too', async () => {
  const { other } = await closedPeer()
  await tamper('log/', -1)
  const grid = await directories.open('grid', [])
  expect(grid.status().recoveries).toEqual([])
  const heard = new Promise((resolve) => grid.on('recovery', resolve))
  const again = await directories.open('another', [grid, other])
  expect(await heard).toEqual(grid.status().recoveries[0])
  await equalEntries(grid, again, other)
})

it('a peer without other peers keeps what is readable, and repairs the rest', async () => {
  const { replicaId, other } = await closedPeer()
  await other.close()
  await tamper('log/', 7, GARBAGE)
  const grid = await directories.open('grid')
  expect(grid.status().replicaId).not.toBe(replicaId)
  const entries = await entriesOf(grid)
  expect(Object.keys(entries).length).toBeGreaterThan(25)
  await grid.map('notes').set('after', 'the damage')
  const repaired = grid.status().replicaId
  // Closed before that, the peer would find the damage again.
  await expect.poll(() => grid.metrics().store.checkpoints).toBeGreaterThan(0)
  await grid.close()
  const again = await directories.open('grid')
  expect(again.status()).toMatchObject({ replicaId: repaired, recoveries: [] })
  expect(await entriesOf(again)).toEqual({ ...entries, after: 'the damage' })
})

it('an unreadable identity costs the peer id and the replica id, not the content', async () => {
  const { replicaId, other, entries } = await closedPeer()
  const storage = await levelStorage({ directory: directories.path('grid') })
  const read = storage.read.bind(storage)
  storage.read = async (key) => {
    if (key === 'identity') throw new GridError('STORAGE_DAMAGED', 'for this test')
    return await read(key)
  }
  const grid = await directories.open('grid', [other], { storage })
  expect(await equalEntries(grid, other)).toEqual(entries)
  expect(directories.warnings.join()).toMatch(/identity of this peer is damaged/)
  expect(grid.status().replicaId).not.toBe(replicaId)
})
