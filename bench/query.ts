import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { openGrid } from 'gossipgrid'
import type { Grid, GridMap, Query } from 'gossipgrid'
import { readCities } from '../packages/cli/src/demo/story/cities.ts'
import type { City } from '../packages/cli/src/demo/story/cities.ts'
import { benchLogger } from './bench-logger.ts'
import type { Bench, Figures } from './bench.ts'
import { liveBytes } from './memory.ts'
import { StallClock } from './stall-clock.ts'
import { cpuMs } from './stopwatch.ts'

const ALL = 200_000
const QUERIES = 2000
const SCANS = 8
const WRITES = 20_000
const UPKEEP_WARM_TURNS = 10
const LIVE_ROWS = 100_000
const LIVE_CHANGES = 2000

/** Cities of one name, of which there are 22. */
const EQUALITY: Query<City> = { where: { name: 'Springfield' }, limit: 20 }
const RANGE: Query<City> = { where: { population: { $gt: 50_000, $lt: 1_000_000 } }, orderBy: '-population', limit: 20 }
const TWO_FIELDS = { country: 'FR', population: { $gte: 100_000 } } as const

/** 135,233 cities in one peer, in memory. */
export const query: Bench = {
  name: 'query',
  summary: 'queries on 135,233 cities: with an index, by a scan, live, beside filter; upkeep and memory of indexes',
  runsDefault: 3,
  run: async (progress) => {
    const grid = await openGrid({ name: 'bench', listen: [], mdns: false, logger: benchLogger })
    try {
      const cities = grid.map<City>('cities')
      const all = readCities(ALL)
      await cities.setMany(all)
      progress('scans')
      const figures: Figures = { ...(await scanFigures(cities, [...all.values()])) }
      progress('upkeep of an index')
      figures['indexUpkeepCpuUs'] = await upkeepCpuUs(cities, all)
      progress('indexes')
      Object.assign(figures, await indexFigures(cities))
      progress('indexed queries')
      Object.assign(figures, await latency(cities, EQUALITY, 'equality'), await latency(cities, RANGE, 'range'))
      progress('a live query')
      return { ...figures, ...(await liveFigures(grid)) }
    } finally {
      await grid.close()
    }
  },
}

async function scanFigures(cities: GridMap<City>, values: readonly City[]): Promise<Figures> {
  const stalls = new StallClock()
  const scan = async (): Promise<number> => (await cities.query({ where: TWO_FIELDS })).rows.length
  const filter = (): number =>
    values.filter(({ country, population }) => country === 'FR' && population >= 100_000).length
  if ((await scan()) !== filter()) throw new Error('the scan found something else than filter did')
  await scan()
  stalls.reset()
  const scanCpu = process.cpuUsage()
  const startMs = performance.now()
  for (let i = 0; i < SCANS; i++) await scan()
  const [scanMs, scanCpuMs] = [performance.now() - startMs, cpuMs(scanCpu)]
  const stall = stalls.maxCpuMs
  stalls.stop()
  const filterCpu = process.cpuUsage()
  for (let i = 0; i < SCANS; i++) filter()
  const rows = SCANS * values.length
  return {
    scanRowsPerSec: rows / (scanMs / 1000),
    scanRowsPerCpuSec: rows / (scanCpuMs / 1000),
    scanLongestTurnCpuMs: stall,
    filterOfObjectsRowsPerCpuSec: rows / (cpuMs(filterCpu) / 1000),
  }
}

async function indexFigures(cities: GridMap<City>): Promise<Figures> {
  const figures: Figures = {}
  for (const [suffix, fields] of [
    ['Name', 'name'],
    ['Population', 'population'],
    ['CountryPopulation', ['country', 'population']],
  ] as const) {
    // Once before, for the runtime to compile what is measured: a peer runs for days.
    await cities.index(fields).then((index) => index.drop())
    await setImmediate()
    const before = liveBytes()
    const stalls = new StallClock()
    const cpu = process.cpuUsage()
    const { size } = await cities.index(fields)
    const buildCpuMs = cpuMs(cpu)
    const stall = stalls.maxCpuMs
    stalls.stop()
    figures[`buildPerCpuSec${suffix}`] = size / (buildCpuMs / 1000)
    figures[`bytesPerEntry${suffix}`] = (liveBytes() - before) / size
    figures[`buildLongestTurnCpuMs${suffix}`] = stall
  }
  return figures
}

/** What an index on the one field that changes adds to a write, in processor time. Both are measured in turns. */
async function upkeepCpuUs(cities: GridMap<City>, all: ReadonlyMap<string, City>): Promise<number> {
  const entries = [...all].slice(0, WRITES)
  const write = async (by: number): Promise<number> => {
    const changed = entries.map(([key, city], i): [string, City] => [key, { ...city, population: i * by }])
    // What building an index has left over is no part of a write.
    liveBytes()
    const cpu = process.cpuUsage()
    await cities.setMany(changed)
    return (cpuMs(cpu) * 1000) / WRITES
  }
  // Once before, for the runtime to compile what is measured.
  const first = await cities.index('population')
  for (let by = 1; by <= UPKEEP_WARM_TURNS; by++) await write(by)
  first.drop()
  const differences: number[] = []
  for (let turn = 0; turn < 9; turn++) {
    const plain = await write(2 * turn + 101)
    const index = await cities.index('population')
    differences.push((await write(2 * turn + 102)) - plain)
    index.drop()
  }
  await cities.setMany(entries)
  return differences.toSorted((a, b) => a - b)[differences.length >> 1]!
}

async function latency(cities: GridMap<City>, asked: Query<City>, name: string): Promise<Figures> {
  const plan = await cities.explain(asked)
  if (plan.index === undefined || plan.given !== 20) throw new Error(`${name} does not give 20 rows by an index`)
  for (let i = 0; i < QUERIES / 4; i++) await cities.query(asked)
  const times: number[] = []
  const cpu = process.cpuUsage()
  for (let i = 0; i < QUERIES; i++) {
    const startMs = performance.now()
    await cities.query(asked)
    times.push(performance.now() - startMs)
  }
  const took = (cpuMs(cpu) * 1000) / QUERIES
  times.sort((a, b) => a - b)
  return { [`${name}P50Ms`]: times[QUERIES / 2]!, [`${name}CpuUs`]: took }
}

/** Single changes of a sorted live query of 100,000 rows, each until its listener is called, and until the next array is there. */
async function liveFigures(grid: Grid): Promise<Figures> {
  const rows = grid.map<{ rank: number }>('rows')
  await rows.setMany(
    Array.from({ length: LIVE_ROWS }, (_, i) => [`row ${i}`, { rank: (i * 7919) % LIVE_ROWS }] as const),
  )
  const live = await rows.live({ orderBy: 'rank' })
  if (live.rows.length !== LIVE_ROWS) throw new Error('the live query lacks rows')
  let calls = 0
  let snapshotMs = 0
  const off = live.subscribe(() => calls++)
  const change = async (i: number): Promise<void> => {
    await rows.set(`row ${(i * 104_729) % LIVE_ROWS}`, { rank: (i * 15_485_863) % LIVE_ROWS })
  }
  const plainCpuUs = await changesCpuUs(grid)
  for (let i = 0; i < LIVE_CHANGES / 4; i++) await change(i)
  calls = 0
  const cpu = process.cpuUsage()
  for (let i = LIVE_CHANGES; i < 2 * LIVE_CHANGES; i++) await change(i)
  const changeCpuUs = (cpuMs(cpu) * 1000) / LIVE_CHANGES
  if (calls !== LIVE_CHANGES) throw new Error(`${calls} calls of the listener for ${LIVE_CHANGES} changes`)
  for (let i = 0; i < 200; i++) {
    await change(i + 3 * LIVE_CHANGES)
    const startMs = performance.now()
    live.getSnapshot()
    snapshotMs += performance.now() - startMs
  }
  off()
  live.close()
  return { liveChangeCpuUs: changeCpuUs - plainCpuUs, liveSnapshotMs: snapshotMs / 200 }
}

/** The same writes to a map without a live query. */
async function changesCpuUs(grid: Grid): Promise<number> {
  const rows = grid.map<{ rank: number }>('unfollowed')
  const change = async (i: number): Promise<void> => {
    await rows.set(`row ${(i * 104_729) % LIVE_ROWS}`, { rank: i })
  }
  for (let i = 0; i < LIVE_CHANGES / 4; i++) await change(i)
  const cpu = process.cpuUsage()
  for (let i = LIVE_CHANGES; i < 2 * LIVE_CHANGES; i++) await change(i)
  return (cpuMs(cpu) * 1000) / LIVE_CHANGES
}
