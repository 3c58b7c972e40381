import { afterEach, expect, it } from 'vitest'
import { TestGrids } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

interface Face {
  subscribe(listener: () => unknown): () => void
  getSnapshot(): unknown
}

it('maps, counters, sets and presence have one frozen snapshot until they change, and call subscribers after that', async () => {
  const [here, there] = [await grids.open(), await grids.open()]
  const faces: readonly (readonly [Face, own: () => unknown, theirs: () => unknown, last: unknown])[] = [
    [
      here.map<{ n: number }>('map'),
      () => here.map<{ n: number }>('map').set('a', { n: 1 }),
      () => there.map<{ n: number }>('map').set('b', { n: 2 }),
      [
        ['a', { n: 1 }],
        ['b', { n: 2 }],
      ],
    ],
    [
      here.counter('counter'),
      () => here.counter('counter').increment(2),
      () => there.counter('counter').increment(3),
      5,
    ],
    [
      here.set<string>('set'),
      () => here.set<string>('set').add('red'),
      () => there.set<string>('set').add('blue'),
      ['blue', 'red'],
    ],
    [
      here.presence<string>(),
      () => here.presence<string>().set('Ada'),
      () => there.presence<string>().set('Bob'),
      [
        [here.peerId, 'Ada'],
        [there.peerId, 'Bob'],
      ],
    ],
  ]
  for (const [{ subscribe, getSnapshot }, own, theirs, last] of faces) {
    const before = getSnapshot()
    expect(getSnapshot()).toBe(before)
    let calls = 0
    // The methods can be passed on by themselves.
    const end = subscribe(() => calls++)
    await own()
    expect(calls).toBe(1)
    const after = getSnapshot()
    expect([after === before, getSnapshot() === after, Object.isFrozen(after)]).toEqual([false, true, true])
    await theirs()
    await expect.poll(getSnapshot).toEqual(last)
    expect(calls).toBe(2)
    end()
    await own()
    expect(calls).toBe(2)
  }
})

it('the snapshot of a set is right without a subscriber, too', async () => {
  const set = (await grids.open()).set<number>('numbers')
  await set.add(1)
  expect(set.getSnapshot()).toEqual([1])
  await set.add(2)
  expect(set.getSnapshot()).toEqual([1, 2])
  await set.delete(1)
  expect(set.getSnapshot()).toEqual([2])
  await set.clear()
  expect(set.getSnapshot()).toEqual([])
})

it('the standing of a grid is one frozen object until it changes, also when it closes', async () => {
  const [here, there] = [await grids.open(), await grids.open()]
  await expect.poll(() => here.standing.getSnapshot().state).toBe('equal')
  const { subscribe, getSnapshot } = here.standing
  const seen: unknown[] = []
  const other: unknown[] = []
  const end = subscribe(() => seen.push(getSnapshot()))
  subscribe(() => other.push(getSnapshot()))
  const before = getSnapshot()
  expect([getSnapshot(), Object.isFrozen(before), before.peers]).toEqual([before, true, 1])
  expect(getSnapshot()).toBe(before)
  await here.disconnect()
  await expect.poll(() => getSnapshot().online).toBe(false)
  await expect.poll(() => getSnapshot().peers).toBe(0)
  await here.connect()
  await expect.poll(() => getSnapshot()).toEqual(before)
  // No two that follow each other are alike, and both listeners were called for each.
  expect(seen.every((each, i) => i === 0 || each !== seen[i - 1])).toBe(true)
  expect(other).toEqual(seen)
  end()
  const calls = seen.length
  await there.map('any').set('a', 1)
  await here.close()
  expect(getSnapshot()).toMatchObject({ open: false, online: false, peers: 0 })
  expect([seen.length, (other.at(-1) as { open: boolean }).open]).toEqual([calls, false])
})

it('snapshots can be read once the grid is closed, also for the first time', async () => {
  const grid = await grids.open()
  const map = grid.map<number>('map')
  const [counter, set, presence] = [grid.counter('counter'), grid.set<string>('set'), grid.presence<string>()]
  await Promise.all([map.set('a', 1), counter.increment(2), set.add('red')])
  presence.set('Ada')
  await grid.close()
  for (const face of [map, counter, set, presence]) {
    const last = face.getSnapshot()
    expect(face.getSnapshot()).toBe(last)
    face.subscribe(() => undefined)()
  }
  expect([map.getSnapshot(), counter.getSnapshot(), set.getSnapshot()]).toEqual([[['a', 1]], 2, ['red']])
  expect(grid.standing.getSnapshot().open).toBe(false)
})
