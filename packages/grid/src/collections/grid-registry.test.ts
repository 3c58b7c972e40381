import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

let grids: TestGrids
/** What both clocks of this machine are ahead by: all peers of a test sleep through the same time. */
let aheadMs: number

beforeEach(() => {
  grids = new TestGrids()
  aheadMs = 0
  const [monotonic, wall] = [performance.now.bind(performance), Date.now]
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic() + aheadMs)
  vi.spyOn(Date, 'now').mockImplementation(() => wall() + aheadMs)
})

afterEach(async () => {
  await grids.close()
  vi.restoreAllMocks()
})

/** Time passes, and then everybody is awake. */
async function later(ms: number, ...awake: readonly Grid[]): Promise<void> {
  aheadMs += ms
  for (const grid of awake) await grid.map('pulse').set('k', aheadMs)
}

function durable(): Promise<Grid> {
  return grids.open({ storage: diskInMemory() })
}

function registered(grid: Grid): string[] {
  return grid
    .status()
    .purging.members.map(({ peerId }) => peerId)
    .toSorted()
}

/** Two durable peers that are registered at both. */
async function pair(): Promise<[Grid, Grid]> {
  const [a, b] = [await durable(), await durable()]
  await b.ready()
  await later(MINUTE_MS, a, b)
  await until(() => [a, b].every((grid) => registered(grid).length === 2), 'both are registered')
  return [a, b]
}

test('peers with a directory are registered, others are not', async () => {
  const [a, b] = await pair()
  const light = await grids.open()
  await light.ready()
  await until(() => registered(light).length === 2, 'it knows of them')
  await later(MINUTE_MS, a, b, light)
  expect(registered(light)).toEqual([a.peerId, b.peerId].toSorted())
  const shown = light.members.map(({ peerId, registered: is }) => [peerId, is])
  expect(Object.fromEntries(shown)).toEqual({ [a.peerId]: true, [b.peerId]: true, [light.peerId]: false })
})

test('a peer that is away is waited for, and forgetting it ends that', async () => {
  const [a, b] = await pair()
  await b.map('pulse').set('gone', 1)
  await until(() => a.map('pulse').peek('gone') === 1, 'it is there')
  await b.close()
  await a.map('pulse').delete('gone')
  for (let day = 0; day < 3; day++) {
    await later(DAY_MS, a)
    await later(MINUTE_MS, a)
  }
  const { members, tombstones, text } = a.status().purging
  expect(tombstones).toBe(1)
  expect(members.filter(({ awaited }) => awaited).map(({ peerId }) => peerId)).toEqual([b.peerId])
  expect(text).toMatch(/^1 tombstone; waiting for .*, silent for 3 days: if it will not come back, gossipgrid forget /)
  expect(text.endsWith(b.peerId.slice(-8))).toBe(true)

  expect(await a.forget('missing')).toBe(false)
  await expect(a.forget(a.peerId)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  expect(await a.forget(b.peerId)).toBe(true)
  expect(await a.forget(b.peerId)).toBe(false)
  expect(registered(a)).toEqual([a.peerId])
  expect(a.status().purging.text).toMatch(/^1 tombstone; the next are purged in 1[1-4] days$/)
  expect(a.status().collections[0]!.purgedUntilMs).toBeUndefined()
  await later(15 * DAY_MS, a)
  expect(a.status().purging).toMatchObject({ tombstones: 0, text: 'no tombstones' })
  expect(a.status().collections[0]!.purgedUntilMs).toBeGreaterThan(Date.now() - 20 * DAY_MS)
  expect(a.metrics().purging).toEqual(a.status().purging)
})

test('in a grid of memory-only peers nothing is purged, and the status says why', async () => {
  const a = await grids.open()
  await a.map('m').set('k', 1)
  expect(a.status().purging).toMatchObject({ members: [], tombstones: 0, text: 'no tombstones' })
  await a.map('m').delete('k')
  await later(30 * DAY_MS, a)
  expect(a.status().purging.text).toBe('1 tombstone; nothing is purged, since no peer with a directory has registered')
})

test('a peer that leaves for good takes itself out of the registry before it is gone', async () => {
  const [a, b] = await pair()
  await b.leave()
  await until(() => registered(a).length === 1, 'it has left')
  expect(registered(a)).toEqual([a.peerId])
  // It does not come back by itself, and one that is only closed stays.
  await later(MINUTE_MS, a)
  const c = await durable()
  await c.ready()
  await later(MINUTE_MS, a, c)
  await until(() => registered(a).length === 2, 'another one is there')
  await c.close()
  await later(MINUTE_MS, a)
  expect(registered(a)).toEqual([a.peerId, c.peerId].toSorted())
})

test('a peer that leaves while its store fails is gone within seconds all the same', async () => {
  const [a] = await pair()
  const storage = diskInMemory()
  const c = await grids.open({ storage })
  await c.ready()
  await later(MINUTE_MS, a, c)
  storage.failure = new Error('disk')
  await c.leave()
  await until(() => a.members.every(({ peerId, state }) => peerId !== c.peerId || state === 'gone'), 'it is gone')
})

test('if one name is opened as a map and as a set during a split, the later one gets an event, and its writes fail', async () => {
  const [a, b] = [await grids.open(), await grids.open()]
  await b.ready()
  grids.split([0], [1])
  await a.map<number>('things').set('k', 1)
  const things = b.set<string>('things')
  await things.add('x')
  const reported: { name: string; reason: string }[] = []
  for (const grid of [a, b])
    grid.on('mismatch', (event) => reported.push({ ...event, name: `${event.name} ${grid.peerId}` }))
  await later(MINUTE_MS, a)
  await later(1000, b)
  expect(reported).toEqual([])
  grids.heal()
  await until(() => b.status().collections.some(({ kind, entries }) => kind === 'map' && entries === 1), 'they meet')
  for (let i = 0; i < 100 && reported.length === 0; i++) {
    await later(20_000, a, b)
    // What they tell each other needs a moment of true time.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(reported.map(({ name }) => name)).toEqual([`things ${b.peerId}`])
  expect(reported[0]!.reason).toMatch(/'things'.*map.*set/)
  await expect(things.add('y')).rejects.toMatchObject({ code: 'COLLECTION_MISMATCH', message: reported[0]!.reason })
  expect(await things.has('x')).toBe(true)
  await a.map<number>('things').set('l', 2)
  const shown = (grid: Grid): unknown =>
    grid
      .status()
      .collections.map(({ name, kind, entries, fingerprint }) => ({ name, kind, entries, fingerprint }))
      .toSorted((x, y) => `${x.name}${x.kind}`.localeCompare(`${y.name}${y.kind}`))
  await until(() => JSON.stringify(shown(a)) === JSON.stringify(shown(b)), 'both hold the same')
})

test('status and metrics say that a clock is believed', async () => {
  const a = await grids.open()
  expect(a.status().clock).toEqual({ offsetMs: 0, voters: 0, restamped: 0, heldWrites: 0, refusedWrites: 0 })
  expect(a.metrics().clock).toEqual(a.status().clock)
})
