import process from 'node:process'
import { GridError, openGrid } from 'gossipgrid'
import type { Grid, PartitionedMap } from 'gossipgrid'
import { benchLogger } from './bench-logger.ts'
import { percentile } from './medians.ts'
import { keyOf, valueOf } from './sample.ts'

/** What the parent asks of a peer of the bench. Times are in milliseconds. */
export type PartitionedAsk =
  | { readonly call: 'open'; readonly directory: string; readonly join: readonly string[] }
  | { readonly call: 'state' }
  | { readonly call: 'fill'; readonly count: number }
  /** One read after another, of keys that this peer does not own. */
  | { readonly call: 'gets'; readonly count: number; readonly entries: number }
  | { readonly call: 'getManys'; readonly count: number; readonly entries: number }
  /** One write after another: of keys of others until an owner has it durably, or of own keys until they are durable here. */
  | { readonly call: 'sets'; readonly count: number; readonly entries: number; readonly own: boolean }
  /** Nine reads and one write of ten, so many at a time. */
  | { readonly call: 'mixed'; readonly forMs: number; readonly atOnce: number; readonly entries: number }
  /** Reads until `stop`, of keys that one peer does not own if it is named. */
  | { readonly call: 'reads'; readonly entries: number; readonly apartFrom?: string }
  | { readonly call: 'stop' }

export interface PartitionedState {
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly owned: number
  readonly whole: number
  readonly handingOver: number
  readonly hints: number
  /** Of objects and buffers, after a collection: how much room the process keeps beside them is up to the engine. */
  readonly usedBytes: number
  readonly receivedBytes: number
}

export interface Latencies {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly perSec: number
  /** Calls that rejected because no owner answered in time. */
  readonly unreachable: number
}

/** That reads until `stop` draw from. */
const READ_KEYS = 10_000

let grid: Grid
let map: PartitionedMap<string>
let stopped = false

async function answer(ask: PartitionedAsk): Promise<unknown> {
  switch (ask.call) {
    case 'open':
      grid = await openGrid({
        name: 'bench',
        directory: ask.directory,
        join: ask.join,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        mdns: false,
        secret: 'a secret of this bench, which is long enough',
        logger: benchLogger,
      })
      map = grid.map<string>('users', { mode: 'partitioned' })
      return state()
    case 'state':
      return state()
    case 'fill':
      return map.setMany(Array.from({ length: ask.count }, (_, index) => [keyOf(index), valueOf(index)] as const))
    case 'gets': {
      const keys = await keysOf(ask.count, ask.entries, false)
      return timed(keys, (key) => map.get(key))
    }
    case 'getManys': {
      const batches = Array.from({ length: ask.count }, () => Array.from({ length: 100 }, () => drawn(ask.entries)))
      return timed(batches, (keys) => map.getMany(keys))
    }
    case 'sets': {
      const keys = await keysOf(ask.count, ask.entries, ask.own)
      return timed(keys, (key) => map.set(key, valueOf(1), ask.own ? {} : { copies: 1 }))
    }
    case 'mixed':
      return mixed(ask.forMs, ask.atOnce, ask.entries)
    case 'reads':
      return reads(await keysApartFrom(ask.apartFrom, ask.entries))
    case 'stop':
      stopped = true
      return undefined
  }
}

function state(): PartitionedState {
  const { partitions, traffic } = grid.status()
  const { owned, whole, handingOver, hints } = partitions
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  const usedBytes = heapUsed + arrayBuffers
  return {
    peerId: grid.peerId,
    addresses: grid.addresses,
    owned,
    whole,
    handingOver,
    hints,
    usedBytes,
    receivedBytes: traffic.receivedBytes,
  }
}

function drawn(entries: number): string {
  return keyOf(Math.floor(Math.random() * entries))
}

/** Keys that this peer owns, or does not own. */
async function keysOf(count: number, entries: number, own: boolean): Promise<string[]> {
  const keys: string[] = []
  while (keys.length < count) {
    const key = drawn(entries)
    const owners = await grid.owners('users', key)
    if (owners.some(({ peerId }) => peerId === grid.peerId) === own) keys.push(key)
  }
  return keys
}

/** Keys that this peer and another one do not own, or any keys. */
async function keysApartFrom(other: string | undefined, entries: number): Promise<string[]> {
  const keys: string[] = []
  while (keys.length < READ_KEYS) {
    const key = drawn(entries)
    const owners = other === undefined ? [] : await grid.owners('users', key)
    if (owners.every(({ peerId }) => peerId !== other && peerId !== grid.peerId)) keys.push(key)
  }
  return keys
}

async function timed<Item>(items: readonly Item[], run: (item: Item) => Promise<unknown>): Promise<Latencies> {
  const times: number[] = []
  const startMs = performance.now()
  for (const item of items) {
    const beforeMs = performance.now()
    await run(item)
    times.push(performance.now() - beforeMs)
  }
  return latencies(times, performance.now() - startMs)
}

async function mixed(forMs: number, atOnce: number, entries: number): Promise<Latencies> {
  const times: number[] = []
  let unreachable = 0
  const startMs = performance.now()
  const work = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const beforeMs = performance.now()
      if (Math.random() < 0.1) await map.set(drawn(entries), valueOf(2))
      else if (!(await isAnswered(map.get(drawn(entries))))) unreachable += 1
      times.push(performance.now() - beforeMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return latencies(times, performance.now() - startMs, unreachable)
}

/** One read after another with a pause, until it is stopped. */
async function reads(keys: readonly string[]): Promise<Latencies> {
  stopped = false
  const times: number[] = []
  let unreachable = 0
  const startMs = performance.now()
  while (!stopped) {
    const beforeMs = performance.now()
    if (!(await isAnswered(map.get(keys[times.length % keys.length]!)))) unreachable += 1
    times.push(performance.now() - beforeMs)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return latencies(times, performance.now() - startMs, unreachable)
}

async function isAnswered(read: Promise<unknown>): Promise<boolean> {
  try {
    await read
    return true
  } catch (error) {
    if (error instanceof GridError && error.code === 'OWNERS_UNREACHABLE') return false
    throw error
  }
}

function latencies(times: readonly number[], wallMs: number, unreachable: number = 0): Latencies {
  const perSec = times.length / (wallMs / 1000)
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), perSec, unreachable }
}

process.on('message', (message) => {
  const { id, ask } = message as { readonly id: number; readonly ask: PartitionedAsk }
  answer(ask).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: error instanceof Error ? error.stack : String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
