import type { Storage } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'
import { schemaOf } from '../rig/test-schemas.ts'
import type { PartitionedMap } from './partitioned-map.ts'
import type { PartitionedMapOptions } from './partition-options.ts'

const SHAPE = { mode: 'partitioned', partitions: 16 } as const

let grids: TestGrids
const opened = new WeakSet<Grid>()

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

/** Opens peers with directories, each of which has opened the map `m`. */
async function openAll(count: number, options: Partial<PartitionedMapOptions<number>> = {}): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) mapOf(grid, options)
  return all
}

function mapOf(grid: Grid, options: Partial<PartitionedMapOptions<number>> = {}): PartitionedMap<number> {
  const isOpen = opened.has(grid)
  opened.add(grid)
  return grid.map<number>('m', isOpen ? { mode: 'partitioned', ...options } : { ...SHAPE, ...options })
}

const KEYS = Array.from({ length: 64 }, (_, i) => `key ${i}`)

/** Waits until each of these peers owns some of the keys as each of them sees it, and all owners are whole. */
async function whole(all: readonly Grid[]): Promise<void> {
  const isWholeAt = async (grid: Grid): Promise<boolean> => {
    const owners = (await Promise.all(KEYS.map((key) => grid.owners('m', key)))).flat()
    const owning = new Set(owners.map(({ peerId }) => peerId))
    return all.every(({ peerId }) => owning.has(peerId)) && owners.every(({ state }) => state === 'whole')
  }
  await until(async () => (await Promise.all(all.map(isWholeAt))).every(Boolean), 'all owners are whole')
}

describe('a peer that joins', () => {
  it('is ready once it has whole what it owns, and each peer says what all of them have', async () => {
    const [one] = await openAll(1, { owners: 1 })
    await mapOf(one!).setMany(KEYS.map((key, i) => [key, i]))
    const two = await grids.open({ storage: diskInMemory() })
    expect(await two.ready()).toEqual({ alone: false })
    const { owned, whole: complete } = two.status().partitions
    expect(owned).toBeGreaterThan(0)
    expect(complete).toBe(owned)
    expect(two.status().collections.find(({ name }) => name === 'm')).toMatchObject({
      ...{ partitions: 16, owners: 1, owned, whole: owned },
    })
    const shares = await two.owners('m')
    expect(shares.map(({ peerId }) => peerId)).toEqual([one!.peerId, two.peerId].toSorted())
    expect(shares.reduce((sum, share) => sum + share.owned, 0)).toBe(16)
    const own = { peerId: two.peerId, zone: '', state: 'owner', owned, whole: owned, handingOver: 0 }
    expect(shares).toContainEqual({ ...own, weight: expect.any(Number) as number })
  })
})

/** Accepts positive numbers. */
const positive = schemaOf<number>((value) => {
  return typeof value === 'number' && value > 0 ? { value } : { issues: [{ message: 'not positive' }] }
})

describe('a partitioned map of one peer', () => {
  it('has the entries that were written', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    expect(await map.set('a', 1)).toMatchObject({ durable: true })
    expect(await map.set('a', 1, { copies: 'all' })).toMatchObject({ durable: true, copies: 1 })
    expect(await map.get('a')).toBe(1)
    expect(await map.get('b')).toBeUndefined()
    expect([await map.get('a', { from: 'all' }), await map.get('b', { from: 'all' })]).toEqual([1, undefined])
    await expect(map.get('a', { from: 'any' as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect([await map.has('a'), await map.has('b')]).toEqual([true, false])
    expect(await map.update('a', (value) => value! + 1)).toMatchObject({ durable: true, hinted: false, copies: 1 })
    expect(await map.update('b', () => undefined)).toBeUndefined()
    const values = await map.getMany(['a', 'b', 'a'])
    expect([...values]).toEqual([['a', 2]])
    expect([values.complete, values.unanswered]).toEqual([true, []])
    expect(await map.size()).toEqual({ size: 1, complete: true, unanswered: [] })
    expect(await map.delete('a')).toMatchObject({ durable: true })
    expect(await map.delete('a')).toBeUndefined()
    expect(await map.get('a')).toBeUndefined()
  })

  it('walks through keys and entries, those with a tag in one partition and in order', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const entries = KEYS.map((key, i): [string, number] => [key, i])
    expect(await map.setMany(entries)).toEqual({ written: 64, hinted: 0 })
    const walk = map.entries()
    expect(new Map(await collect(walk))).toEqual(new Map(entries))
    expect([walk.complete, walk.unanswered]).toEqual([true, []])
    await map.setMany(['b', 'c', 'a'].map((name) => [`{42}:${name}`, 1]))
    expect(await collect(map.keys({ prefix: '{42}' }))).toEqual(['{42}:a', '{42}:b', '{42}:c'])
    expect((await collect(map.keys({ prefix: 'key 1' }))).length).toBe(11)
    expect(await map.clear()).toEqual({ deleted: 67, complete: true, unanswered: [] })
    expect(await map.size()).toMatchObject({ size: 0 })
  })

  it('walks through a partition of many pages', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    const keys = Array.from({ length: 2000 }, (_, i) => `{t}${String(i).padStart(4, '0')}`)
    await map.setMany(keys.map((key) => [key, 1]))
    expect(await collect(map.keys({ prefix: '{t}' }))).toEqual(keys)
    expect(await collect(map.keys({ prefix: '{t}' }), 3)).toEqual(keys.slice(0, 3))
  })

  it('merges objects field by field', async () => {
    const [grid] = await openAll(1)
    const map = grid!.map<{ a?: number; b?: number; c?: number }>('f', { ...SHAPE, merge: 'fields' })
    await map.set('x', { a: 1, b: 2 })
    await map.set('x', { b: 3, c: 4 })
    expect(await map.get('x')).toEqual({ b: 3, c: 4 })
    expect(await map.size()).toMatchObject({ size: 1 })
    await map.setMany([
      ['y', { a: 1 }],
      ['y', { b: 1 }],
    ])
    expect(await collect(map.entries())).toEqual(expect.arrayContaining([['y', { b: 1 }]]))
    await map.delete('x')
    expect(await map.get('x')).toBeUndefined()
    await expect(map.set('x', 5 as never)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })

  it('lets entries expire, and says when', async () => {
    const [grid] = await openAll(1, { ttlMs: 60_000 })
    const map = mapOf(grid!)
    await map.set('long', 1)
    await map.set('short', 2, { ttlMs: 40 })
    expect((await map.expiresAt('long'))!.getTime()).toBeGreaterThan(Date.now() + 50_000)
    expect(await map.expiresAt('none')).toBeUndefined()
    await until(async () => !(await map.has('short')), 'it has expired')
    await map.touch('long', 20)
    await until(async () => (await map.get('long')) === undefined, 'it has expired')
    expect(await map.touch('long')).toBeUndefined()
  })

  it('refuses values that do not fit its schema, and hides those of peers without it', async () => {
    const [one] = await openAll(1)
    const two = await grids.open({ storage: diskInMemory() })
    const [free, strict] = [mapOf(one!), mapOf(two, { schema: positive })]
    await two.ready()
    await expect(strict.set('a', -1)).rejects.toMatchObject({ code: 'SCHEMA' })
    const many: [string, number][] = [
      ['b', 1],
      ['a', -1],
    ]
    await expect(strict.setMany(many)).rejects.toMatchObject({ code: 'SCHEMA', written: 0 })
    await free.set('a', -1)
    await strict.set('b', 1)
    expect([...(await strict.getMany(['a', 'b']))]).toEqual([['b', 1]])
    expect(await strict.has('a')).toBe(false)
    expect(await collect(strict.keys())).toEqual(['b'])
  })

  it('writes batches of one tag in one piece', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await map.set('{1}c', 3)
    const receipt = await map.transact((batch) => {
      batch.set('{1}a', 1)
      batch.set('{1}b', 2)
      batch.delete('{1}c')
    })
    expect(receipt).toMatchObject({ durable: true })
    expect(await collect(map.entries({ prefix: '{1}' }))).toEqual([
      ['{1}a', 1],
      ['{1}b', 2],
    ])
    expect(await map.transact(() => undefined)).toBeUndefined()
  })

  it('writes batches of many partitions in one write to the disk, wherever their owners are', async () => {
    const stored: string[][] = []
    const disk = diskInMemory()
    const storage: Storage = {
      ...disk,
      write: (batch, options) => {
        stored.push(batch.flatMap(({ key, type }) => (type === 'put' ? [key] : [])))
        return disk.write(batch, options)
      },
    }
    const other = await grids.open({ storage: diskInMemory() })
    mapOf(other, { owners: 1 })
    const writer = await grids.open({ storage })
    mapOf(writer, { owners: 1 })
    await whole([other, writer])
    stored.length = 0
    const receipt = await mapOf(writer).transact((batch) => {
      for (const [i, key] of KEYS.entries()) batch.set(key, i)
      batch.set(KEYS[0]!, 7)
    })
    expect(receipt).toMatchObject({ durable: true, hinted: true })
    const hinting = stored.filter((keys) => keys.some((key) => key.startsWith('hint/')))
    expect(hinting).toHaveLength(1)
    expect(hinting[0]!.some((key) => key.startsWith('log/'))).toBe(true)
    for (const grid of [writer, other]) {
      const values = await mapOf(grid).getMany(KEYS)
      expect(KEYS.map((key) => values.get(key))).toEqual(KEYS.map((_, i) => (i === 0 ? 7 : i)))
    }
    const counted = await mapOf(writer).transact(
      (batch) => {
        for (const key of KEYS) batch.delete(key)
      },
      { copies: 'all' },
    )
    expect(counted).toMatchObject({ copies: 1 })
    expect((await mapOf(other).size()).size).toBe(0)
    const failing = mapOf(writer).transact((batch) => {
      for (const key of KEYS) batch.set(key, 1)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect((await mapOf(other).getMany(KEYS)).size).toBe(0)
  })

  it('updates one key by calls at once as often as it was called', async () => {
    const [grid] = await openAll(1)
    const map = mapOf(grid!)
    await Promise.all(Array.from({ length: 50 }, () => map.update('n', (value = 0) => value + 1)))
    expect(await map.get('n')).toBe(50)
  })
})

describe('a partitioned map of several peers', () => {
  it('confirms its very first write, of which an owner hears before it has begun a copy', async () => {
    const [one, two] = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
    await two.ready()
    const receipt = await mapOf(one, { owners: 2 }).set('a', 1, { copies: 2 })
    expect(receipt).toMatchObject({ durable: true, copies: 2 })
    expect(await mapOf(two, { owners: 2 }).get('a')).toBe(1)
  })

  it('is read and written from each of them, with as many copies as it has owners', async () => {
    const all = await openAll(5, { owners: 2 })
    await whole(all)
    for (const [i, key] of KEYS.entries()) {
      const receipt = await mapOf(all[i % 5]!).set(key, i, { copies: 'all' })
      expect(receipt).toMatchObject({ durable: true, copies: 2 })
    }
    const owned = all.map((grid) => grid.status().partitions)
    expect(owned.reduce((sum, each) => sum + each.owned, 0)).toBe(32)
    for (const { total, owned: count, whole: ready, unreachable } of owned) {
      expect([total, ready, unreachable]).toEqual([16, count, 0])
    }
    const [known] = all[0]!.collections().filter(({ name }) => name === 'm')
    expect(known).toMatchObject({ kind: 'map', partitions: 16, owners: 2 })
    for (const grid of all) {
      expect(await mapOf(grid).size()).toEqual({ size: 64, complete: true, unanswered: [] })
      expect((await mapOf(grid).getMany(KEYS)).size).toBe(64)
    }
  })

  it('answers through a peer that is not connected to the owners', async () => {
    const all = await openAll(2, { owners: 1 })
    const map = mapOf(all[0]!)
    await whole(all)
    await map.setMany(KEYS.map((key, i) => [key, i]))
    const light = await grids.open()
    expect((await mapOf(light, { owners: 1 }).getMany(KEYS)).size).toBe(64)
  })

  it('keeps a write of a peer that reaches no owner, and delivers it later', async () => {
    const all = await openAll(3, { owners: 1 })
    await whole(all)
    // It has a disk, and owns nothing.
    const other = await grids.open({ storage: diskInMemory(), role: 'light' })
    await other.ready()
    const writer = mapOf(other, { owners: 1 })
    const owner = async (key: string): Promise<number> => {
      const [first] = await all[0]!.owners('m', key)
      return all.findIndex(({ peerId }) => peerId === first!.peerId)
    }
    let key = ''
    for (const each of KEYS) if ((await owner(each)) === 1) key = each
    grids.split([1])
    expect(await writer.set(key, 7)).toMatchObject({ durable: true, hinted: true, copies: 0 })
    const brief = { timeoutMs: 300 }
    await expect(writer.get(key, brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    await expect(writer.update(key, () => 1, brief)).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    await expect(writer.set(key, 8, { ...brief, copies: 1 })).rejects.toMatchObject({
      code: 'COPIES_TIMEOUT',
      cause: { hinted: true, copies: 0 },
    })
    const values = await writer.getMany(KEYS, brief)
    expect([values.complete, values.unanswered.includes(key)]).toEqual([false, true])
    const { complete, unanswered } = await writer.size(brief)
    expect([complete, unanswered.length > 0]).toEqual([false, true])
    await expect(collect(writer.keys(brief))).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
    const partial = writer.keys({ ...brief, partial: true })
    await collect(partial)
    expect([partial.complete, partial.unanswered]).toEqual([false, unanswered])
    grids.heal()
    await until(async () => (await mapOf(all[1]!).get(key)) === 8, 'the write has come')
    expect(await mapOf(all[0]!).get(key)).toBe(8)
  })

  it('takes writes of a peer in memory, which resolve when another peer has them', async () => {
    const all = await openAll(2, { owners: 2 })
    await whole(all)
    const light = await grids.open()
    const map = mapOf(light, { owners: 2 })
    await light.ready()
    expect(await map.set('a', 1)).toMatchObject({ durable: false, hinted: true })
    expect(await mapOf(all[0]!).get('a')).toBe(1)
    expect(await map.get('a', { from: 'all' })).toBe(1)
    await expect(map.set('a', 2, { copies: 2 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect((await map.setMany(KEYS.map((key, i) => [key, i]))).written).toBe(64)
    await light.close()
    await until(async () => (await mapOf(all[1]!).getMany(KEYS)).size === 64, 'the other owner has them too')
  })

  it('of peers in memory alone is owned by these', async () => {
    const all = [await grids.open(), await grids.open(), await grids.open()]
    const maps = all.map((grid) => mapOf(grid, { owners: 2 }))
    await whole(all)
    for (const [i, key] of KEYS.entries()) await maps[i % 3]!.set(key, i)
    for (const map of maps) await until(async () => (await map.getMany(KEYS)).size === 64, 'all is there')
    await all[1]!.close()
    await until(async () => (await maps[0]!.getMany(KEYS)).size === 64, 'all is there without one of two owners')
  })

  it('has the writes of peers that opened it before they met', async () => {
    const one = await grids.open({ storage: diskInMemory() })
    const two = await grids.open({ storage: diskInMemory(), join: [] })
    grids.split([0], [1])
    await mapOf(one).set('a', 1)
    await mapOf(two).set('b', 2)
    grids.heal()
    for (const map of [mapOf(one), mapOf(two)]) {
      await until(async () => (await map.getMany(['a', 'b'])).size === 2, 'both writes are there')
    }
  })
})

describe('other shapes', () => {
  it('are refused where the map is open, and where another peer had opened it before', async () => {
    const one = await grids.open({ storage: diskInMemory() })
    await mapOf(one).set('a', 1)
    const mismatch = expect.objectContaining({ code: 'COLLECTION_MISMATCH' })
    expect(() => mapOf(one, { owners: 5 })).toThrow(mismatch)
    expect(() => mapOf(one, { partitions: 32 })).toThrow(mismatch)
    expect(() => one.map('m')).toThrow(mismatch)
    one.map('r')
    expect(() => one.map('r', SHAPE)).toThrow(mismatch)
    await expect(one.owners('r', 'a')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(await one.owners('none', 'a')).toEqual([])
    await expect(one.owners('r')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(await one.owners('none')).toEqual([])
    await expect(one.owners(1 as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(one.owners('m', undefined as never)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    const two = await grids.open({ storage: diskInMemory() })
    const other = mapOf(two, { partitions: 32 })
    await until(async () => {
      return other.set('a', 1).then(
        () => false,
        (error: { code: string }) => error.code === 'COLLECTION_MISMATCH',
      )
    }, 'it is refused')
    await expect(other.get('a')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(await mapOf(one).get('a')).toBe(1)
  })

  it('that there are not are refused', async () => {
    const grid = await grids.open()
    for (const options of [{ owners: 0 }, { owners: 17 }, { owners: 1.5 }, { owners: '3' }, { owners: null }]) {
      expect(() => grid.map('x', { mode: 'partitioned', ...options } as never)).toThrow(
        expect.objectContaining({ code: 'PARTITIONS_INVALID' }),
      )
    }
    for (const partitions of [0, 8, 100, 8192, '256', null]) {
      expect(() => grid.map('x', { mode: 'partitioned', partitions } as never)).toThrow(
        expect.objectContaining({ code: 'PARTITIONS_INVALID' }),
      )
    }
  })

  it('of a dropped map are other maps', async () => {
    const [one, two] = (await openAll(2)) as [Grid, Grid]
    await whole([one, two])
    const before = mapOf(one)
    await before.setMany(KEYS.map((key) => [key, 1]))
    await one.dropCollection('m')
    await expect(before.get(KEYS[0]!)).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
    await expect(before.set('a', 1)).rejects.toMatchObject({ code: 'COLLECTION_DROPPED' })
    const after = mapOf(one)
    expect(after).not.toBe(before)
    await until(async () => (await mapOf(two).size({ timeoutMs: 1000 })).size === 0, 'it is dropped everywhere')
    await after.set('a', 1)
    await until(async () => (await mapOf(two).get('a')) === 1, 'it is the same map again')
  })
})

describe('a partitioned map of a grid that closes', () => {
  it('ends what waits, and begins nothing', async () => {
    const light = await grids.open({ role: 'light' })
    const map = mapOf(light)
    const waiting = map.get('a')
    await light.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    for (const call of [() => map.get('a'), () => map.set('a', 1), () => map.size(), () => collect(map.keys())]) {
      await expect(call()).rejects.toMatchObject({ code: 'CLOSED' })
    }
  })

  it('ends what its signal aborts', async () => {
    const light = await grids.open({ role: 'light' })
    const map = mapOf(light)
    const signal = AbortSignal.timeout(20)
    await expect(map.get('a', { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(map.set('a', 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(map.set('a', 1, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'OWNERS_UNREACHABLE' })
  })
})
