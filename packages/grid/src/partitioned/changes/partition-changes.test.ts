import { decodeValue } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids, collect, diskInMemory, until } from '../../rig/test-grids.ts'
import type { PartitionedMap } from '../partitioned-map.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { Places } from '../places.ts'
import { EntryEnds } from './entry-ends.ts'
import { FollowedPartitions } from './followed-partitions.ts'
import type { PartitionChange } from './partition-changes.ts'

const SHAPE = { mode: 'partitioned', partitions: 16 } as const

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

function mapOf(grid: Grid): PartitionedMap<number> {
  return grid.map<number>('m', { ...SHAPE, owners: 2 })
}

async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) mapOf(grid)
  const isSettled = (grid: Grid): boolean => {
    const { owned, whole, handingOver } = grid.status().partitions ?? { owned: 0, whole: -1, handingOver: 1 }
    return owned === whole && handingOver === 0
  }
  const owned = (): number => all.reduce((sum, grid) => sum + (grid.status().partitions?.owned ?? 0), 0)
  await until(() => all.every(isSettled) && owned() === 16 * Math.min(2, count), 'all owners are whole')
  return all
}

/** Keeps a picture of the map from its changes. */
class Picture {
  readonly entries = new Map<string, number>()
  readonly changes: PartitionChange<number>[] = []
  cursor: string | undefined
  readonly done: Promise<void>

  constructor(changes: AsyncIterable<PartitionChange<number> & { readonly cursor?: string | undefined }>) {
    this.done = this.#run(changes)
  }

  async #run(
    changes: AsyncIterable<PartitionChange<number> & { readonly cursor?: string | undefined }>,
  ): Promise<void> {
    for await (const change of changes) {
      this.changes.push(change)
      if (change.type === 'set') this.entries.set(change.key, change.value!)
      else if (change.type === 'delete') this.entries.delete(change.key)
      this.cursor = change.cursor ?? this.cursor
    }
  }

  has(expected: Iterable<readonly [string, number]>): boolean {
    const wanted = new Map(expected)
    return wanted.size === this.entries.size && [...wanted].every(([key, value]) => this.entries.get(key) === value)
  }
}

const ENTRIES = Array.from({ length: 100 }, (_, i): [string, number] => [`key ${i}`, i])

describe('the changes of a partitioned map', () => {
  it('begin with all entries, and go on with each change of any peer', async () => {
    const all = await openAll(3)
    await mapOf(all[0]!).setMany(ENTRIES)
    await until(async () => (await mapOf(all[2]!).size()).size === 100, 'all is there')
    const light = await grids.open()
    await light.ready()
    for (const grid of [all[1]!, light]) {
      const loop = mapOf(grid).changes({ initial: true })
      const picture = new Picture(loop)
      await until(() => picture.has(ENTRIES), 'the entries come')
      expect(picture.changes.length).toBe(100)
      await until(() => loop.complete, 'all partitions have answered')
      await mapOf(all[2]!).set('key 7', 700)
      await mapOf(all[0]!).delete('key 8')
      const after = new Map(ENTRIES).set('key 7', 700)
      after.delete('key 8')
      await until(() => picture.has(after), 'the changes come')
      expect(picture.changes.find(({ value }) => value === 700)).toMatchObject({ type: 'set', local: false })
      await loop.return?.()
      await picture.done
      await mapOf(all[0]!).setMany(ENTRIES)
      await until(async () => (await mapOf(all[1]!).get('key 8')) === 8, 'the entries are back')
    }
  })

  it('of one key, or of a prefix, are only those', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const one = new Picture(map.changes({ key: 'key 1', initial: true }))
    const some = new Picture(map.changes({ prefix: '{a}', initial: true }))
    await map.setMany([...ENTRIES, ['{a}x', 1], ['{b}x', 2]])
    await until(() => one.has([['key 1', 1]]) && some.has([['{a}x', 1]]), 'both come')
    expect([one.changes.length, some.changes.length]).toEqual([1, 1])
    expect(one.changes[0]).toMatchObject({ local: true, by: grid!.peerId, partition: map.partitionOf('key 1') })
  })

  it('without initial entries begin with what comes', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await map.set('a', 1)
    const loop = map.changes()
    const next = loop.next()
    await until(() => loop.complete, 'the loop has begun')
    await map.set('a', 2)
    expect((await next).value).toMatchObject({ type: 'set', key: 'a', value: 2 })
    await loop.return?.()
  })

  it('go on after a cursor at another peer: deletes too, and nothing twice', async () => {
    const all = await openAll(3)
    await mapOf(all[0]!).setMany(ENTRIES)
    const loop = mapOf(all[0]!).watch()
    const picture = new Picture(loop)
    await until(() => picture.has(ENTRIES) && loop.complete, 'the entries come')
    await mapOf(all[0]!).set('key 3', 33, { copies: 'all' })
    await until(() => picture.entries.get('key 3') === 33 && picture.cursor !== undefined, 'a cursor comes')
    await loop.return?.()
    await mapOf(all[1]!).delete('key 4')
    await mapOf(all[1]!).set('key 5', 55)
    const again = new Picture(mapOf(all[2]!).watch({ since: picture.cursor }))
    await until(() => again.changes.length >= 2, 'what came meanwhile comes')
    const seen = again.changes.map(({ type, key, value }) => [type, key, value])
    expect(seen).toEqual(
      expect.arrayContaining([
        ['delete', 'key 4', undefined],
        ['set', 'key 5', 55],
      ]),
    )
    expect(seen.length).toBe(2)
    await expect(collect(mapOf(all[0]!).watch({ since: 'x' }))).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
    const other = all[0]!.map<number>('other', SHAPE).watch({ since: picture.cursor })
    await expect(collect(other)).rejects.toMatchObject({ code: 'INVALID_TOKEN' })
  })

  it('go on at another owner when one is gone, without a gap', async () => {
    const all = await openAll(3)
    const light = await grids.open()
    await light.ready()
    const picture = new Picture(mapOf(light).changes({ initial: true }))
    await mapOf(all[0]!).setMany(ENTRIES)
    await until(() => picture.has(ENTRIES), 'the entries come')
    await all[1]!.close()
    const later = ENTRIES.map(([key, value]): [string, number] => [key, value + 1000])
    await mapOf(all[0]!).setMany(later)
    await until(() => picture.has(later), 'the changes come')
  })

  it('go on after a cursor in all partitions at once, also where nothing happens', async () => {
    const [grid] = await openAll(1)
    const map = grid!.map<number>('many', { mode: 'partitioned', partitions: 64 })
    const first = map.watch()
    const begun = first.next()
    await until(() => first.complete, 'the loop has begun')
    await map.set('key 1', 1)
    const { cursor } = (await begun).value!
    await first.return?.()
    const last = ENTRIES.find(([key]) => map.partitionOf(key) === 63)![0]
    const loop = map.watch({ since: cursor })
    const next = loop.next()
    await until(() => loop.complete, 'all partitions have answered')
    await map.set(last, 7)
    const change = (await next).value!
    expect([change.key, change.value]).toEqual([last, 7])
    expect(change.cursor).toBeDefined()
    await loop.return?.()
  })

  it('that are dated ahead of the clock of the reader come once it is there, and no cursor is behind them before', async () => {
    const [grid] = await openAll(1)
    let behindMs = 0
    const light = await grids.open({ wallMs: () => Date.now() - behindMs })
    await light.ready()
    await mapOf(grid!).setMany(ENTRIES)
    const loop = mapOf(light).watch()
    const picture = new Picture(loop)
    await until(() => picture.has(ENTRIES) && loop.complete, 'the entries come')
    behindMs = 120_000
    await mapOf(grid!).set('key 1', 100)
    await mapOf(grid!).set('key 2', 200)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(picture.entries.get('key 1')).toBe(1)
    const { cursor } = picture
    behindMs = 0
    const after = new Map(ENTRIES).set('key 1', 100).set('key 2', 200)
    await until(() => picture.has(after), 'they come')
    if (cursor === undefined) return
    const again = new Picture(mapOf(light).watch({ since: cursor }))
    await until(() => again.entries.get('key 1') === 100 && again.entries.get('key 2') === 200, 'they come again')
  })

  it('end entries that expire, when they do', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const picture = new Picture(map.changes({ initial: true }))
    await map.set('a', 1, { ttlMs: 2000 })
    await map.set('b', 2)
    await until(
      () =>
        picture.has([
          ['a', 1],
          ['b', 2],
        ]),
      'both come',
    )
    expect(picture.changes.find(({ key }) => key === 'a')!.expiresAt).toBeInstanceOf(Date)
    await until(() => picture.has([['b', 2]]), 'one ends')
    expect(picture.changes.filter(({ type }) => type === 'delete').map(({ key }) => key)).toEqual(['a'])
  })

  it('of objects that merge field by field are whole objects', async () => {
    const [grid] = await openAll(1)
    const map = grid!.map<{ a?: number; b?: number }>('f', { ...SHAPE, merge: 'fields' })
    const loop = map.changes({ initial: true })
    await map.set('x', { a: 1, b: 2 })
    await map.set('x', { a: 1, b: 3 })
    const seen: unknown[] = []
    for await (const { value } of loop) {
      seen.push(value)
      if (value?.b === 3) break
    }
    expect(seen.at(-1)).toEqual({ a: 1, b: 3 })
  })

  it('end with the signal, with the grid and with a drop of the map', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const abort = new AbortController()
    const aborted = collect(map.changes({ signal: abort.signal }))
    const dropped = collect(map.changes())
    setTimeout(() => abort.abort(), 50)
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    await grid!.dropCollection('m')
    await expect(dropped).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
    const other = collect(grid!.map<number>('n', SHAPE).changes({ initial: true }))
    setTimeout(() => void grid!.close(), 50)
    expect(await other).toEqual([])
    await grid!.close()
    expect(() => map.changes()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })

  it('refuse options that make no sense', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    for (const options of [{ key: 1 }, { key: 'a', prefix: 'b' }, { initial: 1 }, { since: 'x' }] as never[])
      expect(() => map.changes(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(() => map.watch({ key: 'a' } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('partitions that are followed', () => {
  it('give again what came since an earlier place, and from the start all that is there', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const { pump } = (grid as unknown as { writes: WritePath }).writes
    const { name, partitions, owners } = map
    const places = new Places({ name, kind: 'map', mode: 'partitioned', partitions, owners })
    const [key, other] = ENTRIES.map(([each]) => each).filter((each) => map.partitionOf(each) === 3)
    const followed = new FollowedPartitions({
      ...{ pump, check: () => undefined, names: [places.of(key!)], prefix: '', exact: false, initial: true },
      ...{ since: new Map(), signal: undefined },
    })
    const given: string[] = []
    const take = async (): Promise<void> => {
      const arrived = await followed.next()
      if (typeof arrived !== 'object') throw new Error('it has ended')
      given.push(...arrived.keys.map((each) => each.key))
      followed.done(arrived)
    }
    await map.set(key!, 1)
    await take()
    const early = followed.cursors[0]!
    await map.set(other!, 2)
    await take()
    expect(given).toEqual([key, other])
    expect(followed.goBack(0, followed.cursors[0]!)).toBe(true)
    expect(followed.goBack(0, early)).toBe(true)
    await take()
    expect(given.slice(2)).toEqual([other])
    expect(followed.goBack(0, Uint8Array.of(7))).toBe(false)
    followed.restart(0)
    expect([...followed.unanswered]).toEqual([0])
    await take()
    expect(new Set(given.slice(3))).toEqual(new Set([key, other]))
    expect([...followed.unanswered]).toEqual([])
    followed.stop()
  })
})

it('of what comes past its bound a reader is given the rest later, and nothing is left out', async () => {
  const [grid] = await openAll(1)
  const map = grid!.map<string>('large', SHAPE)
  const keys = ENTRIES.map(([key]) => key)
  for (const key of keys) await map.set(key, key.padEnd(20_000))
  const { pump } = (grid as unknown as { writes: WritePath }).writes
  const { name, partitions, owners } = map
  const places = new Places({ name, kind: 'map', mode: 'partitioned', partitions, owners })
  const waitingMaxBytes = 200_000
  const followed = new FollowedPartitions({
    ...{ pump, check: () => undefined, names: places.all, prefix: '', exact: false, initial: true },
    ...{ since: new Map(), signal: undefined, waitingMaxBytes },
  })
  const last = new Map<string, string>()
  let waited = 0
  const take = async (): Promise<void> => {
    const arrived = await followed.next()
    if (typeof arrived !== 'object') throw new Error('it has ended')
    for (const { key, rows } of arrived.keys) last.set(key, String(decodeValue(rows[0]!.bytes!)).trimEnd())
    followed.done(arrived)
    waited = Math.max(waited, followed.waitingBytes)
  }
  while (last.size < keys.length) await take()
  // The reader is slow now, and all partitions change.
  for (const key of keys) await map.set(key, `${key} again`.padEnd(20_000))
  await new Promise((resolve) => setTimeout(resolve, 500))
  waited = Math.max(waited, followed.waitingBytes)
  while ([...last].some(([key, value]) => value !== `${key} again`)) await take()
  // One answer more fits.
  expect(waited).toBeGreaterThan(waitingMaxBytes / 2)
  expect(waited).toBeLessThan(2 * waitingMaxBytes)
  await until(() => followed.isCaughtUp, 'all is taken')
  followed.stop()
})

describe('what a reader remembers of when entries end', () => {
  it('has a bound, past which the latest are forgotten', () => {
    let nowMs = 0
    const ends = new EntryEnds(
      () => nowMs,
      () => undefined,
    )
    for (let i = 0; i < 65_546; i++) ends.set(`key ${i}`, 1000 + i)
    nowMs = 100_000
    const ended = ends.take()
    expect([ended.length, ended[0], ended.at(-1)]).toEqual([65_536, ['key 0', 1000], ['key 65535', 66_535]])
    ends.stop()
  })
})
