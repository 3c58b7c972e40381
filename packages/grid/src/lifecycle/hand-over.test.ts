import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import type { LeaveProgress } from './hand-over.ts'

const SHAPE = { mode: 'partitioned', partitions: 16, owners: 2 } as const
const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`)

let grids: TestGrids

beforeEach(() => {
  grids = new TestGrids()
})
afterEach(() => grids.close())

/** Peers with directories, whose partitions all have as many whole copies as they can. */
async function openAll(count: number): Promise<Grid[]> {
  const all: Grid[] = []
  for (let i = 0; i < count; i++) all.push(await grids.open({ storage: diskInMemory() }))
  for (const grid of all) grid.map<number>('m', SHAPE)
  await until(async () => {
    const owners = await Promise.all(KEYS.map((key) => all[0]!.owners('m', key)))
    const owning = new Set(owners.flat().map(({ peerId }) => peerId))
    const isWhole = owners.every(
      (each) => each.length === Math.min(2, count) && each.every(({ state }) => state === 'whole'),
    )
    return isWhole && owning.size === count
  }, 'all owners are whole')
  return all
}

async function fill(grid: Grid): Promise<void> {
  for (const [i, key] of KEYS.entries()) await grid.map<number>('m', SHAPE).set(key, i, { copies: 'all' })
}

describe('a peer that leaves', () => {
  it('hands over what it has first, and says how much is left', async () => {
    const [a, b, c] = await openAll(3)
    await fill(a!)
    const progress: LeaveProgress[] = []
    await c!.leave({ onProgress: (each) => progress.push(each) })
    expect(progress[0]!.partitions).toBeGreaterThan(0)
    expect(progress[0]!.bytes).toBeGreaterThan(0)
    expect(progress.at(-1)).toEqual({ partitions: 0, bytes: 0, hints: 0, withoutOwner: 0, ownerAway: 0 })
    for (const grid of [a!, b!]) {
      for (const [i, key] of KEYS.entries()) {
        expect(await grid.map<number>('m', SHAPE).get(key)).toBe(i)
        expect((await grid.owners('m', key)).map(({ peerId }) => peerId)).not.toContain(c!.peerId)
      }
    }
    await expect(c!.leave()).resolves.toBeUndefined()
  })

  it('owns again in its next life', async () => {
    const [a] = await openAll(2)
    const storage = diskInMemory()
    const first = await grids.open({ storage })
    first.map<number>('m', SHAPE)
    const isOwner = async (peerId: string): Promise<boolean> => {
      const owners = await Promise.all(KEYS.map((key) => a!.owners('m', key)))
      return owners.flat().some((owner) => owner.peerId === peerId)
    }
    await until(() => isOwner(first.peerId), 'it owns')
    await first.leave()
    await until(async () => !(await isOwner(first.peerId)), 'it owns nothing')
    const second = await grids.open({ storage })
    await until(() => isOwner(second.peerId), 'it owns again')
  })

  it('that is the only one rejects when the time is over, stays open, and can be closed', async () => {
    const [grid] = await openAll(1)
    await fill(grid!)
    const leaving = grid!.leave({ timeoutMs: 300 })
    await expect(leaving).rejects.toMatchObject({ code: 'LEAVE_INCOMPLETE' })
    await expect(leaving).rejects.toThrow("16 partitions are not handed over: 16 of 'm'; for 16 of them")
    await expect(leaving).rejects.toThrow('no other peer of the grid can own partitions')
    expect(await grid!.map<number>('m', SHAPE).get('key 7')).toBe(7)
    const controller = new AbortController()
    const again = grid!.leave({ signal: controller.signal })
    controller.abort()
    await expect(again).rejects.toMatchObject({ code: 'ABORTED' })
    await grid!.close()
  })

  it('that is the last one says at once that it waits for another one, and goes once that is there', async () => {
    const [grid] = await openAll(1)
    await fill(grid!)
    const progress: LeaveProgress[] = []
    const leaving = grid!.leave({ onProgress: (each) => progress.push(each) })
    await until(() => progress.at(-1)?.withoutOwner === 16, 'it says that it waits')
    const other = await grids.open({ storage: diskInMemory() })
    await leaving
    expect(progress.at(-1)).toMatchObject({ partitions: 0, withoutOwner: 0 })
    expect(await other.map<number>('m', SHAPE).get('key 7')).toBe(7)
  })

  it('says while it waits for an owner that is out of reach', async () => {
    const [a, b] = await openAll(2)
    await fill(a!)
    await b!.disconnect()
    const progress: LeaveProgress[] = []
    const leaving = a!.leave({ onProgress: (each) => progress.push(each) })
    await until(() => progress.at(-1)?.ownerAway === 16, 'it says that it waits')
    expect(progress.every(({ withoutOwner }) => withoutOwner === 0)).toBe(true)
    await b!.connect()
    await leaving
  })

  it('checks its options', async () => {
    const [grid] = await openAll(1)
    for (const options of [{ timeoutMs: 0 }, { timeoutMs: 'x' }, { onProgress: 1 }, { timeout: 5 }, { signal: {} }]) {
      await expect(grid!.leave(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  it('has nothing to hand over where nothing is partitioned', async () => {
    const grid = await grids.open({ storage: diskInMemory() })
    const progress: LeaveProgress[] = []
    await grid.leave({ timeoutMs: 1, onProgress: (each) => progress.push(each) })
    expect(progress).toEqual([])
  })
})

describe('partitions that are not lost', () => {
  it('do not begin again', async () => {
    const [grid] = await openAll(1)
    expect(await grid!.beginAgain('m')).toBe(0)
    expect(await grid!.beginAgain('other')).toBe(0)
  })
})
