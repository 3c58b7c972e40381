import { afterEach, describe, expect, it } from 'vitest'
import type { Change } from './map-change.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

describe('reading and writing', () => {
  it('a value that was set is there at once, for get and for peek', async () => {
    const map = (await grids.open()).map<{ age: number }>('users')
    const writing = map.set('ada', { age: 36 })
    expect(map.peek('ada')).toEqual({ age: 36 })
    await writing
    expect(await map.get('ada')).toEqual({ age: 36 })
    expect(await map.has('ada')).toBe(true)
    expect(map.size).toBe(1)
  })

  it('a read without options is of the moment of its call', async () => {
    const map = (await grids.open()).map<number>('users')
    await map.set('ada', 36)
    const reading = Promise.all([map.get('ada'), map.has('ada'), map.getMany(['ada'])])
    void map.delete('ada')
    expect(await reading).toEqual([36, true, new Map([['ada', 36]])])
  })

  it('what is missing is undefined', async () => {
    const map = (await grids.open()).map('users')
    expect(await map.get('missing')).toBeUndefined()
    expect(await map.has('missing')).toBe(false)
    expect(await map.delete('missing')).toBeUndefined()
  })

  it('changing the object that was set, or the one that was read, does not change the entry', async () => {
    const map = (await grids.open()).map<{ tags: string[] }>('users')
    const value = { tags: ['a'] }
    await map.set('ada', value)
    value.tags.push('b')
    map.peek('ada')!.tags.push('c')
    expect(map.peek('ada')).toEqual({ tags: ['a'] })
  })

  it('a deleted entry is gone, and can be set again', async () => {
    const map = (await grids.open()).map<number>('numbers')
    await map.set('one', 1)
    const receipt = await map.delete('one')
    expect(receipt?.version.sequence).toBe(2)
    expect(await map.get('one')).toBeUndefined()
    expect(map.size).toBe(0)
    await map.set('one', 11)
    expect(await map.get('one')).toBe(11)
  })

  it('update reads, computes and writes, and deletes when nothing is returned', async () => {
    const map = (await grids.open()).map<number>('numbers')
    await map.update('n', (value) => (value ?? 0) + 1)
    await map.update('n', (value) => (value ?? 0) + 1)
    expect(await map.get('n')).toBe(2)
    await map.update('n', () => undefined)
    expect(await map.has('n')).toBe(false)
    await expect(
      map.update('n', () => {
        throw new TypeError('no')
      }),
    ).rejects.toThrow(TypeError)
  })

  it('many entries are written, read, listed and cleared', async () => {
    const map = (await grids.open()).map<number>('numbers')
    const receipts = await map.setMany(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i] as const))
    expect(receipts).toHaveLength(5000)
    expect(await map.getMany(['k1', 'missing', 'k4999'])).toEqual(
      new Map([
        ['k1', 1],
        ['k4999', 4999],
      ]),
    )
    const keys = await collect(map.keys(), 10_000)
    expect(new Set(keys).size).toBe(5000)
    const some = await collect(map.entries({ prefix: 'k499' }), 100)
    expect(some.map(([key]) => key).sort()[0]).toBe('k499')
    expect(some).toHaveLength(11)
    expect(await map.clear()).toBe(5000)
    expect(map.size).toBe(0)
  })

  it('a batch with one bad entry writes nothing', async () => {
    const map = (await grids.open()).map<unknown>('things')
    await expect(
      map.setMany([
        ['good', 1],
        ['bad', () => 1],
      ]),
    ).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    expect(map.size).toBe(0)
  })

  it('keys that name parts of JavaScript objects are ordinary keys', async () => {
    const map = (await grids.open()).map<number>('numbers')
    for (const key of ['__proto__', 'constructor', 'toString', '😀', ' ', '\u0000']) {
      await map.set(key, 1)
      expect(await map.get(key)).toBe(1)
    }
    expect(map.size).toBe(6)
    expect(({} as Record<string, unknown>)['1']).toBeUndefined()
  })
})

describe('bad input', () => {
  it('keys that are empty, huge, half a surrogate or no text are refused', async () => {
    const map = (await grids.open()).map<number>('numbers')
    for (const key of ['', 'x'.repeat(1025), 'ä'.repeat(513), '\ud800', 7, undefined, null, {}]) {
      await expect(map.set(key as string, 1)).rejects.toMatchObject({ code: 'INVALID_KEY' })
      await expect(map.get(key as string)).rejects.toMatchObject({ code: 'INVALID_KEY' })
      await expect(map.delete(key as string)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    }
    await map.set('x'.repeat(1024), 1)
    expect(map.size).toBe(1)
  })

  it('values that cannot be encoded are refused with the place that cannot', async () => {
    const map = (await grids.open()).map<unknown>('things')
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    for (const value of [undefined, () => 1, Symbol('s'), cycle, { deep: { inside: () => 1 } }]) {
      await expect(map.set('k', value)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    }
    await expect(map.set('k', { deep: { inside: () => 1 } })).rejects.toThrow(/deep/)
    expect(map.size).toBe(0)
  })

  it('a value over the limit is refused with both sizes', async () => {
    const map = (await grids.open({ valueSizeMaxBytes: 100 })).map<string>('texts')
    await expect(map.set('k', 'x'.repeat(101))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    await expect(map.set('k', 'x'.repeat(101))).rejects.toThrow(/100/)
    const whole = (await grids.open()).map<Uint8Array>('bytes')
    await whole.set('k', new Uint8Array(1024 * 1024 - 8))
    await expect(whole.set('k', new Uint8Array(1024 * 1024))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })

  it('options out of range are refused', async () => {
    const map = (await grids.open()).map<number>('numbers')
    await expect(map.set('k', 1, { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(map.set('k', 1, { timeoutMs: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(() => map.changes({ bufferMax: 0 })).toThrow(/bufferMax/)
  })
})

describe('receipts', () => {
  it('a memory-only peer calls no write durable', async () => {
    const map = (await grids.open()).map<number>('numbers')
    expect(await map.set('k', 1)).toMatchObject({ durable: false, copies: 0 })
  })

  it('a write with a store is one durable copy', async () => {
    const map = (await grids.open({ storage: diskInMemory() })).map<number>('numbers')
    expect(await map.set('k', 1)).toMatchObject({ durable: true, copies: 1 })
  })

  it('two copies are confirmed by another durable peer', async () => {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open({ storage: diskInMemory() })
    await second.ready()
    expect(await first.map<number>('numbers').set('k', 1, { copies: 2 })).toMatchObject({ durable: true, copies: 2 })
    expect(await second.map<number>('numbers').get('k')).toBe(1)
  })

  it('a memory-only peer is no copy, and the timeout says that the write stands', async () => {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open()
    await second.ready()
    const map = first.map<number>('numbers')
    const writing = map.set('k', 1, { copies: 2, timeoutMs: 200 })
    await expect(writing).rejects.toMatchObject({ code: 'COPIES_TIMEOUT', cause: { durable: true, copies: 1 } })
    expect(await map.get('k')).toBe(1)
    await until(() => second.map('numbers').peek('k') === 1, 'the write has travelled on')
  })

  it('waiting for copies ends with the signal, the write stands', async () => {
    const map = (await grids.open({ storage: diskInMemory() })).map<number>('numbers')
    const stop = new AbortController()
    const writing = map.set('k', 1, { copies: 3, signal: stop.signal })
    const reason = new Error('enough')
    setTimeout(() => stop.abort(reason), 20)
    await expect(writing).rejects.toMatchObject({ code: 'ABORTED', cause: reason })
    expect(await map.get('k')).toBe(1)
    await expect(map.set('k', 2, { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await map.get('k')).toBe(1)
  })

  it('a store that refuses rejects the write, keeps it in memory, and stores it when it works again', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const map = grid.map<number>('numbers')
    await map.set('before', 1)
    disk.failure = new Error('no space')
    await expect(map.set('k', 2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(await map.get('k')).toBe(2)
    expect(grid.status().storage).toMatchObject({ healthy: false, error: 'no space' })
    disk.failure = undefined
    await until(() => grid.status().storage.healthy, 'the store works again')
    expect(await map.set('after', 3)).toMatchObject({ durable: true })
  })
})

describe('changes', () => {
  it('a loop sees every change of this peer and of others, in order', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    const changes = second.map<number>('numbers').changes()
    await first.map<number>('numbers').set('a', 1)
    await until(() => second.map('numbers').size === 1, 'the first write has come')
    await second.map<number>('numbers').set('a', 2)
    await second.map<number>('numbers').delete('a')
    const seen = await collect(changes, 3)
    expect(seen.map(({ type, key, value, previous }) => [type, key, value, previous])).toEqual([
      ['set', 'a', 1, undefined],
      ['set', 'a', 2, 1],
      ['delete', 'a', undefined, 2],
    ])
  })

  it('a key or a prefix narrows it down', async () => {
    const map = (await grids.open()).map<number>('numbers')
    const byKey = map.changes({ key: 'b1' })
    const byPrefix = map.changes({ prefix: 'b' })
    for (const key of ['a1', 'b1', 'b2', 'b11']) await map.set(key, 1)
    expect((await collect(byPrefix, 3)).map((change) => change.key)).toEqual(['b1', 'b2', 'b11'])
    await map.set('b1', 2)
    expect((await collect(byKey, 2)).map((change) => change.value)).toEqual([1, 2])
  })

  it('with initial the entries come first', async () => {
    const map = (await grids.open()).map<number>('numbers')
    await map.set('a', 1)
    await map.set('b', 2)
    const loop = map.changes({ initial: true })
    await map.set('c', 3)
    const seen = await collect(loop, 3)
    expect(seen.map((change) => change.key).sort()).toEqual(['a', 'b', 'c'])
  })

  it('a reader that stops reading costs no more than its buffer and learns how much it missed', async () => {
    const map = (await grids.open()).map<number>('numbers')
    const loop = map.changes({ bufferMax: 3 })
    for (let i = 0; i < 10; i++) await map.set(`k${i}`, i)
    const seen = await collect(loop, 4)
    expect(seen.map((change: Change<number>) => change.type)).toEqual(['set', 'set', 'set', 'lagged'])
    expect(seen[3]!.missed).toBe(7)
  })

  it('a loop ends with its signal and with the grid', async () => {
    const grid = await grids.open()
    const stop = new AbortController()
    const stopped = collect(grid.map('m').changes({ signal: stop.signal }), 10)
    stop.abort()
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED' })
    const closed = collect(grid.map('m').changes(), 10)
    await grid.close()
    expect(await closed).toEqual([])
  })

  it('a listener may write, and one that throws harms no other', async () => {
    const map = (await grids.open()).map<number>('numbers')
    const seen: string[] = []
    map.on('change', () => {
      throw new Error('bad listener')
    })
    const off = map.on('change', ({ key }) => {
      seen.push(key)
      if (key === 'a') void map.set('b', 2)
    })
    await map.set('a', 1)
    expect(await map.get('b')).toBe(2)
    off()
    await map.set('c', 3)
    expect(seen).toEqual(['a', 'b'])
  })
})

describe('conflicts', () => {
  it('two writes that did not see each other raise a conflict where they meet, with the value that lost', async () => {
    const first = await grids.open()
    const second = await grids.open()
    await second.ready()
    const conflicts: unknown[] = []
    for (const grid of [first, second]) grid.map<string>('m').on('conflict', (conflict) => conflicts.push(conflict))
    grids.split([0], [1])
    await first.map<string>('m').set('k', 'first')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await second.map<string>('m').set('k', 'second')
    grids.heal()
    await until(() => first.map('m').peek('k') === 'second', 'the later write has won')
    expect(conflicts).toContainEqual({ key: 'k', discarded: 'first', kept: 'second' })
  })
})
