import { afterEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

function connected(grid: Grid): number {
  return grid.members.filter((member) => member.connected && !member.self).length
}

describe('what a peer counts', () => {
  it('writes, and how long they took to be durable', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const users = grid.map<number>('users')
    await Promise.all(Array.from({ length: 50 }, (_, i) => users.set(`key ${i}`, i)))
    await users.delete('key 7')
    const { collections, peerId, ready, store, uptimeSeconds, writes } = grid.metrics()
    expect(writes).toMatchObject({ sets: 50, deletes: 1, refused: 0, pending: 0 })
    expect(writes.durableSeconds.count).toBe(51)
    expect(store.seconds.count).toBeGreaterThan(1)
    expect(store.bytes).toBeGreaterThan(50 * 8)
    expect(collections).toMatchObject([{ name: 'users', entries: 49, tombstones: 1 }])
    expect({ peerId, ready }).toEqual({ peerId: grid.peerId, ready: false })
    expect(uptimeSeconds).toBeGreaterThan(0)
  })

  it('rows by the way they came, and how long broadcast ones took to be visible', async () => {
    const writer = await grids.open()
    await writer.map('users').set('old', 1)
    const reader = await grids.open()
    await reader.ready()
    await until(() => reader.map('users').peek('old') === 1, 'the session has brought the old entry')
    expect(reader.metrics()).toMatchObject({ ready: true, rows: { session: { applied: 1 } } })
    // It was written before the reader was there: no measure of how fast writes travel.
    expect(reader.metrics().visibleSeconds.count).toBe(0)
    for (let i = 0; i < 10; i++) {
      await writer.map('users').set(`key ${i}`, i)
      await until(() => reader.map('users').peek(`key ${i}`) === i, 'the write is there')
    }
    const { applySeconds, broadcasts, rows, visibleSeconds } = reader.metrics()
    expect(rows.broadcast.applied + rows.session.applied).toBe(11)
    expect(visibleSeconds.count).toBe(rows.broadcast.applied)
    expect(visibleSeconds.count).toBeGreaterThan(0)
    expect(visibleSeconds.sum).toBeLessThan(10)
    expect(applySeconds.broadcast.count).toBe(broadcasts.receivedMessages)
    expect(writer.metrics().broadcasts).toMatchObject({ frames: writer.metrics().broadcasts.writes, floods: 0 })
  })

  it('what it exchanges with each neighbour, for as long as it is one', async () => {
    const grid = await grids.open()
    await grids.open()
    await until(() => connected(grid) === 1, 'they meet')
    await grid.map('users').set('k', 1)
    await until(() => grid.metrics().convergence.state === 'equal', 'both know that they are equal')
    const [neighbour, ...others] = grid.metrics().neighbours
    expect(others).toEqual([])
    expect(neighbour!.lag).toMatchObject({ behind: 0, ahead: 0, unequal: 0 })
    expect(neighbour!.messages.sentMessages).toBeGreaterThan(0)
    expect(neighbour!.messages.receivedBytes).toBeGreaterThan(0)
    expect(grid.metrics().streams).toEqual(neighbour!.messages)
    grids.split([0], [1])
    await until(() => connected(grid) === 0, 'they part')
    expect(grid.metrics()).toMatchObject({ neighbours: [], connections: { made: 1, lost: 1 } })
  })

  it('sessions and their rows', async () => {
    const writer = await grids.open()
    await Promise.all(Array.from({ length: 300 }, (_, i) => writer.map('users').set(`key ${i}`, i)))
    const reader = await grids.open()
    await until(() => reader.map('users').size === 300, 'all entries are there')
    await until(() => reader.metrics().sessions.complete > 0, 'the session is over')
    expect(reader.metrics().sessions).toMatchObject({ broken: 0, rowsReceived: 300, rowsSent: 0 })
    await until(() => writer.metrics().sessions.rowsSent === 300, 'the other side is done too')
  })

  it('failures of the store', async () => {
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk })
    disk.failure = new Error('no')
    await expect(grid.map('users').set('k', 1)).rejects.toThrow('could not be stored')
    expect(grid.metrics()).toMatchObject({ store: { failures: 1 }, storage: { healthy: false, error: 'no' } })
    disk.failure = undefined
  })

  it('is plain numbers that JSON can carry', async () => {
    const grid = await grids.open()
    await grid.map('users').set('k', 1)
    const metrics = grid.metrics()
    const strict = JSON.stringify(metrics, (_, value: unknown) => {
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('a number that JSON cannot carry')
      return value
    })
    expect(JSON.parse(strict)).toEqual(JSON.parse(JSON.stringify(metrics)))
    expect(metrics.eventLoopDelaySeconds.bounds.length + 1).toBe(metrics.eventLoopDelaySeconds.counts.length)
  })
})

describe('what is said of convergence', () => {
  it('goes from alone to equal, and in a split says only what is known', async () => {
    const one = await grids.open()
    expect(one.status().convergence).toMatchObject({ state: 'alone', neighbours: 0 })
    const two = await grids.open()
    const three = await grids.open()
    await until(() => connected(one) === 2, 'all meet')
    await one.map('users').set('k', 1)
    await until(() => one.status().convergence.state === 'equal', 'all are equal')
    const { asOfMs, equal, text } = one.status().convergence
    expect(equal).toBe(2)
    expect(asOfMs).toBeLessThan(10_000)
    expect(text).toMatch(/^equal to all 2 neighbours as of \d\.\d s ago$/)
    expect(one.status().collections[0]).toMatchObject({
      converged: true,
      lags: [{ differs: false }, { differs: false }],
    })
    grids.split([0], [1, 2])
    await until(() => connected(one) === 0, 'the split has come')
    await two.map('users').set('k', 2)
    // No peer can report that write to it: it claims nothing.
    expect(one.status().convergence).toMatchObject({ state: 'alone', equal: 0 })
    await until(() => three.map('users').peek('k') === 2, 'the other side goes on')
    grids.heal()
    await until(() => one.status().convergence.state === 'equal', 'all are equal again')
    expect(one.map('users').peek('k')).toBe(2)
  })

  it('a peer that has just written is ahead until the others have reported that they have it', async () => {
    const one = await grids.open()
    await grids.open()
    await until(() => one.status().convergence.state === 'equal', 'they are equal')
    const written = one.map('users').set('k', 1)
    expect(one.status().convergence).toMatchObject({ state: 'ahead', worst: { writes: 1 } })
    await written
    await until(() => one.status().convergence.state === 'equal', 'they are equal again')
  })
})
