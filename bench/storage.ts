import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { levelStorage } from '@gossipgrid/storage'
import type { Bench, Figures } from './bench.ts'
import { benchLogger } from './bench-logger.ts'
import { StallClock } from './stall-clock.ts'
import { encodedValueOf, keyOf, valueOf } from './sample.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const SINGLE = 1000
const GROUPED = 50_000
/** Writes between two turns of the event loop while a grid is filled: the backlog is bounded. */
const FILLED_PER_TURN = 10_000
/** Few, so that stalls during a checkpoint are caused by the checkpoint. */
const OVERWRITTEN_PER_TURN = 200

const SIZES: readonly { readonly count: number; readonly suffix: string }[] = [
  { count: 100_000, suffix: '100k' },
  { count: 1_000_000, suffix: '1M' },
]

/** The disk: every write is synced before it counts. */
export const storage: Bench = {
  name: 'storage',
  summary:
    'durable writes per second, single and grouped; opening and the pauses of a checkpoint at 100k and 1M entries',
  runsDefault: 3,
  run: async (progress) => {
    progress('the store alone')
    const figures: Figures = await withTemporaryDirectory(storeFigures)
    progress('a grid')
    Object.assign(figures, await withTemporaryDirectory(gridFigures))
    for (const { count, suffix } of SIZES) {
      progress(`opening ${count} entries`)
      Object.assign(figures, await withTemporaryDirectory((directory) => openFigures(directory, count, suffix)))
    }
    return figures
  },
}

/** LevelDB behind core's port: each write one batch of one blob. */
async function storeFigures(directory: string): Promise<Figures> {
  const store = await levelStorage({ directory: join(directory, 'store') })
  const write = (index: number): Promise<void> =>
    store.write([{ type: 'put', key: keyOf(index), bytes: encodedValueOf(index) }], { durable: true })
  try {
    return await writing('store', write)
  } finally {
    await store.close()
  }
}

/** The same through `map.set`: merged, logged in groups, synced. */
async function gridFigures(directory: string): Promise<Figures> {
  const grid = await open(join(directory, 'grid'))
  const map = grid.map<string>('users')
  try {
    return await writing('grid', (index) => map.set(keyOf(index), valueOf(index)))
  } finally {
    await grid.close()
  }
}

async function writing(name: string, write: (index: number) => Promise<unknown>): Promise<Figures> {
  const singleMs = await took(async () => {
    for (let index = 0; index < SINGLE; index++) await write(index)
  })
  const groupedMs = await took(() => Promise.all(Array.from({ length: GROUPED }, (_, index) => write(index))))
  return {
    [`${name}SingleWritesPerSec`]: SINGLE / (singleMs / 1000),
    [`${name}GroupedWritesPerSec`]: GROUPED / (groupedMs / 1000),
  }
}

/**
 * From the call of `openGrid` until its promise resolves: everything in memory, the network up, with a warm cache of
 * the system.
 */
async function openFigures(directory: string, count: number, suffix: string): Promise<Figures> {
  const path = join(directory, 'grid')
  const filled = await open(path)
  const fillMs = await took(() => fill(filled, count))
  await filled.close()
  const startMs = performance.now()
  const grid = await open(path)
  const openMs = performance.now() - startMs
  const entries = grid.map('users').size
  const pauses = await checkpointFigures(grid, count, suffix)
  await grid.close()
  if (entries !== count) throw new Error(`${entries} of ${count} entries were there after opening`)
  return { [`fillPerSec${suffix}`]: count / (fillMs / 1000), [`openMs${suffix}`]: openMs, ...pauses }
}

/** Overwrites a few entries at a time until a checkpoint has cut the log, and returns the longest stall meanwhile. */
async function checkpointFigures(grid: Grid, count: number, suffix: string): Promise<Figures> {
  const map = grid.map<string>('users')
  const stall = new StallClock()
  const startMs = performance.now()
  let logBytes = 0
  let written = 0
  for (;;) {
    const receipts: Promise<unknown>[] = []
    for (let i = 0; i < OVERWRITTEN_PER_TURN; i++, written++) {
      const index = (written * 7919) % count
      receipts.push(map.set(keyOf(index), valueOf(index + 1)))
    }
    await Promise.all(receipts)
    const { logBytes: nowBytes } = grid.status().storage
    if (nowBytes < logBytes) break
    logBytes = nowBytes
    if (written > 4 * count + 1_000_000) throw new Error(`no checkpoint after ${written} writes`)
  }
  const { maxMs, maxCpuMs } = stall
  stall.stop()
  return {
    [`checkpointMaxPauseMs${suffix}`]: maxMs,
    [`checkpointMaxPauseCpuMs${suffix}`]: maxCpuMs,
    [`checkpointWritesPerSec${suffix}`]: written / ((performance.now() - startMs) / 1000),
  }
}

async function fill(grid: Grid, count: number): Promise<void> {
  const map = grid.map<string>('users')
  for (let first = 0; first < count; first += FILLED_PER_TURN) {
    const receipts: Promise<unknown>[] = []
    for (let index = first; index < first + FILLED_PER_TURN; index++)
      receipts.push(map.set(keyOf(index), valueOf(index)))
    await Promise.all(receipts)
  }
}

function open(directory: string): Promise<Grid> {
  const listen = ['/ip4/127.0.0.1/tcp/0']
  return openGrid({ name: 'bench', directory, listen, mdns: false, logger: benchLogger })
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
