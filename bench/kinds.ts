import process from 'node:process'
import { PRESENT, compositeKey } from '@gossipgrid/core'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import type { Figures } from './bench.ts'
import { benchLogger } from './bench-logger.ts'
import { LonePeer, clocks } from './lone-peer.ts'
import { liveBytes } from './memory.ts'
import { encodedValueOf } from './sample.ts'
import { cpuMs, rate } from './stopwatch.ts'
import type { Timing } from './stopwatch.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const INCREMENTS = 1_000_000
const ELEMENTS = 100_000
const WARM_UP_ROUNDS = 8
const WRITES_PER_STEP = 256

/**
 * Counters and sets: the cost of a call in a grid with a directory, and the memory of an element and a tombstone in
 * core.
 */
export async function kindFigures(): Promise<Figures> {
  return {
    ...(await inGrid(incrementFigures)),
    ...(await inGrid(addFigures)),
    setBytesPerElement100k: bytesOf(setPeer) / ELEMENTS,
    mapBytesPerTombstone100k: bytesOf(tombstonePeer) / ELEMENTS,
  }
}

/** Increments in one turn of the event loop, not awaited one by one. The wall clock stops when all are on disk. */
async function incrementFigures(grid: Grid): Promise<Figures> {
  const counter = grid.counter('visits')
  await counter.increment()
  const timing = await timedUntil(INCREMENTS, () => {
    let durable: Promise<unknown> = Promise.resolve()
    for (let index = 0; index < INCREMENTS; index++) durable = counter.increment()
    return durable
  })
  if (counter.value !== INCREMENTS + 1) throw new Error(`${counter.value} of ${INCREMENTS} increments were counted`)
  return rate('counterIncrement', '', timing.durable)
}

/** New elements, not awaited one by one, in code that is warm: the calls alone, and until all are on disk. */
async function addFigures(grid: Grid): Promise<Figures> {
  const elements = Array.from({ length: ELEMENTS }, (_, index) => elementOf(index))
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    const earlier = grid.set<string>(`users ${round}`)
    await Promise.all(elements.map((element) => earlier.add(element)))
  }
  const set = grid.set<string>('users')
  const { calls, durable } = await timedUntil(ELEMENTS, () => Promise.all(elements.map((element) => set.add(element))))
  if (set.size !== ELEMENTS) throw new Error(`${set.size} of ${ELEMENTS} elements were added`)
  return { ...rate('setAddCalls', '', calls), ...rate('setAddDurable', '', durable) }
}

async function timedUntil(
  count: number,
  begin: () => Promise<unknown>,
): Promise<{ readonly calls: Timing; readonly durable: Timing }> {
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const done = begin()
  const calls = { count, wallMs: performance.now() - startMs, cpuMs: cpuMs(cpu) }
  await done
  return { calls, durable: { count, wallMs: performance.now() - startMs, cpuMs: cpuMs(cpu) } }
}

function inGrid(measure: (grid: Grid) => Promise<Figures>): Promise<Figures> {
  return withTemporaryDirectory(async (directory) => {
    const options = { name: 'bench', directory, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: benchLogger }
    const grid = await openGrid(options)
    try {
      return await measure(grid)
    } finally {
      await grid.close()
    }
  })
}

/** A separate function, so that no variable keeps anything else alive. */
function bytesOf(make: () => LonePeer): number {
  // Memory for compiled code does not count as memory of elements.
  make()
  const before = liveBytes()
  const lone = make()
  const after = liveBytes()
  // The last use of the peer comes after the second measurement of memory.
  lone.step({ type: 'tick' }, clocks())
  return after - before
}

function setPeer(): LonePeer {
  const lone = new LonePeer('writer')
  const partition = lone.peer.open({ name: 'set', kind: 'set', mode: 'replicated', partitions: 1 }).partitions[0]!
  for (let index = 0; index < ELEMENTS; index++) {
    lone.peer.write(partition, compositeKey(`t${elementOf(index)}`, lone.peer.slotId), PRESENT, clocks())
    if (index % WRITES_PER_STEP === 0) lone.step({ type: 'tick' }, clocks())
  }
  lone.step({ type: 'tick' }, clocks())
  return lone
}

/** Every key existed once, and was deleted. */
function tombstonePeer(): LonePeer {
  const lone = new LonePeer('writer')
  for (let index = 0; index < ELEMENTS; index++) {
    const key = elementOf(index)
    lone.peer.write(lone.partition, key, encodedValueOf(index), clocks())
    lone.peer.write(lone.partition, key, undefined, clocks())
    if (index % WRITES_PER_STEP === 0) lone.step({ type: 'tick' }, clocks())
  }
  lone.step({ type: 'tick' }, clocks())
  if (lone.partition.replica.table.tombstoneCount !== ELEMENTS) throw new Error('not all was deleted')
  return lone
}

function elementOf(index: number): string {
  return `user-${100_000 + index}`
}
