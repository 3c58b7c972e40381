import type { Receipt, WriteOptions } from './receipts/receipt.ts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from './grid.ts'
import { TestGrids, diskInMemory } from './rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

type Write = (grid: Grid, options?: WriteOptions) => Promise<unknown>

/** Every method that takes the options of a write, after what it needs to have something to write. */
const WRITES: Record<string, Write> = {
  'set of a map': (grid, options) => grid.map('m').set('k', 1, options),
  'set of a map with fields': (grid, options) => grid.map('f', { merge: 'fields' }).set('k', { a: 1, b: 2 }, options),
  'delete of a map': async (grid, options) => {
    await grid.map('m').set('k', 1)
    return grid.map('m').delete('k', options)
  },
  'touch of a map': async (grid, options) => {
    await grid.map('m').set('k', 1)
    return grid.map('m').touch('k', 60_000, options)
  },
  'update of a map': (grid, options) => grid.map('m').update('k', () => 1, options),
  'setMany of a map': async (grid, options) => (await grid.map('m').setMany([['k', 1]], options))[0],
  'transact of a map': (grid, options) => grid.map('m').transact((batch) => batch.set('k', 1), options),
  'transact of a grid': (grid, options) =>
    grid.transact((batch) => {
      batch.map('m').set('k', 1)
      batch.set('s').add(1)
      batch.counter('c').increment()
    }, options),
  'add of a set': (grid, options) => grid.set('s').add('x', options),
  'delete of a set': async (grid, options) => {
    await grid.set('s').add('x')
    return grid.set('s').delete('x', options)
  },
  'addMany of a set': async (grid, options) => (await grid.set('s').addMany(['x'], options))[0],
  increment: (grid, options) => grid.counter('c').increment(1, options),
  decrement: (grid, options) => grid.counter('c').decrement(1, options),
  'flush of a document': async (grid, options) => {
    const doc = await grid.doc('d')
    doc.y.getText('t').insert(0, 'a')
    return doc.flush(options)
  },
}

/** The options that change nothing without an abort and without a second copy. */
const OPTIONS: Record<string, () => WriteOptions> = {
  'no option at all': () => ({}),
  'a signal': () => ({ signal: new AbortController().signal }),
  'a time limit': () => ({ timeoutMs: 1 }),
  'one copy': () => ({ copies: 1 }),
  'all of them': () => ({ copies: 1, timeoutMs: 1, signal: new AbortController().signal }),
  'options that are undefined': () => ({ copies: undefined, timeoutMs: undefined, signal: undefined }) as never,
}

const cases = Object.entries(WRITES).flatMap(([name, write]) =>
  Object.entries(OPTIONS).map(([what, options]) => [name, what, write, options] as const),
)

describe('options that ask for nothing more', () => {
  it.each(cases)('%s on a peer in memory resolves with %s as without', async (_name, _what, write, options) => {
    const grid = await grids.open()
    expect(await write(grid, options())).toMatchObject({ durable: false, copies: 0 })
  })

  it.each(cases)('%s on a durable peer resolves with %s as without', async (_name, _what, write, options) => {
    const grid = await grids.open({ storage: diskInMemory() })
    expect(await write(grid, options())).toMatchObject({ durable: true, copies: 1 })
  })
})

describe('a peer in memory', () => {
  it('counts the copies of others when two are asked for', async () => {
    const grid = await grids.open()
    const durable = [await grids.open({ storage: diskInMemory() }), await grids.open({ storage: diskInMemory() })]
    await Promise.all(durable.map((other) => other.ready()))
    const { signal } = new AbortController()
    expect(await grid.map('m').set('k', 1, { copies: 2, signal })).toMatchObject({ durable: false, copies: 2 })
  })
})

describe('options that are wrong', () => {
  it.each(Object.entries(WRITES))('%s refuses them, and writes nothing', async (_name, write) => {
    const grid = await grids.open()
    for (const options of [{ copies: 0 }, { copies: 1.5 }, { timeoutMs: 0 }, { signal: {} }, { signal: true }]) {
      await expect(write(grid, options as WriteOptions)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  it('are refused also where there is nothing to delete', async () => {
    const grid = await grids.open()
    await expect(grid.map('m').delete('k', { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(grid.set('s').delete('x', { copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const doc = await grid.doc('d')
    await expect(doc.flush({ copies: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

describe('a signal', () => {
  it.each(Object.entries(WRITES))('%s rejects with ABORTED when it is aborted already', async (_name, write) => {
    const grid = await grids.open()
    await expect(write(grid, { signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: 'enough',
    })
  })

  it('aborted already lets no function run and writes nothing', async () => {
    const grid = await grids.open()
    const options = { signal: AbortSignal.abort() }
    const run = vi.fn<() => number>(() => 1)
    await expect(grid.map('m').update('k', run, options)).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(grid.map('m').transact(run, options)).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(grid.transact(run, options)).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(grid.map('m').delete('k', options)).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(grid.set('s').delete('x', options)).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(grid.counter('c').increment(1, options)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(run).not.toHaveBeenCalled()
    expect([grid.map('m').size, grid.set('s').size, grid.counter('c').value]).toEqual([0, 0, 0])
  })

  it('of another class of that name is a signal too', async () => {
    const { signal } = new AbortController()
    const other = {
      aborted: false,
      reason: undefined,
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    }
    const grid = await grids.open()
    expect(await grid.map('m').set('k', 1, { signal: other as unknown as AbortSignal })).toMatchObject({ copies: 0 })
  })

  it('keeps no listener once the write is settled', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const { signal } = new AbortController()
    const [adding, removing] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')]
    await Promise.all(Array.from({ length: 20 }, (_, i) => grid.map('m').set(`k${i}`, i, { signal })))
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(adding).toHaveBeenCalledTimes(1)
    expect(removing).toHaveBeenCalledTimes(1)
  })

  it('aborted by a listener while the write is made does not end the program when storing fails', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    const map = grid.map('m')
    const stop = new AbortController()
    map.on('change', () => stop.abort())
    disk.failure = new Error('no space')
    // An unhandled rejection would fail the run.
    await expect(map.set('k', 1, { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    disk.failure = undefined
  })
})

describe('increments with options', () => {
  it('share their row with the others of their turn', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const { signal } = new AbortController()
    const counter = grid.counter('c')
    const receipts = await Promise.all(Array.from({ length: 100 }, () => counter.increment(1, { signal })))
    const sequences = new Set(receipts.map((receipt: Receipt) => receipt.version.sequence))
    expect([counter.value, sequences.size]).toEqual([100, 1])
  })
})
