import { encodeValue } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import { ChangeQueue } from './changes.ts'
import { MapChange } from './map-change.ts'
import { TestGrids } from './test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

interface Item {
  readonly bytes: number
  readonly missed: number
}

function queueOf(options: { bufferMax?: number; bufferMaxBytes?: number }): ChangeQueue<Item> {
  return new ChangeQueue<Item>({
    ...options,
    sizeOf: ({ bytes }) => bytes,
    lagged: (missed) => ({ bytes: 0, missed }),
    onEnd: () => undefined,
  })
}

function push(queue: ChangeQueue<Item>, ...sizes: number[]): void {
  for (const bytes of sizes) queue.push({ bytes, missed: 0 })
}

async function take(queue: ChangeQueue<Item>, count: number): Promise<(Item | undefined)[]> {
  const taken: (Item | undefined)[] = []
  for (let i = 0; i < count; i++) taken.push((await queue.next()).value as Item | undefined)
  return taken
}

describe('a queue of changes', () => {
  it('keeps no more items and no more bytes than it may, however many come', () => {
    const byCount = queueOf({ bufferMax: 10 })
    const byBytes = queueOf({ bufferMaxBytes: 1000 })
    for (let i = 0; i < 100_000; i++) {
      push(byCount, 1)
      push(byBytes, 300)
    }
    expect(byCount.buffered).toEqual({ items: 10, bytes: 10 })
    expect(byBytes.buffered).toEqual({ items: 3, bytes: 900 })
  })

  it('keeps 65,536 items of 16 MiB unless told otherwise', () => {
    const queue = queueOf({})
    for (let i = 0; i < 70_000; i++) push(queue, 1)
    expect(queue.buffered.items).toBe(65_536)
    const large = queueOf({})
    for (let i = 0; i < 30; i++) push(large, 1024 * 1024)
    expect(large.buffered).toEqual({ items: 16, bytes: 16 * 1024 * 1024 })
  })

  it('tells in its place what it left out, and goes on', async () => {
    const queue = queueOf({ bufferMaxBytes: 100 })
    push(queue, 60, 40, 1, 1)
    expect((await take(queue, 1))[0]).toEqual({ bytes: 60, missed: 0 })
    push(queue, 10)
    expect(await take(queue, 3)).toEqual([
      { bytes: 40, missed: 0 },
      { bytes: 0, missed: 2 },
      { bytes: 10, missed: 0 },
    ])
    expect(queue.buffered).toEqual({ items: 0, bytes: 0 })
    push(queue, 100)
    expect(await take(queue, 1)).toEqual([{ bytes: 100, missed: 0 }])
  })

  it('takes a single item that is larger than all of it', async () => {
    const queue = queueOf({ bufferMaxBytes: 100 })
    push(queue, 5000, 1)
    expect(await take(queue, 2)).toEqual([
      { bytes: 5000, missed: 0 },
      { bytes: 0, missed: 1 },
    ])
  })
})

describe('a reader of a map that stops reading', () => {
  it('does not keep the memory that its changes came in', () => {
    const slab = new Uint8Array(1024 * 1024)
    const [value, previous] = [encodeValue('after', 10), encodeValue('before', 10)]
    slab.set(value, 100)
    slab.set(previous, 200)
    const change = new MapChange('k', slab.subarray(100, 106), slab.subarray(200, 207)).kept()
    expect(change.sizeBytes).toBe(1 + 6 + 7)
    slab.fill(0)
    expect([change.value, change.previous]).toEqual(['after', 'before'])
  })

  it('costs no more than its bytes, and goes on from the current state once it has lagged', async () => {
    const map = (await grids.open()).map<string>('m')
    const loop = map.changes({ bufferMaxBytes: 100_000 })
    const value = 'x'.repeat(10_000)
    for (let i = 0; i < 100; i++) await map.set(`k${i % 7}`, `${i} ${value}`)
    const held = new Map<string, string>()
    let lagged = 0
    for await (const change of loop) {
      if (change.type === 'lagged') {
        lagged += change.missed
        held.clear()
        for await (const [key, current] of map.entries()) held.set(key, current)
        break
      }
      held.set(change.key, change.value!)
    }
    expect(lagged).toBeGreaterThan(80)
    expect(held.size).toBe(7)
    for (const [key, current] of held) expect(current).toBe(map.peek(key))
  })

  it('and listeners keep nothing at all', async () => {
    const map = (await grids.open()).map<number>('m')
    let told = 0
    map.on('change', () => (told += 1))
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 1000; i++) writes.push(map.set('k', i))
    // All have been told when the call returns: nothing waits.
    expect(told).toBe(1000)
    await Promise.all(writes)
    expect(told).toBe(1000)
  })
})

it('what a listener writes is told to all listeners after what made it write', async () => {
  const map = (await grids.open()).map<number>('m')
  const told: unknown[] = []
  map.on('change', ({ value }) => {
    if (value === 1) void map.set('k', 2)
  })
  map.on('change', ({ value, previous }) => told.push([value, previous]))
  await map.set('k', 1)
  expect(told).toEqual([
    [1, undefined],
    [2, 1],
  ])
})

it('the option is checked', async () => {
  const map = (await grids.open()).map('m')
  expect(() => map.changes({ bufferMaxBytes: 0 })).toThrow(/bufferMaxBytes/)
})
