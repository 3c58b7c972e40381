import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { Grid } from '../grid.ts'
import { TestGrids, diskInMemory, until } from '../rig/test-grids.ts'
import type { Convergence } from '../status/convergence.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function pair(): Promise<[Grid, Grid]> {
  const [a, b] = [await grids.open(), await grids.open({ storage: diskInMemory() })]
  await Promise.all([a.ready(), b.ready()])
  return [a, b]
}

describe('a peer that disconnects', () => {
  it('has no neighbours, stores what is written, and both sides get everything once it connects', async () => {
    const [a, b] = await pair()
    await b.disconnect()
    expect([b.online, b.status().convergence.online, b.status().convergence.neighbours]).toEqual([false, false, 0])
    expect(b.status().convergence.text).toMatch(/^cut off by disconnect\(\): /)
    expect(await b.map('m').set('mine', 1)).toMatchObject({ durable: true })
    await a.map('m').set('theirs', 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([a.map('m').size, b.map('m').size]).toEqual([1, 1])
    await b.connect()
    expect(b.online).toBe(true)
    await until(() => a.map('m').size === 2 && b.map('m').size === 2, 'they are equal')
    expect(b.status().convergence.text).not.toContain('cut off')
  })

  it('is ready again once it has exchanged everything again', async () => {
    const [, b] = await pair()
    await b.disconnect()
    expect(b.metrics().ready).toBe(false)
    let isReady = false
    const ready = b.ready().then((result) => {
      isReady = true
      return result
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(isReady).toBe(false)
    await b.connect()
    expect(await ready).toEqual({ alone: false })
  })

  it('counts as alone once it connects and finds no peer', async () => {
    const grid = await grids.open()
    expect(await grid.ready()).toEqual({ alone: true })
    await grid.disconnect()
    await grid.connect()
    expect(await grid.ready()).toEqual({ alone: true })
  })

  it('may do so twice, and closes while it is cut off', async () => {
    const [, b] = await pair()
    const seen: boolean[] = []
    b.on('connection', ({ online }) => seen.push(online))
    await Promise.all([b.disconnect(), b.disconnect()])
    await Promise.all([b.connect(), b.connect()])
    await b.disconnect()
    expect(seen).toEqual([false, true, false])
    await b.close()
    await expect(b.connect()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(b.disconnect()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('whose network cannot do that says so', async () => {
    const network = memoryNetworkHub().network()
    Object.defineProperty(network, 'setOnline', { value: undefined })
    const grid = await grids.open({ network: () => Promise.resolve(network) })
    await expect(grid.disconnect()).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(grid.online).toBe(true)
  })
})

describe('the convergence event', () => {
  it('comes when a peer is met, lost, behind, equal and cut off, and not otherwise', async () => {
    const a = await grids.open()
    const seen: Convergence[] = []
    a.on('convergence', (convergence) => seen.push(convergence))
    const b = await grids.open()
    await until(() => seen.at(-1)?.state === 'equal', 'they have met')
    expect(seen.at(-1)).toMatchObject({ online: true, neighbours: 1, equal: 1, text: expect.any(String) as string })
    const count = seen.length
    await new Promise((resolve) => setTimeout(resolve, 2500))
    // Heartbeats bring nothing new.
    expect(seen.length).toBe(count)
    await a.disconnect()
    await until(() => seen.at(-1)?.online === false, 'it is cut off')
    await b.map('m').setMany(Array.from({ length: 50 }, (_, i) => [`k${i}`, i] as const))
    await a.connect()
    await until(() => seen.at(-1)?.state === 'equal', 'they have met again')
    await b.close()
    await until(() => seen.at(-1)?.neighbours === 0, 'it is lost')
    for (const [i, convergence] of seen.slice(1).entries()) expect(convergence).not.toEqual(seen[i])
  })

  it('comes at most every 200 ms, with the state after the last change', async () => {
    const [a, b] = await pair()
    const atMs: number[] = []
    b.on('convergence', () => atMs.push(performance.now()))
    for (let i = 0; i < 300; i++) {
      await a.map('m').set(`k${i}`, i)
      if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await until(() => b.map('m').size === 300, 'all came')
    const gaps = atMs.slice(1).map((ms, i) => ms - atMs[i]!)
    expect(gaps.filter((gap) => gap < 150)).toEqual([])
  })

  it('costs nothing once no listener is left, and comes again to a later one', async () => {
    const [a, b] = await pair()
    const first = vi.fn<() => void>()
    const off = a.on('convergence', first)
    await b.disconnect()
    await until(() => first.mock.calls.length > 0, 'the first listener')
    off()
    await b.connect()
    await until(() => a.status().convergence.neighbours === 1, 'they met')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const calls = first.mock.calls.length
    const second = vi.fn<() => void>()
    a.on('convergence', second)
    await b.disconnect()
    await until(() => second.mock.calls.length > 0, 'the second listener')
    expect(first.mock.calls.length).toBe(calls)
  })

  it('to a listener that came and went before it was loaded does not keep others from it', async () => {
    const [a, b] = await pair()
    a.on('convergence', () => undefined)()
    const seen = vi.fn<() => void>()
    a.on('convergence', seen)
    await b.disconnect()
    await until(() => seen.mock.calls.length > 0, 'it comes')
  })
})
