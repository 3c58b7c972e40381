import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import type { ChangeLoop } from './change-loop.ts'
import type { Grid } from '../grid.ts'
import { TestGrids, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

const DONE = { done: true, value: undefined }

type Loop = AsyncIterableIterator<{ readonly type: string; readonly missed: number }>

/** Something to follow, with what makes the changes numbered from 1; each of them is shown as its number. */
interface Followed {
  loop(options?: { signal?: AbortSignal; bufferMax?: number }): Loop
  change(number: number): Promise<unknown>
  numberOf(change: unknown): unknown
  /** Entries that come first. */
  readonly initial: number
}

const valueOf = (change: unknown): unknown => (change as { value: unknown }).value

function followedMap(options: { key?: string; prefix?: string; initial?: boolean }, merge: 'value' | 'fields') {
  return async (grid: Grid): Promise<Followed> => {
    const map = grid.map<{ n: number }>(`m ${merge}`, { merge })
    await map.setMany(['a1', 'a2', 'b1'].map((key) => [key, { n: 0 }]))
    const wanted = options.key === undefined ? (options.prefix === undefined ? 3 : 2) : 1
    return {
      loop: (more) => map.changes({ ...options, ...more }),
      change: (number) => map.set('a1', { n: number }),
      numberOf: (change) => (valueOf(change) as { n: number }).n,
      initial: options.initial === true ? wanted : 0,
    }
  }
}

function followedSet(initial: boolean) {
  return async (grid: Grid): Promise<Followed> => {
    const set = grid.set<number>('s')
    await set.addMany([-1, -2])
    return {
      loop: (more) => set.changes({ initial, ...more }),
      change: (number) => set.add(number),
      numberOf: (change) => (change as { element: number }).element,
      initial: initial ? 2 : 0,
    }
  }
}

function followedPresence(initial: boolean) {
  return (grid: Grid): Promise<Followed> => {
    const presence = grid.presence<number>()
    presence.set(-1)
    return Promise.resolve({
      loop: (more) => presence.changes({ initial, ...more }),
      change: (number) => Promise.resolve(presence.set(number)),
      numberOf: (change) => (change as { state: number }).state,
      initial: initial ? 1 : 0,
    })
  }
}

function followedTopic(own: boolean | undefined) {
  return (grid: Grid): Promise<Followed> => {
    const topic = grid.topic<number>('t')
    return Promise.resolve({
      loop: (more) => topic.messages({ ...(own === undefined ? {} : { own }), ...more }),
      change: (number) => topic.publish(number),
      numberOf: valueOf,
      initial: 0,
    })
  }
}

function followedCounter(grid: Grid): Promise<Followed> {
  const counter = grid.counter('c')
  return Promise.resolve({
    loop: (more) => counter.changes(more),
    change: () => counter.increment(),
    numberOf: valueOf,
    initial: 0,
  })
}

const kinds: [string, (grid: Grid) => Promise<Followed>][] = [
  ['a map', followedMap({}, 'value')],
  ['one key of a map', followedMap({ key: 'a1' }, 'value')],
  ['a prefix of a map', followedMap({ prefix: 'a' }, 'value')],
  ['a map with fields', followedMap({}, 'fields')],
  ['a map, initial entries first', followedMap({ initial: true }, 'value')],
  ['one key of a map, initial entry first', followedMap({ key: 'a1', initial: true }, 'value')],
  ['a prefix of a map, initial entries first', followedMap({ prefix: 'a', initial: true }, 'value')],
  ['a map with fields, initial entries first', followedMap({ initial: true }, 'fields')],
  ['a set', followedSet(false)],
  ['a set, initial elements first', followedSet(true)],
  ['a counter', followedCounter],
  ['a topic', followedTopic(undefined)],
  ['a presence', followedPresence(false)],
  ['a presence, initial states first', followedPresence(true)],
]

/** A loop that has given its initial entries. */
async function caughtUp(followed: Followed, options?: { signal?: AbortSignal; bufferMax?: number }): Promise<Loop> {
  const loop = followed.loop(options)
  for (let i = 0; i < followed.initial; i++) expect((await loop.next()).done).toBe(false)
  return loop
}

async function rest(loop: Loop, ends: (taken: number) => unknown = () => undefined): Promise<unknown[]> {
  const taken: unknown[] = []
  for await (const change of loop) {
    taken.push(change)
    ends(taken.length)
  }
  return taken
}

describe.each(kinds)('a loop over %s', (_, follow) => {
  it('gives every change once, in order, to as many calls of next() as wait', async () => {
    const followed = await follow(await grids.open())
    const loop = await caughtUp(followed)
    const calls = [loop.next(), loop.next(), loop.next()]
    for (const number of [1, 2, 3, 4, 5]) await followed.change(number)
    const results = [...(await Promise.all(calls)), await loop.next(), await loop.next()]
    expect(results.map(({ value }) => followed.numberOf(value))).toEqual([1, 2, 3, 4, 5])
    await loop.return!()
  })

  it('ends by return() or throw() before its start, twice, and after its end', async () => {
    const followed = await follow(await grids.open())
    const returned = followed.loop()
    expect(await returned.return!()).toEqual(DONE)
    const thrown = followed.loop()
    const error = new Error('mine')
    await expect(thrown.throw!(error)).rejects.toBe(error)
    await followed.change(1)
    for (const loop of [returned, thrown]) {
      expect(await loop.next()).toEqual(DONE)
      expect(await loop.return!()).toEqual(DONE)
      await expect(loop.throw!(error)).rejects.toBe(error)
      expect(await loop.next()).toEqual(DONE)
    }
  })

  it('ends by return() or throw() while calls of next() wait', async () => {
    const followed = await follow(await grids.open())
    const returned = await caughtUp(followed)
    const calls = [returned.next(), returned.next()]
    expect(await returned.return!()).toEqual(DONE)
    expect(await Promise.all(calls)).toEqual([DONE, DONE])
    const thrown = await caughtUp(followed)
    const call = thrown.next()
    await expect(thrown.throw!(new Error('mine'))).rejects.toThrow('mine')
    expect(await call).toEqual(DONE)
  })

  it('ends when its body breaks off or throws, with whatever waits for it', async () => {
    const followed = await follow(await grids.open())
    const [left, failed] = [await caughtUp(followed), await caughtUp(followed)]
    for (const number of [1, 2, 3]) await followed.change(number)
    for await (const change of left) {
      expect(followed.numberOf(change)).toBe(1)
      break
    }
    const reading = rest(failed, () => {
      throw new Error('of the body')
    })
    await expect(reading).rejects.toThrow('of the body')
    expect([await left.next(), await failed.next()]).toEqual([DONE, DONE])
  })

  it('ends with ABORTED, once, however its signal is aborted: before, before its start, while it waits, while it is behind', async () => {
    const followed = await follow(await grids.open())
    const early = followed.loop({ signal: AbortSignal.abort() })
    const stop = new AbortController()
    const { signal } = stop
    const unstarted = followed.loop({ signal })
    const [waits, behind] = [await caughtUp(followed, { signal }), await caughtUp(followed, { signal })]
    for (const number of [1, 2, 3]) await followed.change(number)
    for (let i = 0; i < 3; i++) await waits.next()
    const calls = [waits.next(), waits.next()]
    stop.abort(new Error('why'))
    await expect(calls[0]).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('why') })
    expect(await calls[1]).toEqual(DONE)
    for (const loop of [early, unstarted, behind]) {
      await expect(loop.next()).rejects.toMatchObject({ code: 'ABORTED' })
    }
    await followed.change(4)
    for (const loop of [early, unstarted, waits, behind]) expect(await loop.next()).toEqual(DONE)
  })

  it('ends quietly when the grid closes: before its start, while it waits, while it is behind', async () => {
    const grid = await grids.open()
    const followed = await follow(grid)
    const unstarted = followed.loop()
    const [waits, behind] = [await caughtUp(followed), await caughtUp(followed)]
    await followed.change(1)
    expect(followed.numberOf((await waits.next()).value)).toBe(1)
    const calls = [waits.next(), waits.next()]
    await grid.close()
    expect(await Promise.all(calls)).toEqual([DONE, DONE])
    // Changes from before are still delivered, but nothing can be read any more.
    expect((await rest(behind)).map((change) => followed.numberOf(change))).toEqual([1])
    expect(await rest(unstarted)).toHaveLength(followed.initial > 0 ? 0 : 1)
  })

  it('ends at once when the grid closes or the signal is aborted at its first change', async () => {
    const [first, second] = [await grids.open(), await grids.open({ name: 'other' })]
    const [closed, aborted] = [await follow(first), await follow(second)]
    const stop = new AbortController()
    const reading = rest(aborted.loop({ signal: stop.signal }), () => stop.abort())
    const error = reading.catch((reason: unknown) => reason)
    for (const number of [1, 2, 3]) await aborted.change(number)
    expect(await error).toMatchObject({ code: 'ABORTED' })
    let closing: Promise<void> | undefined
    const taken = rest(closed.loop(), () => (closing ??= first.close()))
    if (closed.initial === 0) await closed.change(1)
    expect(await taken).toHaveLength(1)
    await closing
  })

  it('gives a mark in the place of what a slow reader missed', async () => {
    const followed = await follow(await grids.open())
    const loop = await caughtUp(followed, { bufferMax: 2 })
    for (const number of [1, 2, 3, 4, 5]) await followed.change(number)
    const taken = [await loop.next(), await loop.next(), await loop.next()].map(({ value }) => value)
    expect(taken.slice(0, 2).map((change) => followed.numberOf(change))).toEqual([1, 2])
    expect(taken[2]).toMatchObject({ type: 'lagged', missed: 3 })
    await loop.return!()
  })

  it('refuses a signal that is none, a buffer of nothing, and a listener that is no function', async () => {
    const followed = await follow(await grids.open())
    const invalid = expect.objectContaining({ code: 'INVALID_OPTION' })
    for (const signal of [{}, null, 'stop', new AbortController()]) {
      expect(() => followed.loop({ signal: signal as AbortSignal })).toThrow(invalid)
    }
    expect(() => followed.loop({ bufferMax: 0 })).toThrow(invalid)
  })
})

describe.each([
  ['a map', false],
  ['a map with fields', true],
])('the initial entries of a loop over %s', (_, fields) => {
  const merge = fields ? 'fields' : 'value'

  it('stop where the signal is aborted or the grid closes, however many there are', async () => {
    const grid = await grids.open()
    const map = grid.map<{ n: number }>('m', { merge })
    await map.setMany(Array.from({ length: 5000 }, (__, n) => [`k${n}`, { n }]))
    const stop = new AbortController()
    let taken = 0
    const loop = map.changes({ initial: true, signal: stop.signal })
    const reading = rest(loop, (count) => {
      taken = count
      if (count === 10) stop.abort()
    })
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    expect(taken).toBe(10)
    let closing: Promise<void> | undefined
    const seen = await rest(map.changes({ initial: true }), (count) => {
      if (count === 3000) closing = grid.close()
    })
    expect(seen).toHaveLength(3000)
    await closing
  })

  it('and the changes after them are one history of each key: nothing is lost, and nothing is reported twice', async () => {
    const map = (await grids.open()).map<{ n: number }>('m', { merge })
    await map.setMany(Array.from({ length: 6000 }, (__, n) => [`k${n}`, { n }]))
    const random = randomOf(fields ? 7 : 8)
    let number = 10_000
    const write = (): Promise<unknown> => {
      const key = `k${random(7000)}`
      return random(3) === 0 ? map.delete(key) : map.set(key, { n: number++ })
    }
    const shown = new Map<string, number>()
    const seen = new Set<number>()
    const writes: Promise<unknown>[] = []
    for await (const { type, key, value, previous } of map.changes({ initial: true })) {
      // An entry that comes first says nothing of what was before it.
      if (shown.has(key) || type === 'delete') expect(previous).toEqual({ n: shown.get(key) })
      if (type === 'delete') shown.delete(key)
      else {
        expect(seen.has(value!.n)).toBe(false)
        seen.add(value!.n)
        shown.set(key, value!.n)
      }
      if (key === 'end') break
      if (writes.length < 4000) writes.push(write(), write())
      else if (writes.length === 4000) writes.push(map.set('end', { n: -1 }))
    }
    await Promise.all(writes)
    const stored = new Map<string, number>()
    for await (const [key, { n }] of map.entries()) stored.set(key, n)
    expect(shown).toEqual(stored)
    expect(shown.size).toBeGreaterThan(4000)
  })
})

it('initial elements of a set and the changes after them are one history of each element', async () => {
  const set = (await grids.open()).set<string>('s')
  await set.addMany(Array.from({ length: 6000 }, (_, n) => `e${n}`))
  const random = randomOf(9)
  const shown = new Set<string | undefined>()
  const writes: Promise<unknown>[] = []
  for await (const { type, element } of set.changes({ initial: true })) {
    expect(shown.has(element)).toBe(type === 'delete')
    if (type === 'delete') shown.delete(element)
    else shown.add(element)
    if (element === 'end') break
    const text = `e${random(7000)}`
    if (writes.length < 4000) writes.push(random(2) === 0 ? set.delete(text) : set.add(text))
    else if (writes.length === 4000) writes.push(set.add('end'))
  }
  await Promise.all(writes)
  const stored = new Set<string>()
  for await (const element of set.values()) stored.add(element)
  expect(shown).toEqual(stored)
})

it('a loop that a listener starts does not get changes that it has already read', async () => {
  const map = (await grids.open()).map<number>('m')
  let loop: ReturnType<typeof map.changes> | undefined
  let first: Promise<unknown> | undefined
  map.on('change', () => {
    loop ??= map.changes({ initial: true })
    first ??= loop.next()
  })
  await map.transact((batch) => {
    batch.set('a', 1)
    batch.set('b', 2)
  })
  expect(await first).toMatchObject({ value: { key: 'a', value: 1, previous: undefined } })
  await map.set('a', 3)
  expect(await loop!.next()).toMatchObject({ value: { key: 'b', value: 2 } })
  expect(await loop!.next()).toMatchObject({ value: { key: 'a', value: 3, previous: 1 } })
})

describe('a loop that is not read', () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void

  it('costs nothing before its start when it begins with what is there', async () => {
    const grid = await grids.open()
    const map = grid.map<number>('m')
    const signal = countingSignal()
    const loops = [
      ...Array.from({ length: 3 }, () => map.changes({ initial: true, signal })),
      ...Array.from({ length: 3 }, () => grid.set('s').changes({ initial: true, signal })),
    ]
    for (let i = 0; i < 100; i++) await map.set('k', i)
    expect(loops.map((loop) => (loop as ChangeLoop<object>).waiting.changes)).toEqual([0, 0, 0, 0, 0, 0])
    expect(signal.listeners).toBe(0)
    expect(await loops[0]!.next()).toMatchObject({ value: { key: 'k', value: 99 } })
    expect(signal.listeners).toBe(1)
    await loops[0]!.return!()
    expect(signal.listeners).toBe(0)
  })

  it.each([false, true])('and that nothing refers to is gone with its buffer (started: %s)', async (started) => {
    const grid = await grids.open()
    const signal = countingSignal()
    const map = grid.map<number>('m')
    const sources = [
      () => map.changes({ signal }),
      () => grid.set<number>('s').changes({ signal }),
      () => grid.counter('c').changes({ signal }),
      () => grid.topic<number>('t').messages({ signal }),
      () => grid.presence<number>().changes({ signal }),
    ]
    const write = async (n: number): Promise<void> => {
      await Promise.all([map.set('k', n), grid.set<number>('s').add(n), grid.counter('c').increment()])
      grid.presence<number>().set(n)
      await grid.topic<number>('t').publish(n)
    }
    const dropped: WeakRef<object>[] = []
    await (async () => {
      for (const source of sources) {
        const loop = source()
        if (started) {
          const call = loop.next()
          await write(dropped.length)
          await call
        }
        dropped.push(new WeakRef(loop))
      }
    })()
    await write(100)
    await until(() => {
      collectGarbage()
      return dropped.every((loop) => loop.deref() === undefined) && signal.listeners === 0
    }, 'they are gone')
  })

  it('but one that waits for a change is kept until it comes, whatever refers to it', async () => {
    const map = (await grids.open()).map<number>('m')
    const seen: (number | undefined)[] = []
    void (async () => {
      for await (const { value } of map.changes()) seen.push(value)
    })()
    for (let n = 0; n < 3; n++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      collectGarbage()
      await map.set('k', n)
    }
    await until(() => seen.length === 3, 'all have come')
  })
})

/** A signal that says how many listen to it. */
function countingSignal(): AbortSignal & { readonly listeners: number } {
  let listeners = 0
  return {
    aborted: false,
    addEventListener: () => (listeners += 1),
    removeEventListener: () => (listeners -= 1),
    get listeners() {
      return listeners
    },
  } as unknown as AbortSignal & { readonly listeners: number }
}

/** Whole numbers below a limit, the same ones each time. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
