import { afterEach, describe, expect, it } from 'vitest'
import type { CounterChange } from './grid-counter.ts'
import { TestGrids, collect, diskInMemory, until } from '../rig/test-grids.ts'

const MAX = Number.MAX_SAFE_INTEGER

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function steps(changes: readonly CounterChange[]): unknown[] {
  return changes.map(({ type, value, delta, missed }) => [type, value, delta, missed])
}

/** Writes that a grid has made to its one collection. */
function rowsWritten(grid: { metrics(): { writes: { sets: number } } }): number {
  return grid.metrics().writes.sets
}

describe('counting', () => {
  it('an increment counts at once, up and down, and stays', async () => {
    const counter = (await grids.open()).counter('visits')
    expect(counter.value).toBe(0)
    const counting = counter.increment()
    expect(counter.value).toBe(1)
    await counting
    await counter.increment(5)
    await counter.decrement(10)
    await counter.decrement()
    expect(counter.value).toBe(-5)
    await counter.increment(0)
    expect(counter.value).toBe(-5)
  })

  it('a read without options is of the moment of its call', async () => {
    const visits = (await grids.open()).counter('visits')
    const reading = visits.get()
    void visits.increment()
    expect(await reading).toBe(0)
  })

  it('two peers count at once, apart from each other, and nothing is lost', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    grids.split([0], [1])
    await Promise.all([first.counter('visits').increment(3), second.counter('visits').increment(4)])
    await second.counter('visits').decrement(1)
    expect([first.counter('visits').value, second.counter('visits').value]).toEqual([3, 3])
    grids.heal()
    await until(() => first.counter('visits').value === 6 && second.counter('visits').value === 6, 'both know all')
  })

  it('what came before the counter was opened here counts', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await first.counter('visits').increment(7)
    await until(() => second.status().collections[0]?.entries === 1, 'the row has come')
    expect(second.counter('visits').value).toBe(7)
  })

  it('a peer that comes back from its disk goes on under a row of its own', async () => {
    const disk = diskInMemory()
    const first = await grids.open({ storage: disk })
    await first.counter('visits').increment(2)
    await first.close()
    const again = await grids.open({ storage: disk })
    await again.counter('visits').increment(3)
    expect(again.counter('visits').value).toBe(5)
    expect(again.status().collections[0]).toMatchObject({ kind: 'counter', entries: 2 })
  })
})

describe('writing together', () => {
  it('increments of one turn share one row and one promise', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const counter = grid.counter('visits')
    const promises = Array.from({ length: 1000 }, (_, i) => (i % 4 === 0 ? counter.decrement() : counter.increment()))
    expect(new Set(promises).size).toBe(1)
    expect(counter.value).toBe(500)
    expect(await promises[0]).toMatchObject({ durable: true, copies: 1 })
    expect(rowsWritten(grid)).toBe(1)
  })

  it('increments made while a row is on its way to disk wait for it and go together', async () => {
    const disk = diskInMemory()
    const stored = Promise.withResolvers<void>()
    const slow = {
      ...disk,
      write: (...args: Parameters<typeof disk.write>) => stored.promise.then(() => disk.write(...args)),
    }
    const grid = await grids.open({ storage: slow })
    const counter = grid.counter('visits')
    const first = counter.increment()
    const later: Promise<unknown>[] = []
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      later.push(counter.increment(10))
    }
    expect(counter.value).toBe(51)
    expect(new Set([first, ...later]).size).toBe(2)
    expect(rowsWritten(grid)).toBe(1)
    stored.resolve()
    await Promise.all([first, ...later])
    expect(rowsWritten(grid)).toBe(2)
    expect(counter.value).toBe(51)
  })

  it('one with options is written with the others, and waits for what it asks for', async () => {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open({ storage: diskInMemory() })
    await second.ready()
    const counter = first.counter('visits')
    const plain = counter.increment(1)
    const copied = counter.increment(2, { copies: 2 })
    expect(counter.value).toBe(3)
    expect(await copied).toMatchObject({ copies: 2 })
    expect(await plain).toMatchObject({ copies: 1 })
    expect(second.counter('visits').value).toBe(3)
    const waiting = counter.increment(4, { copies: 3, timeoutMs: 20 })
    await expect(waiting).rejects.toMatchObject({ code: 'COPIES_TIMEOUT' })
    expect(counter.value).toBe(7)
    await expect(counter.increment(1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(counter.value).toBe(7)
  })

  it('closing the grid writes what was counted just before', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const counter = grid.counter('visits')
    const counting = counter.increment(41)
    const closing = grid.close()
    await expect(counter.increment()).rejects.toMatchObject({ code: 'CLOSED' })
    await closing
    expect(await counting).toMatchObject({ durable: true })
    expect((await grids.open({ storage: disk })).counter('visits').value).toBe(41)
  })

  it('a store that refuses rejects, and what was counted stays counted', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const counter = grid.counter('visits')
    await counter.increment()
    disk.failure = new Error('no space')
    await expect(counter.increment(2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await expect(counter.increment(3)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect(counter.value).toBe(6)
    disk.failure = undefined
    await until(() => grid.status().storage.healthy, 'the store works again')
    await counter.increment(4)
    await grid.close()
    expect((await grids.open({ storage: disk })).counter('visits').value).toBe(10)
  })

  it('increments that core refuses are not counted', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    disk.failure = new Error('no space')
    const filling = Array.from({ length: 66 }, (_, i) => grid.map('m').set(`k${i}`, new Uint8Array(1024 * 1024 - 8)))
    await Promise.allSettled(filling)
    const counter = grid.counter('visits')
    await expect(counter.increment(5)).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
    expect(counter.value).toBe(0)
    disk.failure = undefined
    await until(() => grid.status().storage.healthy, 'the store works again')
    await counter.increment(6)
    expect(counter.value).toBe(6)
  })
})

describe('the range', () => {
  it('only whole numbers from 0 up to 2^53 - 1 are counted', async () => {
    const counter = (await grids.open()).counter('visits')
    for (const by of [-1, 0.5, Number.NaN, Infinity, MAX + 1, '1', null, 1n]) {
      await expect(counter.increment(by as number)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
      await expect(counter.decrement(by as number)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    }
    await expect(counter.increment(1, { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(counter.value).toBe(0)
  })

  it('what would leave the safe range is refused and changes nothing', async () => {
    const counter = (await grids.open()).counter('visits')
    await counter.increment(MAX)
    expect(counter.value).toBe(MAX)
    await expect(counter.increment()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    await counter.decrement(MAX)
    expect(counter.value).toBe(0)
    // This peer's row has counted up as far as it goes.
    await expect(counter.increment()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    await expect(counter.decrement()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    expect(counter.value).toBe(0)
  })

  it('the same holds for what is not written yet', async () => {
    const counter = (await grids.open()).counter('visits')
    const counting = counter.decrement(MAX)
    await expect(counter.decrement()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    await counting
    expect(counter.value).toBe(-MAX)
  })

  it('a sum that several peers drive out of range throws rather than lies, and counts on when it is back', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    grids.split([0], [1])
    const heard: CounterChange[] = []
    first.counter('visits').on('change', (change) => heard.push(change))
    await first.counter('visits').increment(MAX)
    await second.counter('visits').increment(MAX - 1)
    grids.heal()
    await until(() => heard.length === 2, 'the row of the other has come')
    expect(() => first.counter('visits').value).toThrow(expect.objectContaining({ code: 'COUNTER_RANGE' }))
    expect(() => heard[1]!.value).toThrow(expect.objectContaining({ code: 'COUNTER_RANGE' }))
    expect(heard[1]!.delta).toBe(MAX - 1)
    await expect(first.counter('visits').increment()).rejects.toMatchObject({ code: 'COUNTER_RANGE' })
    await first.counter('visits').decrement(MAX - 2)
    expect(() => first.counter('visits').value).toThrow(/9007199254740992/)
    await first.counter('visits').decrement()
    expect(first.counter('visits').value).toBe(MAX)
    await until(() => second.metrics().convergence.state === 'equal', 'both are equal')
    expect(second.counter('visits').value).toBe(MAX)
  })
})

describe('changes', () => {
  it('loops and listeners hear of what is counted here and elsewhere, together when it was written together', async () => {
    const [first, second] = [await grids.open(), await grids.open()]
    await second.ready()
    const loop = second.counter('visits').changes()
    const heard: CounterChange[] = []
    const off = second.counter('visits').on('change', (change) => heard.push(change))
    void first.counter('visits').increment(2)
    await first.counter('visits').increment(3)
    await until(() => second.counter('visits').value === 5, 'it has come')
    await second.counter('visits').decrement()
    await second.counter('visits').increment(0)
    off()
    await second.counter('visits').increment()
    expect(steps(await collect(loop, 3))).toEqual([
      ['change', 5, 5, 0],
      ['change', 4, -1, 0],
      ['change', 5, 1, 0],
    ])
    expect(steps(heard)).toEqual([
      ['change', 5, 5, 0],
      ['change', 4, -1, 0],
    ])
  })

  it('a reader that is too slow gets the current value', async () => {
    const counter = (await grids.open()).counter('visits')
    const loop = counter.changes({ bufferMax: 1 })
    for (let i = 0; i < 4; i++) await counter.increment()
    expect(steps(await collect(loop, 2))).toEqual([
      ['change', 1, 1, 0],
      ['lagged', 4, 0, 3],
    ])
  })

  it('a listener may count', async () => {
    const counter = (await grids.open()).counter('visits')
    counter.on('change', ({ value }) => {
      if (value < 3) void counter.increment()
    })
    await counter.increment()
    await until(() => counter.value === 3, 'the listener has counted on')
  })

  it('loops end with the grid', async () => {
    const grid = await grids.open()
    const ended = collect(grid.counter('visits').changes(), 10)
    await grid.close()
    expect(await ended).toEqual([])
    expect(() => grid.counter('visits')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})
