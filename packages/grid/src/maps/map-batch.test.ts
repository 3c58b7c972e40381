import { afterEach, describe, expect, it } from 'vitest'
import type { MapBatch } from './map-batch.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('a batch of a map', () => {
  it('reads what it has written, and nothing else does before it is over', async () => {
    const map = (await grids.open()).map<number>('m')
    await map.set('there', 1)
    const receipt = await map.transact((batch) => {
      expect(batch.get('there')).toBe(1)
      batch.set('there', 2)
      batch.set('new', 3)
      expect([batch.get('there'), batch.get('new'), batch.has('new')]).toEqual([2, 3, true])
      expect(batch.delete('there')).toBe(true)
      expect(batch.delete('there')).toBe(false)
      expect(batch.has('there')).toBe(false)
      expect([map.peek('there'), map.peek('new')]).toEqual([1, undefined])
    })
    expect(receipt?.version.sequence).toBe(3)
    expect([map.peek('there'), map.peek('new'), map.size]).toEqual([undefined, 3, 1])
  })

  it('changing an object that it read or wrote changes nothing', async () => {
    const map = (await grids.open()).map<{ tags: string[] }>('m')
    await map.transact((batch) => {
      const value = { tags: ['a'] }
      batch.set('k', value)
      value.tags.push('b')
      batch.get('k')!.tags.push('c')
      expect(batch.get('k')).toEqual({ tags: ['a'] })
    })
    expect(map.peek('k')).toEqual({ tags: ['a'] })
  })

  it('without a write writes nothing and gives no receipt', async () => {
    const map = (await grids.open()).map<number>('m')
    expect(await map.transact((batch) => void batch.get('k'))).toBeUndefined()
    expect(await map.transact((batch) => void batch.delete('k'))).toBeUndefined()
    const written = await map.transact((batch) => {
      batch.set('k', 1)
      batch.delete('k')
    })
    expect(written).toBeUndefined()
  })

  it('writes nothing when its function throws, or one of its writes is refused', async () => {
    const map = (await grids.open()).map<unknown>('m')
    const failing: [(batch: MapBatch<unknown>) => void, object][] = [
      [
        () => {
          throw new RangeError('no')
        },
        { name: 'RangeError' },
      ],
      [(batch) => batch.set('', 1), { code: 'INVALID_KEY' }],
      [(batch) => batch.set('b', () => 1), { code: 'INVALID_VALUE' }],
      [async () => Promise.reject(new Error('no caller waits for it')), { code: 'INVALID_OPTION' }],
    ]
    for (const [fail, error] of failing) {
      const writing = map.transact((batch) => {
        batch.set('a', 1)
        return fail(batch)
      })
      await expect(writing).rejects.toMatchObject(error)
    }
    await expect(map.transact(() => undefined, { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(map.size).toBe(0)
  })

  it('has at most 1,000 writes and 512 KiB', async () => {
    const map = (await grids.open()).map<unknown>('m')
    const fill = (writes: number, value: unknown) => (batch: MapBatch<unknown>) => {
      for (let i = 0; i < writes; i++) batch.set(`k${i}`, value)
    }
    await expect(map.transact(fill(1001, 1))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    await expect(map.transact(fill(6, 'x'.repeat(100_000)))).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    let steps = 0
    const endless = map.transact((batch) => {
      for (;;) batch.set(`k${steps++}`, 1)
    })
    await expect(endless).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' })
    expect(map.size).toBe(0)
    await map.transact(fill(1000, 1))
    await map.transact(fill(5, 'x'.repeat(100_000)))
    expect(map.size).toBe(1000)
  })

  it('is of no use after its function has returned', async () => {
    const map = (await grids.open()).map<number>('m')
    let kept: MapBatch<number> | undefined
    await map.transact((batch) => void (kept = batch))
    for (const use of [() => kept!.get('k'), () => kept!.has('k'), () => kept!.set('k', 1), () => kept!.delete('k')]) {
      expect(use).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    }
  })

  it('listeners hear of it when all of it is there, each write once and in order', async () => {
    const map = (await grids.open()).map<number>('m')
    const seen: unknown[] = []
    map.on('change', ({ type, key }) => seen.push([type, key, map.peek('a'), map.peek('b'), map.size]))
    await map.transact((batch) => {
      batch.set('a', 1)
      batch.set('b', 2)
      batch.set('a', 3)
    })
    expect(seen).toEqual([
      ['set', 'a', 3, 2, 2],
      ['set', 'b', 3, 2, 2],
    ])
  })

  it('waits for copies as a whole', async () => {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open({ storage: diskInMemory() })
    await second.ready()
    const receipt = await first.transact(
      (batch) => {
        batch.map('a').set('k', 1)
        batch.map('b').set('k', 2)
      },
      { copies: 2 },
    )
    expect(receipt).toMatchObject({ durable: true, copies: 2 })
    expect([second.map('a').peek('k'), second.map('b').peek('k')]).toEqual([1, 2])
  })

  it('a store that refuses rejects it as a whole, and keeps it as a whole', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const map = grid.map<number>('m')
    disk.failure = new Error('no space')
    const writing = map.transact((batch) => {
      batch.set('a', 1)
      batch.set('b', 2)
    })
    await expect(writing).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(map.size).toBe(2)
    disk.failure = undefined
    await until(() => grid.status().storage.healthy, 'the store works again')
  })
})

describe('a batch of a grid', () => {
  it('writes to several maps at once, of both kinds, and survives a restart as a whole', async () => {
    const storage = diskInMemory()
    const grid = await grids.open({ storage })
    await grid.transact((batch) => {
      batch.map<number>('numbers').set('k', 1)
      batch.map('objects', { merge: 'fields' }).set('k', { a: 1, b: 2 })
      expect(batch.map<number>('numbers').get('k')).toBe(1)
      expect(batch.map('objects').get('k')).toEqual({ a: 1, b: 2 })
    })
    await grid.close()
    const again = await grids.open({ storage })
    expect(again.map('numbers').peek('k')).toBe(1)
    expect(again.map('objects', { merge: 'fields' }).peek('k')).toEqual({ a: 1, b: 2 })
  })

  it('reaches the listeners of another peer in one piece where it travels in one', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    const seen: number[][] = []
    const numbers = second.map<number>('numbers')
    const others = second.map<number>('others')
    for (const map of [numbers, others]) map.on('change', () => seen.push([numbers.size, others.size]))
    // More than what single writes would share a frame with.
    await first.transact((batch) => {
      for (let i = 0; i < 400; i++) batch.map<number>('numbers').set(`k${i}`, i)
      for (let i = 0; i < 400; i++) batch.map<number>('others').set(`k${i}`, i)
    })
    await until(() => seen.length >= 800, 'all of it has come')
    expect(new Set(seen.map(String))).toEqual(new Set(['400,400']))
  })

  it('is refused whole where one write of it does not fit a schema or a name', async () => {
    const grid = await grids.open()
    await grid.map('m', { merge: 'fields' }).set('k', {})
    const clash = grid.transact((batch) => {
      batch.map('n').set('k', 1)
      batch.map('m', { merge: 'value' }).set('k', 1)
    })
    await expect(clash).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH' })
    expect(grid.map('n').size).toBe(0)
    await grid.close()
    await expect(grid.transact(() => undefined)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
