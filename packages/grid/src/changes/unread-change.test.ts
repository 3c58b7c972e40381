import { deepStrictEqual } from 'node:assert/strict'
import { inspect } from 'node:util'
import { decodeValue, encodeValue } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { EncodedChange } from '../maps/map-change.ts'
import { TestGrids } from '../rig/test-grids.ts'
import { compact, putDecoded } from './unread-change.ts'

const NOWHERE = { local: false, by: undefined, atMs: 0 }

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

/** With its fields in order, as a map with fields gives them. */
const small = { list: ['a', 'b'], x: 1 }
/** Of a size that is decoded at the first look. */
const large = { list: Array.from({ length: 100 }, (_, i) => i), text: 'x'.repeat(2000) }

interface Report {
  /** Starts a listener and a loop, makes a change, and returns what the two received. */
  readonly follow: (grid: Grid) => Promise<[listener: object, loop: object]>
  /** `at` is the date that the change has, if it has one. */
  readonly expected: (grid: Grid, at: unknown) => object
}

async function reported(
  source: {
    on(listener: (change: object) => void): unknown
    loop(): AsyncIterableIterator<object>
  },
  change: () => Promise<unknown>,
): Promise<[object, object]> {
  let heard: object | undefined
  source.on((event) => (heard = event))
  const loop = source.loop()
  await change()
  return [heard!, (await loop.next()).value as object]
}

function reportedByMap(value: unknown, previous: unknown, merge: 'value' | 'fields'): Report {
  return {
    follow: async (grid) => {
      const map = grid.map(`m ${merge}`, { merge })
      if (previous !== undefined) await map.set('k', previous)
      const change = (): Promise<unknown> => (value === undefined ? map.delete('k') : map.set('k', value))
      return reported({ on: (listener) => map.on('change', listener), loop: () => map.changes() }, change)
    },
    expected: ({ peerId }, at) => {
      const type = value === undefined ? 'delete' : 'set'
      return { type, key: 'k', value, previous, local: true, by: peerId, at, missed: 0 }
    },
  }
}

function reportedByTopic(value: unknown): Report {
  return {
    follow: (grid) => {
      const topic = grid.topic('t')
      const source = {
        on: (listener: (m: object) => void) => topic.on('message', listener),
        loop: () => topic.messages(),
      }
      return reported(source, () => topic.publish(value))
    },
    expected: (grid) => ({ type: 'message', topic: 't', value, from: grid.peerId, subject: undefined, missed: 0 }),
  }
}

function reportedByPresence(state: unknown): Report {
  return {
    follow: (grid) => {
      const presence = grid.presence()
      const source = {
        on: (listener: (change: object) => void) => presence.on('change', listener),
        loop: () => presence.changes(),
      }
      return reported(source, () => Promise.resolve(presence.set(state)))
    },
    expected: (grid) => ({ type: 'set', peerId: grid.peerId, state, subject: undefined, missed: 0 }),
  }
}

const kinds: [string, Report][] = [
  ['a small value', reportedByMap(small, undefined, 'value')],
  ['a small value after another', reportedByMap('text', small, 'value')],
  ['a large value', reportedByMap(large, undefined, 'value')],
  ['a large value after a small one', reportedByMap(large, small, 'value')],
  ['a deleted large value', reportedByMap(undefined, large, 'value')],
  ['fields of an object', reportedByMap(small, large, 'fields')],
  ['a small message', reportedByTopic({ text: 'hi' })],
  ['a large message', reportedByTopic(large)],
  ['a small state', reportedByPresence({ name: 'Ada' })],
  ['a large state', reportedByPresence({ text: 'x'.repeat(2000) })],
  [
    'an element',
    {
      follow: (grid) => {
        const set = grid.set('s')
        const source = {
          on: (listener: (change: object) => void) => set.on('change', listener),
          loop: () => set.changes(),
        }
        return reported(source, () => set.add({ a: [1] }))
      },
      expected: () => ({ type: 'add', element: { a: [1] }, missed: 0 }),
    },
  ],
  [
    'a count',
    {
      follow: (grid) => {
        const counter = grid.counter('c')
        const source = {
          on: (listener: (change: object) => void) => counter.on('change', listener),
          loop: () => counter.changes(),
        }
        return reported(source, () => counter.increment(5))
      },
      expected: () => ({ type: 'change', value: 5, delta: 5, missed: 0 }),
    },
  ],
]

describe.each(kinds)('a change that tells of %s', (_, { follow, expected }) => {
  const looks: [string, (change: object) => unknown, (change: object) => unknown][] = [
    ['JSON.stringify', (change) => JSON.stringify(change), (change) => JSON.stringify(change)],
    ['spread', (change) => ({ ...change }), (change) => change],
    ['Object.assign', (change) => Object.assign({}, change), (change) => change],
    ['structuredClone', (change) => structuredClone(change), (change) => change],
    ['console.log', (change) => inspect(change), (change) => inspect(change)],
    ['console.log in depth', (change) => inspect([change], { depth: 9 }), (change) => inspect([change], { depth: 9 })],
    ['Object.keys', (change) => Object.keys(change), (change) => Object.keys(change)],
    ['for in', (change) => namesIn(change), (change) => namesIn(change)],
    ['freezing it', (change) => ({ ...Object.freeze(change) }), (change) => change],
  ]

  it.each(looks)('shows all of it to %s', async (__, look, right) => {
    const grid = await grids.open()
    for (const change of await follow(grid)) expect(look(change)).toEqual(right(expected(grid, dateOf(change))))
  })

  it('is a plain object with nothing else in it, and the same at every look', async () => {
    const grid = await grids.open()
    const [heard, read] = await follow(grid)
    expect(heard).not.toBe(read)
    for (const change of [heard, read]) {
      expect(Object.getPrototypeOf(change)).toBe(Object.prototype)
      const whole = expected(grid, dateOf(change))
      deepStrictEqual({ ...change }, whole)
      deepStrictEqual(change, whole)
      expect(change).toStrictEqual(whole)
      for (const name of Object.keys(change) as (keyof typeof change)[]) expect(change[name]).toBe(change[name])
    }
  })
})

function dateOf(change: object): unknown {
  return 'at' in change ? new Date(change.at as Date) : undefined
}

describe('a change that is kept', () => {
  it('shows what was there at its time, whatever is written later', async () => {
    const map = (await grids.open()).map<{ n: number; text: string }>('m')
    const heard: { value: { n: number } | undefined; previous: { n: number } | undefined }[] = []
    map.on('change', (change) => void heard.push(change))
    const loop = map.changes()
    for (let n = 0; n < 300; n++) await map.set('k', { n, text: 'x'.repeat(n % 2 === 0 ? 10 : 20_000) })
    const read = []
    for (let n = 0; n < 300; n++) read.push((await loop.next()).value)
    for (const changes of [heard, read]) {
      expect(changes.map(({ value }) => value!.n)).toEqual(Array.from({ length: 300 }, (_, n) => n))
      expect(changes.slice(1).map(({ previous }) => previous!.n)).toEqual(Array.from({ length: 299 }, (_, n) => n))
    }
  })

  it('belongs to one reader: other readers do not see what that reader does to it', async () => {
    const map = (await grids.open()).map<{ tags: string[] }>('m')
    const seen: string[][] = []
    map.on('change', ({ value }) => value?.tags.push('mine'))
    map.on('change', ({ value }) => seen.push(value!.tags))
    const loop = map.changes()
    await map.set('k', { tags: ['a'] })
    expect(seen).toEqual([['a']])
    expect((await loop.next()).value).toMatchObject({ value: { tags: ['a'] } })
    expect(map.peek('k')).toEqual({ tags: ['a'] })
  })

  it('keeps no buffer alive that is much larger than its values', () => {
    const slab = new Uint8Array(1024 * 1024)
    slab.set(encodeValue(large, 10_000), 5000)
    const view = slab.subarray(5000, 5000 + encodeValue(large, 10_000).length)
    const change = new EncodedChange('k', view, undefined, NOWHERE).read()
    slab.fill(0)
    expect(change.value).toEqual(large)
    expect(compact(view).buffer.byteLength).toBe(view.length)
    expect(compact(slab.subarray(0, 600_000)).buffer).toBe(slab.buffer)
  })

  it('is decoded once if it is large, and not before a reader looks', () => {
    let decoded = 0
    const decode = (bytes: Uint8Array): unknown => {
      decoded += 1
      return decodeValue(bytes)
    }
    const change: { value: unknown } = { value: undefined }
    putDecoded(change, 'value', encodeValue(large, 10_000), decode)
    expect(decoded).toBe(0)
    expect(change.value).toEqual(large)
    expect(change.value).toBe(change.value)
    expect(decoded).toBe(1)
    change.value = 'mine'
    expect(change).toEqual({ value: 'mine' })
  })
})

function namesIn(change: object): string[] {
  const names: string[] = []
  for (const name in change) names.push(name)
  return names
}
