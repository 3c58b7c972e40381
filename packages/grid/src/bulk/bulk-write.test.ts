import { Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BulkError } from './bulk-error.ts'
import type { BulkProgress } from './bulk-error.ts'
import type { BulkOptions } from './bulk-write.ts'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

type Entry = readonly [string, unknown]

function entriesOf(count: number, value: unknown = 1): Entry[] {
  return Array.from({ length: count }, (_, i) => [`k${i}`, value] as const)
}

async function* slowly(entries: Iterable<Entry>): AsyncGenerator<Entry, void, undefined> {
  for (const entry of entries) yield entry
}

function* oneByOne<T>(entries: Iterable<T>): Generator<T, void, undefined> {
  yield* entries
}

/** A store that keeps each answer back until it is released. */
function gatedDisk(): ReturnType<typeof diskInMemory> & { open: () => void; shut: () => void } {
  const disk = diskInMemory()
  let gate = Promise.resolve()
  let release = (): void => undefined
  const write = disk.write
  return Object.assign(disk, {
    write: async (...args: Parameters<typeof write>) => {
      await gate
      return write(...args)
    },
    open: () => release(),
    shut: () => {
      gate = new Promise((resolve) => (release = resolve))
    },
  })
}

async function failureOf(promise: Promise<unknown>): Promise<BulkError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BulkError)
  return error as BulkError
}

describe('more than fits into the backlog', () => {
  it('is written whole by setMany', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    const most = { bytes: 0 }
    const onProgress = (): void => {
      most.bytes = Math.max(most.bytes, grid.status().backlog.undurableBytes)
    }
    // 130,000 writes cost more than the backlog may hold.
    const receipts = await map.setMany(entriesOf(130_000), { onProgress })
    expect(receipts).toHaveLength(130_000)
    expect(receipts.every((receipt) => receipt.durable && receipt.copies === 1)).toBe(true)
    expect(new Set(receipts.map((receipt) => receipt.version.sequence)).size).toBe(130_000)
    expect(map.size).toBe(130_000)
    expect(most.bytes).toBeLessThan(32 * 1024 * 1024)
  })

  const others: [string, number, (grid: Grid) => Promise<unknown>, (grid: Grid) => number, number][] = [
    [
      'large values of a map',
      8,
      (grid) =>
        grid.map<string>('m').setMany(Array.from({ length: 20 }, (_, i) => [`k${i}`, 'x'.repeat(900_000)] as const)),
      (grid) => grid.map('m').size,
      20,
    ],
    [
      'objects of a map with fields',
      8000,
      (grid) => grid.map('f', { merge: 'fields' }).setMany(entriesOf(10_000, { a: 1, b: 2 })),
      (grid) => grid.map('f').size,
      10_000,
    ],
    [
      'elements of a set',
      8000,
      (grid) => grid.set<number>('s').addMany(Array.from({ length: 10_000 }, (_, i) => i)),
      (grid) => grid.set('s').size,
      10_000,
    ],
  ]

  it.each(others)('waits for a store that hangs, then goes on: %s', async (_name, most, write, size, all) => {
    const disk = gatedDisk()
    const grid = await grids.open({ storage: disk })
    disk.shut()
    const writing = write(grid)
    await until(() => size(grid) >= most, 'as much waits as may')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(size(grid)).toBe(most)
    disk.open()
    await writing
    expect(size(grid)).toBe(all)
  })

  it('waits for a store that hangs, then goes on: clear of a map and of a set', async () => {
    const disk = gatedDisk()
    const grid = await grids.open({ storage: disk })
    const [map, set] = [grid.map('m'), grid.set<number>('s')]
    await map.setMany(entriesOf(10_000))
    await set.addMany(Array.from({ length: 10_000 }, (_, i) => i))
    disk.shut()
    const clearing = [map.clear(), set.clear()]
    await until(() => map.size <= 2000 && set.size <= 2000, 'as much waits as may')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([map.size, set.size]).toEqual([2000, 2000])
    disk.open()
    expect(await Promise.all(clearing)).toEqual([10_000, 10_000])
    expect([map.size, set.size]).toEqual([0, 0])
  })

  it('is written whole while other bulk writes and single ones go on', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const maps = Array.from({ length: 12 }, (_, i) => grid.map(`m${i}`))
    const bulk = maps.map((map) => map.setMany(oneByOne(entriesOf(12_000))))
    let singles = 0
    let over = false
    const single = async (): Promise<void> => {
      while (!over) {
        await grid.map('single').set('k', singles++)
      }
    }
    const going = single()
    await Promise.all(bulk)
    over = true
    await going
    expect(maps.map((map) => map.size)).toEqual(maps.map(() => 12_000))
    expect(singles).toBeGreaterThan(0)
  })
})

describe('what is passed', () => {
  const sources: [string, (entries: Entry[]) => Iterable<Entry> | AsyncIterable<Entry>][] = [
    ['an array', (entries) => entries],
    ['a Map', (entries) => new Map(entries)],
    ['the entries of a Map', (entries) => new Map(entries).entries()],
    ['a Set', (entries) => new Set(entries)],
    ['a generator', (entries) => oneByOne(entries)],
    ['an async generator', (entries) => slowly(entries)],
    ['a stream', (entries) => Readable.from(entries)],
  ]

  it.each(sources)('may be %s', async (_name, source) => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    const passed = source(entriesOf(2500))
    const result = await map.setMany(passed as AsyncIterable<Entry>)
    if (Symbol.asyncIterator in passed) expect(result).toMatchObject({ written: 2500, durable: 2500, copies: 1 })
    else expect(result).toHaveLength(2500)
    expect(map.size).toBe(2500)
  })

  it.each(sources)('may be empty: %s', async (_name, source) => {
    const grid = await grids.open()
    const passed = source([])
    const result = await grid.map('m').setMany(passed as AsyncIterable<Entry>)
    expect(result).toEqual(Symbol.asyncIterator in passed ? { written: 0, durable: 0, copies: 0 } : [])
  })

  it('is refused when it is not iterable', async () => {
    const grid = await grids.open()
    for (const wrong of [undefined, null, 7, { a: 1 }, () => undefined]) {
      await expect(grid.map('m').setMany(wrong as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
      await expect(grid.set('s').addMany(wrong as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  it('may go on for ever, one entry now and then: each is written before the next one comes', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    async function* now(): AsyncGenerator<Entry, void, undefined> {
      for (const [i, { promise }] of asked.entries()) {
        await promise
        yield [`k${i}`, i]
      }
    }
    const writing = map.setMany(now())
    for (const [i, { resolve }] of asked.entries()) {
      expect(map.size).toBe(i)
      resolve()
      await until(() => map.size === i + 1, 'the entry is there')
    }
    expect(await writing).toMatchObject({ written: 3, durable: 3, copies: 1 })
  })

  it('of a live collection is its content when the method was called', async () => {
    const grid = await grids.open()
    const map = grid.map('m')
    const entries = entriesOf(3000)
    map.on('change', () => entries.push(['later', 1]))
    await map.setMany(entries)
    expect(map.size).toBe(3000)
  })

  it('of up to 1,000 entries is visible at once, as with set', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const [map, set] = [grid.map('m'), grid.set('s')]
    const writing = [map.setMany(entriesOf(1000)), set.addMany([1, 2]), set.clear()]
    expect([map.size, set.size]).toEqual([1000, 0])
    await Promise.all(writing)
  })

  it('in which a key comes twice leaves the later value', async () => {
    const grid = await grids.open()
    const map = grid.map('m')
    await map.setMany([...entriesOf(2000, 'first'), ['k5', 'second']])
    expect(map.peek('k5')).toBe('second')
    const fields = grid.map<{ a?: number; b?: number }>('f', { merge: 'fields' })
    await fields.setMany([
      ['k', { a: 1, b: 1 }],
      ['k', { b: 2 }],
    ])
    expect(fields.peek('k')).toEqual({ b: 2 })
  })
})

describe('the event loop', () => {
  it('runs while many are written, from an array, a generator and an async generator that never waits', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const entries = entriesOf(30_000)
    for (const source of [entries, oneByOne(entries), slowly(entries)]) {
      let turns = 0
      let over = false
      const turn = (): void => {
        turns += 1
        if (!over) setImmediate(turn)
      }
      setImmediate(turn)
      await grid.map('m').setMany(source as Iterable<Entry>)
      over = true
      expect(turns).toBeGreaterThan(25)
    }
  })
})

describe('progress', () => {
  it('is reported as entries become durable, and ends with all of them', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const reported: BulkProgress[] = []
    await grid.map('m').setMany(slowly(entriesOf(5500)), { onProgress: (progress) => reported.push(progress) })
    expect(reported.at(-1)).toEqual({ written: 5500, durable: 5500 })
    expect(reported.length).toBeGreaterThanOrEqual(6)
    for (const [i, { written, durable }] of reported.entries()) {
      expect(durable).toBeLessThanOrEqual(written)
      expect(durable).toBeGreaterThanOrEqual(reported[i - 1]?.durable ?? 0)
    }
  })

  it('counts nothing durable on a peer in memory', async () => {
    const grid = await grids.open()
    const reported: BulkProgress[] = []
    const result = await grid
      .map('m')
      .setMany(slowly(entriesOf(10)), { onProgress: (progress) => reported.push(progress) })
    expect(reported.at(-1)).toEqual({ written: 10, durable: 0 })
    expect(result).toMatchObject({ written: 10, durable: 0, copies: 0 })
  })

  it('of a function that throws or rejects stops the writing, with its error as the cause', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const mistake = new TypeError('a mistake')
    const wrong: BulkOptions['onProgress'][] = [
      () => {
        throw mistake
      },
      (() => Promise.reject(mistake)) as never,
    ]
    for (const onProgress of wrong) {
      const options = onProgress === undefined ? {} : { onProgress }
      const error = await failureOf(grid.map('m').setMany(slowly(entriesOf(100_000)), options))
      expect(error).toMatchObject({ code: 'INPUT_FAILED', cause: mistake })
      expect(error.written).toBeLessThan(100_000)
    }
    await expect(grid.map('m').setMany([], { onProgress: 7 as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
  })
})

describe('an entry that is wrong', () => {
  const wrong: [string, Entry, string][] = [
    ['key', ['', 1], 'INVALID_KEY'],
    ['value', ['k', () => undefined], 'INVALID_VALUE'],
    ['size', ['k', new Uint8Array(2 * 1024 * 1024)], 'VALUE_TOO_LARGE'],
  ]

  it.each(wrong)('by its %s leaves all of a collection unwritten', async (_name, entry, code) => {
    const grid = await grids.open({ storage: diskInMemory() })
    const entries = entriesOf(4000)
    entries.splice(3000, 0, entry)
    for (const collection of [entries, new Set(entries)]) {
      const error = await failureOf(grid.map('m').setMany(collection))
      expect(error).toMatchObject({ code, written: 0, durable: 0 })
      expect(error.message).toContain('index 3000')
    }
    expect(grid.map('m').size).toBe(0)
  })

  it.each(wrong)(
    'by its %s in a stream leaves those before it written, and says how many',
    async (_name, entry, code) => {
      const grid = await grids.open({ storage: diskInMemory() })
      for (const [i, source] of [oneByOne, slowly].entries()) {
        const map = grid.map(`m${i}`)
        const entries = entriesOf(4000)
        entries.splice(3210, 0, entry)
        const error = await failureOf(map.setMany(source(entries) as Iterable<Entry>))
        expect(error).toMatchObject({ code, written: 3210, durable: 3210 })
        expect(error.message).toContain('index 3210')
        expect(map.size).toBe(3210)
      }
    },
  )

  it('of a set is reported in the same way', async () => {
    const set = (await grids.open()).set<unknown>('s')
    expect(await failureOf(set.addMany([1, () => 1]))).toMatchObject({ code: 'INVALID_VALUE', written: 0 })
    expect(await failureOf(set.addMany(oneByOne([1, () => 1])))).toMatchObject({ code: 'INVALID_VALUE', written: 1 })
  })

  it('of an iterable that throws is reported with its error, after the entries before it', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const mistake = new Error('line 1235 is no CSV')
    function* failing(): Generator<Entry, void, undefined> {
      yield* entriesOf(1234)
      throw mistake
    }
    async function* failingLater(): AsyncGenerator<Entry, void, undefined> {
      yield* failing()
    }
    for (const source of [failing(), failingLater()]) {
      const error = await failureOf(grid.map('m').setMany(source as Iterable<Entry>))
      expect(error).toMatchObject({ code: 'INPUT_FAILED', cause: mistake, written: 1234, durable: 1234 })
      expect(error.message).toContain('line 1235')
    }
  })

  it('ends the generator that it came from', async () => {
    const grid = await grids.open()
    const ended = vi.fn<() => void>()
    async function* source(): AsyncGenerator<Entry, void, undefined> {
      try {
        yield ['', 1]
      } finally {
        ended()
      }
    }
    await failureOf(grid.map('m').setMany(source()))
    await until(() => ended.mock.calls.length === 1, 'its finally block runs')
  })
})

describe('a signal', () => {
  it('stops between two slices, and the error says what is durable', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    for (const source of [entriesOf(100_000), oneByOne(entriesOf(100_000)), slowly(entriesOf(100_000))]) {
      const stop = new AbortController()
      const onProgress = ({ durable }: BulkProgress): void => {
        if (durable >= 20_000) stop.abort('enough')
      }
      const options = { signal: stop.signal, onProgress }
      const error = await failureOf(map.setMany(source as Iterable<Entry>, options))
      expect(error).toMatchObject({ code: 'ABORTED', cause: 'enough' })
      expect(error.durable).toBeGreaterThanOrEqual(20_000)
      expect(error.durable).toBeLessThan(60_000)
      expect([error.written, map.size]).toEqual([error.durable, error.durable])
      await map.clear()
    }
  })

  it('stops clear, addMany and the wait for a source that gives nothing', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    await map.setMany(entriesOf(50_000))
    const stop = new AbortController()
    const clearing = map.clear({ signal: stop.signal, onProgress: () => stop.abort() })
    const error = await failureOf(clearing)
    expect(error.code).toBe('ABORTED')
    expect(map.size).toBe(50_000 - error.written)
    const never = new AbortController()
    async function* silent(): AsyncGenerator<number, void, undefined> {
      yield 1
      await new Promise(() => undefined)
    }
    const adding = grid.set('s').addMany(silent(), { signal: never.signal })
    await until(() => grid.set('s').size === 1, 'the first one is there')
    never.abort()
    expect(await failureOf(adding)).toMatchObject({ code: 'ABORTED', written: 1, durable: 1 })
  })

  it('aborted before writes nothing, and asks the source for nothing', async () => {
    const grid = await grids.open()
    const asked = vi.fn<() => void>()
    function* source(): Generator<Entry, void, undefined> {
      asked()
      yield ['k', 1]
    }
    const options = { signal: AbortSignal.abort() }
    expect(await failureOf(grid.map('m').setMany(source(), options))).toMatchObject({ code: 'ABORTED', written: 0 })
    expect(await failureOf(grid.map('m').clear(options))).toMatchObject({ code: 'ABORTED', written: 0 })
    expect(asked).not.toHaveBeenCalled()
  })

  it('ends it within a second also while the store hangs', async () => {
    const disk = gatedDisk()
    const grid = await grids.open({ storage: disk })
    const stop = new AbortController()
    disk.shut()
    const writing = grid.map('m').setMany(oneByOne(entriesOf(100_000)), { signal: stop.signal })
    await until(() => grid.map('m').size >= 8000, 'as much waits as may')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(grid.map('m').size).toBe(8000)
    stop.abort()
    expect(await failureOf(writing)).toMatchObject({ code: 'ABORTED', written: 8000, durable: 0 })
    disk.open()
  })
})

describe('a store', () => {
  it('that refuses ends it, and says what is durable', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const map = grid.map('m')
    const onProgress = ({ durable }: BulkProgress): void => {
      if (durable >= 10_000) disk.failure = new Error('no space')
    }
    const error = await failureOf(map.setMany(oneByOne(entriesOf(100_000)), { onProgress }))
    expect(error.code).toBe('STORAGE_FAILED')
    expect(error.durable).toBeGreaterThanOrEqual(10_000)
    expect(error.written).toBeLessThan(30_000)
    expect(map.size).toBe(error.written)
    disk.failure = undefined
    await until(() => grid.status().backlog.undurableBytes === 0, 'the store works again')
  })

  it('that refuses ends also one that waits for room which others take', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    disk.failure = new Error('no space')
    const value = new Uint8Array(1024 * 1024 - 8)
    const others = Array.from({ length: 40 }, (_, i) => grid.map('others').set(`k${i}`, value))
    await Promise.allSettled(others)
    expect(await failureOf(grid.map('m').setMany(entriesOf(10)))).toMatchObject({ code: 'STORAGE_FAILED', written: 0 })
    disk.failure = undefined
    await until(() => grid.status().backlog.undurableBytes === 0, 'the store works again')
    await grid.map('m').setMany(entriesOf(10))
    expect(grid.map('m').size).toBe(10)
  })

  it('that is filled by others is waited for', async () => {
    const disk = gatedDisk()
    const grid = await grids.open({ storage: disk })
    disk.shut()
    const value = new Uint8Array(1024 * 1024 - 8)
    const others = Array.from({ length: 40 }, (_, i) => grid.map('others').set(`k${i}`, value))
    const writing = grid.map('m').setMany(entriesOf(10))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(grid.map('m').size).toBe(0)
    disk.open()
    expect(await writing).toHaveLength(10)
    await Promise.all(others)
  })
})

describe('closing the grid', () => {
  it('ends it with CLOSED, and what it says is durable is there when the grid opens again', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const closing: Promise<void>[] = []
    const onProgress = ({ durable }: BulkProgress): void => {
      if (durable >= 5000 && closing.length === 0) closing.push(grid.close())
    }
    const map = grid.map('m')
    const error = await failureOf(map.setMany(oneByOne(entriesOf(200_000)), { onProgress }))
    expect(error.code).toBe('CLOSED')
    await Promise.all(closing)
    const again = await grids.open({ storage: disk })
    expect(again.map('m').size).toBe(error.written)
    expect(error.durable).toBe(error.written)
    expect(await failureOf(map.setMany([['k', 1]]))).toMatchObject({ code: 'CLOSED', written: 0 })
  })
})

describe('copies', () => {
  async function pair(): Promise<[Grid, Grid]> {
    const first = await grids.open({ storage: diskInMemory() })
    const second = await grids.open({ storage: diskInMemory() })
    await second.ready()
    return [first, second]
  }

  it('of far more entries than may be counted at a time are waited for', async () => {
    const [first, second] = await pair()
    const receipts = await first.map('m').setMany(entriesOf(15_000), { copies: 2 })
    expect(receipts).toHaveLength(15_000)
    expect(receipts.every(({ copies }) => copies === 2)).toBe(true)
    expect(second.map('m').size).toBe(15_000)
    expect(await first.map('m').setMany(slowly(entriesOf(15_000)), { copies: 2 })).toMatchObject({
      written: 15_000,
      durable: 15_000,
      copies: 2,
    })
  })

  it('that do not come in time end it with COPIES_TIMEOUT', async () => {
    const [first] = await pair()
    grids.split([0], [1])
    const error = await failureOf(first.map('m').setMany(oneByOne(entriesOf(50_000)), { copies: 2, timeoutMs: 50 }))
    expect(error.code).toBe('COPIES_TIMEOUT')
    expect(error.durable).toBe(error.written)
    expect(error.written).toBeLessThan(20_000)
  })

  it('that too many single writes wait for are refused before anything is written', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map('m')
    const stop = new AbortController()
    const waiting = Array.from({ length: 9000 }, (_, i) => map.set(`k${i}`, i, { copies: 2, signal: stop.signal }))
    await expect(map.set('more', 1, { copies: 2 })).rejects.toMatchObject({ code: 'BACKLOG_FULL' })
    expect(map.peek('more')).toBeUndefined()
    stop.abort()
    const settled = await Promise.allSettled(waiting)
    expect(settled.every((result) => (result as PromiseRejectedResult).reason.code === 'ABORTED')).toBe(true)
    await map.set('more', 1)
  })
})

describe('a document of many rows', () => {
  it('is deleted whole', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const doc = await grid.doc('d')
    doc.y.getText('t').insert(0, 'a')
    await doc.flush()
    await doc.close()
    expect(await grid.deleteDoc('d')).toBe(true)
    expect(grid.docs()).toEqual([])
  })
})
