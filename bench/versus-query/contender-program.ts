/** Measures one contender: `contender-program NAME LOADER`, where the loader imports from where the contenders are installed. */
import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Figures } from '../bench.ts'
import { percentile } from '../medians.ts'
import { liveBytes } from '../memory.ts'
import { readCities } from '../../packages/cli/src/demo/story/cities.ts'
import { StallClock } from '../stall-clock.ts'
import type { Load } from '../versus/contender.ts'
import type { CityRow, Followed, Populations, QueryStore } from './contender.ts'
import { QUERY_CONTENDERS } from './contenders.ts'

/** What it sends to its parent. */
export type ContenderFigures = Figures

const NAME_ROWS = { min: 15, max: 25 }
const INDEXED_QUERIES = 40
const SCANS = 16
const CHANGES = 40
/** A figure whose measuring takes longer has fewer samples. */
const FIGURE_MAX_MS = 6_000
const LIVE_PAGE = 20

const all = readCities(Infinity)

async function main(name: string, loader: string): Promise<Figures> {
  const contender = QUERY_CONTENDERS.find((each) => each.name === name)!
  const installed = (await import(pathToFileURL(loader).href)) as { load: Load }
  const load: Load = async (module) =>
    module === 'gossipgrid' ? ((await import('gossipgrid')) as never) : installed.load(module)
  for (const module of contender.modules) await load(module)
  const before = liveBytes()
  const store = await contender.open(load)
  await store.fill(rows())
  const figures: Figures = {}
  await setImmediate()
  figures['megabytes'] = (liveBytes() - before) / 1e6
  Object.assign(figures, await queryFigures(store))
  for (const [figure, limit] of [
    ['livePageMs', LIVE_PAGE],
    ['liveAllMs', undefined],
  ] as const) {
    const took = await liveMs(store, limit)
    if (took !== undefined) figures[figure] = took
  }
  return figures
}

/** Each store gets objects of its own, as they would come from elsewhere. */
function* rows(): Generator<CityRow> {
  for (const [id, { name, country, adminCode, population, loc }] of all)
    yield { id, name, country, adminCode, population, loc: { type: loc.type, coordinates: [...loc.coordinates] } }
}

async function queryFigures(store: QueryStore): Promise<Figures> {
  const cities = [...all.values()]
  const counts = new Map<string, number>()
  for (const { name } of cities) counts.set(name, (counts.get(name) ?? 0) + 1)
  const names = [...counts].flatMap(([name, count]) => (count >= NAME_ROWS.min && count <= NAME_ROWS.max ? [name] : []))
  const byNameMs = await queriesMs(INDEXED_QUERIES, (i) => {
    const name = names[i % names.length]!
    return [store.byName(name), () => cities.filter((city) => city.name === name)]
  })
  const withinMs = await queriesMs(INDEXED_QUERIES, (i) => {
    const [low, high] = [50_000 + i, 1_000_000 - i * 1000]
    const expected = (): typeof cities =>
      cities
        .filter(({ population }) => population >= low && population <= high)
        .toSorted((one, other) => other.population - one.population)
        .slice(0, 20)
    return [store.within(low, high), expected]
  })
  const regions = [...new Set(cities.map(({ country, adminCode }) => `${country} ${adminCode}`))]
  const stalls = new StallClock()
  const stallsMs: number[] = []
  const scanMs = await queriesMs(SCANS, (i) => {
    stallsMs.push(stalls.maxCpuMs)
    stalls.reset()
    const [country, adminCode] = regions[(i * 397) % regions.length]!.split(' ') as [string, string]
    const found = store.inRegion(country, adminCode)
    return [found, () => cities.filter((city) => city.country === country && city.adminCode === adminCode)]
  })
  stalls.stop()
  return { byNameMs, withinMs, scanMs, scanStallMs: percentile(stallsMs.slice(4), 0.5) }
}

/** The median of queries that all ask for something else, since some libraries keep results. The first ones must be right. */
async function queriesMs(
  count: number,
  ask: (i: number) => [found: Populations, expected: () => readonly { readonly population: number }[]],
): Promise<number> {
  const times: number[] = []
  const endMs = performance.now() + FIGURE_MAX_MS
  for (let i = 0; i < count && (performance.now() < endMs || i < 5); i++) {
    const startMs = performance.now()
    const [asked, expected] = ask(i)
    const found = await asked
    times.push(performance.now() - startMs)
    if (i < 3) sameOrThrow(found, expected())
    await setImmediate()
  }
  return percentile(times.slice(2), 0.5)
}

function sameOrThrow(found: readonly number[], expected: readonly { readonly population: number }[]): void {
  const inOrder = (numbers: readonly number[]): string => numbers.toSorted((one, other) => one - other).join()
  if (inOrder(found) !== inOrder(expected.map(({ population }) => population)))
    throw new Error(`found ${found.length} rows, not the ${expected.length} that there are`)
}

/** From a write that makes a city the largest one until the live query says so. */
async function liveMs(store: QueryStore, limit: number | undefined): Promise<number | undefined> {
  let wake: (() => void) | undefined
  const live: Followed | undefined = await store.follow?.(limit, () => wake?.())
  if (live === undefined) return undefined
  const keys = [...all.keys()]
  const times: number[] = []
  const endMs = performance.now() + FIGURE_MAX_MS
  for (let i = 0; i < CHANGES && (performance.now() < endMs || i < 5); i++) {
    const id = keys[(i * 7919) % keys.length]!
    const { name, country, adminCode, loc } = all.get(id)!
    const population = live.first() + 1
    const startMs = performance.now()
    for (let isWritten = false; live.first() !== population; isWritten = true) {
      const woken = new Promise<void>((resolve) => (wake = resolve))
      if (!isWritten) void store.change({ id, name, country, adminCode, population, loc })
      await woken
    }
    times.push(performance.now() - startMs)
    await setImmediate()
  }
  await live.end()
  return percentile(times.slice(2), 0.5)
}

const [name = '', loader = ''] = process.argv.slice(2)
process.send?.(await main(name, loader), undefined, undefined, () => process.exit(0))
