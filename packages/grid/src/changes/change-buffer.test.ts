import { encodeValue } from '@gossipgrid/core'
import { afterEach, describe, expect, it } from 'vitest'
import { ChangeBuffer } from './change-buffer.ts'
import { EncodedChange } from '../maps/map-change.ts'
import { TestGrids } from '../rig/test-grids.ts'
import type { UnreadChange } from './unread-change.ts'

const NOWHERE = { local: false, by: undefined, atMs: 0 }

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

interface Item {
  readonly bytes: number
  readonly missed: number
}

function bufferOf(options: { bufferMax?: number; bufferMaxBytes?: number }): ChangeBuffer<Item> {
  return new ChangeBuffer<Item>({ ...options, lagged: (missed) => ({ bytes: 0, missed }) })
}

function unread(bytes: number): UnreadChange<Item> {
  const change: UnreadChange<Item> = {
    key: '',
    sizeBytes: bytes,
    kept: () => change,
    read: () => ({ bytes, missed: 0 }),
  }
  return change
}

function offer(buffer: ChangeBuffer<Item>, ...sizes: number[]): (number | undefined)[] {
  return sizes.map((bytes) => buffer.offer(unread(bytes)))
}

function take(buffer: ChangeBuffer<Item>, count: number): (Item | undefined)[] {
  return Array.from({ length: count }, () => buffer.take())
}

describe('what waits for a reader', () => {
  it('is no more changes and no more bytes than may wait, however many come', () => {
    const byCount = bufferOf({ bufferMax: 10 })
    const byBytes = bufferOf({ bufferMaxBytes: 1000 })
    for (let i = 0; i < 100_000; i++) {
      offer(byCount, 1)
      offer(byBytes, 300)
    }
    expect(byCount.waiting).toEqual({ changes: 10, bytes: 10 })
    expect(byBytes.waiting).toEqual({ changes: 3, bytes: 900 })
  })

  it('is 65,536 changes of 16 MiB unless another limit is given', () => {
    const buffer = bufferOf({})
    for (let i = 0; i < 70_000; i++) offer(buffer, 1)
    expect(buffer.waiting.changes).toBe(65_536)
    const large = bufferOf({})
    for (let i = 0; i < 30; i++) offer(large, 1024 * 1024)
    expect(large.waiting).toEqual({ changes: 16, bytes: 16 * 1024 * 1024 })
  })

  it('has a mark in the place of what was left out, and goes on', () => {
    const buffer = bufferOf({ bufferMaxBytes: 100 })
    offer(buffer, 60, 40, 1, 1)
    expect(take(buffer, 1)).toEqual([{ bytes: 60, missed: 0 }])
    offer(buffer, 10)
    expect(take(buffer, 4)).toEqual([
      { bytes: 40, missed: 0 },
      { bytes: 0, missed: 2 },
      { bytes: 10, missed: 0 },
      undefined,
    ])
    expect(buffer.waiting).toEqual({ changes: 0, bytes: 0 })
    offer(buffer, 100)
    expect(take(buffer, 1)).toEqual([{ bytes: 100, missed: 0 }])
  })

  it('may be a single change that is larger than all of it', () => {
    const buffer = bufferOf({ bufferMaxBytes: 100 })
    offer(buffer, 5000, 1)
    expect(take(buffer, 2)).toEqual([
      { bytes: 5000, missed: 0 },
      { bytes: 0, missed: 1 },
    ])
  })

  it('can be withdrawn by its ticket until it is read, wherever the list was cut off meanwhile', () => {
    const buffer = bufferOf({})
    const tickets = Array.from({ length: 5000 }, (_, i) => buffer.offer(unread(i))!)
    expect(take(buffer, 3000).at(-1)).toEqual({ bytes: 2999, missed: 0 })
    for (const ticket of tickets) if (ticket !== tickets[4000]) buffer.withdraw(ticket)
    expect(buffer.waiting).toEqual({ changes: 1, bytes: 4000 })
    expect(take(buffer, 2)).toEqual([{ bytes: 4000, missed: 0 }, undefined])
    buffer.withdraw(tickets[4000]!)
    const later = buffer.offer(unread(7))!
    buffer.withdraw(tickets[0]!)
    expect(buffer.waiting).toEqual({ changes: 1, bytes: 7 })
    buffer.withdraw(later)
    buffer.withdraw(later)
    expect(buffer.waiting).toEqual({ changes: 0, bytes: 0 })
    expect(buffer.take()).toBeUndefined()
  })
})

describe('a reader of a map that stops reading', () => {
  it('does not keep the memory that its changes came in', () => {
    const slab = new Uint8Array(1024 * 1024)
    const [value, previous] = [encodeValue('after', 10), encodeValue('before', 10)]
    slab.set(value, 100)
    slab.set(previous, 200)
    const change = new EncodedChange('k', slab.subarray(100, 106), slab.subarray(200, 207), NOWHERE).kept()
    expect(change.sizeBytes).toBe(1 + 6 + 7)
    slab.fill(0)
    expect(change.read()).toMatchObject({ type: 'set', key: 'k', value: 'after', previous: 'before', missed: 0 })
  })

  it('costs no more than its bytes, and goes on from the current state once it has lagged', async () => {
    const map = (await grids.open()).map<string>('m')
    const loop = map.changes({ bufferMaxBytes: 100_000 })
    const value = 'x'.repeat(10_000)
    for (let i = 0; i < 100; i++) await map.set(`k${i % 7}`, `${i} ${value}`)
    const stored = new Map<string, string>()
    let lagged = 0
    for await (const change of loop) {
      if (change.type === 'lagged') {
        lagged += change.missed
        stored.clear()
        for await (const [key, current] of map.entries()) stored.set(key, current)
        break
      }
      stored.set(change.key, change.value!)
    }
    expect(lagged).toBeGreaterThan(80)
    expect(stored.size).toBe(7)
    for (const [key, current] of stored) expect(current).toBe(map.peek(key))
  })

  it('and listeners keep nothing at all', async () => {
    const map = (await grids.open()).map<number>('m')
    let reported = 0
    map.on('change', () => (reported += 1))
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 1000; i++) writes.push(map.set('k', i))
    // All listeners have run when the call returns: nothing waits.
    expect(reported).toBe(1000)
    await Promise.all(writes)
    expect(reported).toBe(1000)
  })
})

it('a change that a listener writes reaches all listeners after the change that caused it', async () => {
  const map = (await grids.open()).map<number>('m')
  const reported: unknown[] = []
  map.on('change', ({ value }) => {
    if (value === 1) void map.set('k', 2)
  })
  map.on('change', ({ value, previous }) => reported.push([value, previous]))
  await map.set('k', 1)
  expect(reported).toEqual([
    [1, undefined],
    [2, 1],
  ])
})

it('the option is checked', async () => {
  const map = (await grids.open()).map('m')
  expect(() => map.changes({ bufferMaxBytes: 0 })).toThrow(/bufferMaxBytes/)
})
