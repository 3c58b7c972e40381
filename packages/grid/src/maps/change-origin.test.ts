import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, until } from '../rig/test-grids.ts'
import type { Change } from './map-change.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

type Seen = Pick<Change<unknown>, 'type' | 'key' | 'local' | 'by'>

function follow(grid: Grid, merge: 'value' | 'fields' = 'value'): { seen: Seen[]; at: (Date | undefined)[] } {
  const [seen, at]: [Seen[], (Date | undefined)[]] = [[], []]
  grid.map<object>('m', { merge }).on('change', ({ type, key, local, by, at: date }) => {
    seen.push({ type, key, local, by })
    at.push(date)
  })
  return { seen, at }
}

describe.each(['value', 'fields'] as const)('a change of a map that merges by %s', (merge) => {
  it('says whether this peer made it, which peer did, and when', async () => {
    const [a, b] = [await grids.open(), await grids.open()]
    await b.ready()
    await until(() => [a, b].every((grid) => grid.members.length === 2), 'they know each other')
    const [here, there] = [follow(a, merge), follow(b, merge)]
    const beforeMs = Date.now()
    await a.map<object>('m', { merge }).set('k', { x: 1 })
    await until(() => there.seen.length === 1, 'it came')
    await b.map<object>('m', { merge }).delete('k')
    await until(() => here.seen.length === 2, 'it came back')
    const [set, deleted] = [
      { type: 'set', key: 'k', by: a.peerId },
      { type: 'delete', key: 'k', by: b.peerId },
    ]
    expect(here.seen).toEqual([
      { ...set, local: true },
      { ...deleted, local: false },
    ])
    expect(there.seen).toEqual([
      { ...set, local: false },
      { ...deleted, local: true },
    ])
    expect(here.at).toEqual(there.at)
    for (const at of here.at) {
      expect(at!.getTime()).toBeGreaterThanOrEqual(beforeMs - 1)
      expect(at!.getTime()).toBeLessThanOrEqual(Date.now() + 1)
    }
  })

  it('that is no write has no peer, and the date of expiry', async () => {
    const grid = await grids.open()
    const { seen, at } = follow(grid, merge)
    const map = grid.map<object>('m', { merge })
    await map.set('k', { x: 1 }, { ttlMs: 1000 })
    const expiresAt = map.expiresAt('k')
    await until(() => seen.length === 2, 'it is gone')
    expect(seen[1]).toEqual({ type: 'delete', key: 'k', local: false, by: undefined })
    expect(at[1]).toEqual(expiresAt)
  })

  it('of the entries at the start has the origin of their last write', async () => {
    const [grid, other] = [await grids.open(), await grids.open()]
    await other.ready()
    await grid.map<object>('m', { merge }).set('k', { x: 1, y: 1 })
    await other.map<object>('m', { merge }).set('l', { z: 1 })
    const map = grid.map<object>('m', { merge })
    await until(() => map.size === 2, 'it came')
    const seen = new Map<string, Change<object>>()
    for await (const change of map.changes({ initial: true })) if (seen.set(change.key, change).size === 2) break
    expect(seen.get('k')).toMatchObject({ local: true, by: grid.peerId })
    expect(seen.get('l')).toMatchObject({ local: false, by: other.peerId, missed: 0 })
    expect(JSON.parse(JSON.stringify(seen.get('l')))).toMatchObject({ at: seen.get('l')!.at!.toISOString() })
  })
})

it('the mark of a reader that was too slow has no origin', async () => {
  const map = (await grids.open()).map<number>('m')
  const changes = map.changes({ bufferMax: 1 })
  await map.setMany([
    ['a', 1],
    ['b', 2],
  ])
  await changes.next()
  expect((await changes.next()).value).toMatchObject({ type: 'lagged', local: false, by: undefined, at: undefined })
})
