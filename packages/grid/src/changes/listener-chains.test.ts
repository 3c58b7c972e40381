import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import type { GridMap } from '../maps/grid-map.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  const ended = grids
  grids = new TestGrids()
  await ended.close()
})

/** Waits until so many turns of the event loop have passed, by timers, which need one each. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0))
}

function countOf<Value>(map: GridMap<Value>): () => number {
  let count = 0
  map.on('change', () => (count += 1))
  return () => count
}

/** Programs that cause their own next change, without ever waiting; each gives what says how far it came. */
const CHAINS: [string, (grid: Grid) => () => number][] = [
  [
    'a map whose listener sets',
    (grid) => {
      const map = grid.map<number>('m')
      const count = countOf(map)
      map.on('change', ({ value }) => void map.set('k', value! + 1))
      void map.set('k', 0)
      return count
    },
  ],
  [
    'a map whose listener sets two keys for each',
    (grid) => {
      const map = grid.map<number>('m')
      let count = 0
      const set = (): void => void map.set(`k${count++ % 100}`, count).catch(() => undefined)
      map.on('change', () => {
        set()
        set()
      })
      set()
      return () => count
    },
  ],
  [
    'two maps that answer each other',
    (grid) => {
      const [one, other] = [grid.map<number>('one'), grid.map<number>('other')]
      const count = countOf(one)
      one.on('change', ({ value }) => void other.set('k', value! + 1))
      other.on('change', ({ value }) => void one.set('k', value! + 1))
      void one.set('k', 0)
      return count
    },
  ],
  [
    'a map with fields whose listener sets',
    (grid) => {
      const map = grid.map<{ n: number }>('f', { merge: 'fields' })
      const count = countOf(map)
      map.on('change', ({ value }) => void map.set('k', { n: value!.n + 1 }))
      void map.set('k', { n: 0 })
      return count
    },
  ],
  [
    'a set whose listener adds and removes',
    (grid) => {
      const set = grid.set<number>('s')
      let count = 0
      set.on('change', ({ type }) => void (type === 'add' ? set.delete(1) : set.add(1)))
      set.on('change', () => (count += 1))
      void set.add(1)
      return () => count
    },
  ],
  [
    'a counter whose listener counts',
    (grid) => {
      const counter = grid.counter('c')
      counter.on('change', () => void counter.increment())
      void counter.increment()
      return () => counter.value
    },
  ],
  [
    'a map whose listener runs a batch',
    (grid) => {
      const map = grid.map<number>('m')
      const count = countOf(map)
      map.on('change', ({ value }) => void map.transact((batch) => batch.set('k', value! + 1)))
      void map.set('k', 0)
      return count
    },
  ],
  [
    'a topic whose listener publishes',
    (grid) => {
      const topic = grid.topic<number>('t')
      let count = 0
      topic.on('message', () => {
        count += 1
        void topic.publish(count)
      })
      void topic.publish(0)
      return () => count
    },
  ],
  [
    'a loop that awaits each write',
    (grid) => {
      const map = grid.map<number>('m')
      let count = 0
      const loop = async (): Promise<void> => {
        for (;;) await map.set('k', count++)
      }
      loop().catch(() => undefined)
      return () => count
    },
  ],
  [
    'a loop that awaits each message',
    (grid) => {
      const topic = grid.topic<number>('t')
      let count = 0
      const loop = async (): Promise<void> => {
        for (;;) await topic.publish(count++)
      }
      loop().catch(() => undefined)
      return () => count
    },
  ],
]

describe('a program that causes its own next change', () => {
  for (const [where, options] of [
    ['on a disk', () => ({ storage: diskInMemory() })],
    ['in memory', () => ({})],
  ] as const) {
    it.each(CHAINS)(`lets the event loop run, ${where}: %s`, async (_name, start) => {
      const grid = await grids.open(options())
      const steps = start(grid)
      await turns(5)
      const before = steps()
      await until(() => steps() > before + 10, 'it goes on')
      await turns(5)
      // Unhandled rejections, such as BACKLOG_FULL of a write that no one awaits, would fail the run.
      await grid.close()
      const after = steps()
      await turns(3)
      expect(steps()).toBe(after)
    })
  }

  it('goes no faster than the store, so that little waits for it', async () => {
    const disk = diskInMemory()
    const write = disk.write
    disk.write = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return write(...args)
    }
    const grid = await grids.open({ storage: disk })
    const map = grid.map<number>('m')
    let refused = 0
    map.on('change', ({ value }) => {
      for (const key of ['a', 'b', 'c']) map.set(key, value! + 1).catch(() => (refused += 1))
    })
    await map.set('a', 0)
    let most = 0
    for (let i = 0; i < 20; i++) {
      await turns(1)
      most = Math.max(most, grid.status().backlog.undurableBytes)
    }
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(64 * 1024 * 1024)
    await grid.close()
  })

  it('that a listener of something else waits behind still reaches it', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<number>('m')
    map.on('change', ({ value }) => void map.set('k', value! + 1))
    void map.set('k', 0)
    const heard: string[] = []
    const other = grid.map<string>('other')
    other.on('change', ({ key }) => heard.push(key))
    await other.set('a', 'x')
    await until(() => heard.length === 1, 'it was heard')
  })
})

describe('listeners', () => {
  it('hear what they cause after the rest of what caused it, in one turn while it is little', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const map = grid.map<number>('m')
    const heard: string[] = []
    map.on('change', ({ key, value }) => {
      if (value! < 3) void map.set(`${key}${value! + 1}`, value! + 1)
    })
    map.on('change', ({ key }) => heard.push(key))
    await map.transact((batch) => {
      batch.set('a', 1)
      batch.set('b', 1)
    })
    expect(heard).toEqual(['a', 'b', 'a2', 'b2', 'a23', 'b23'])
  })
})
