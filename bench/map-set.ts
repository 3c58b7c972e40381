import { benchLogger } from './bench-logger.ts'
import process from 'node:process'
import { openGrid } from 'gossipgrid'
import type { Figures } from './bench.ts'
import { keyOf, valueOf } from './sample.ts'
import { cpuMs, rate } from './stopwatch.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const COUNT = 100_000

/** 100k `set` calls, not awaited one by one, on a grid with a directory and no neighbour. */
export function mapSetFigures(): Promise<Figures> {
  return withTemporaryDirectory(async (directory) => {
    const grid = await openGrid({
      name: 'bench',
      directory,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      mdns: false,
      logger: benchLogger,
    })
    try {
      const map = grid.map<string>('users')
      const keys = Array.from({ length: COUNT }, (_, index) => keyOf(index))
      const values = Array.from({ length: COUNT }, (_, index) => valueOf(index))
      const receipts: Promise<unknown>[] = []
      const cpu = process.cpuUsage()
      const startMs = performance.now()
      for (let index = 0; index < COUNT; index++) receipts.push(map.set(keys[index]!, values[index]!))
      const calls = { count: COUNT, wallMs: performance.now() - startMs, cpuMs: cpuMs(cpu) }
      await Promise.all(receipts)
      const durable = { count: COUNT, wallMs: performance.now() - startMs, cpuMs: cpuMs(cpu) }
      return { ...rate('mapSetCalls', '', calls), ...rate('mapSetDurable', '', durable) }
    } finally {
      await grid.close()
    }
  })
}
