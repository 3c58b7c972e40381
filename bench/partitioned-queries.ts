import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Query } from 'gossipgrid'
import type { City } from '../packages/cli/src/demo/story/cities.ts'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import { ForkedPeer } from './forked-peer.ts'
import { percentile } from './medians.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const PEERS = 5
const CITIES = 40_000
const ROWS = 20
const QUERIES = 300
/** Before, for the runtimes of all peers to compile what is measured: a peer runs for days. */
const WARM_QUERIES = 1500
const MOVES_MAX_MS = 300_000
/** After the fill, owners still compare copies and build indexes. */
const REST_MS = 10_000

const LARGEST: Query<City> = { where: { population: { $lt: 1_000_000 } }, orderBy: '-population', limit: ROWS }
/** Without an index on the country. */
const SCAN: Query<City> = { where: { country: 'FR' }, orderBy: 'name', limit: ROWS }
const SCANS = 40

/** Queries of a partitioned map that five processes own, asked by one of them. */
export const partitionedQueries: Bench = {
  name: 'partitioned-queries',
  summary: 'five processes: queries of a partitioned map of 40,000 cities, 20 rows, with an index and by a scan',
  runsDefault: 1,
  run: (progress) =>
    withTemporaryDirectory((directory) =>
      withCompiled('peer-program.ts', (program) => measure(directory, program, progress)),
    ),
}

async function measure(directory: string, program: string, progress: (line: string) => void): Promise<Figures> {
  const peers = Array.from({ length: PEERS }, (_, i) => new ForkedPeer(`peer ${i}`, { program }))
  try {
    const [first, ...others] = peers as [ForkedPeer, ...ForkedPeer[]]
    const open = (peer: ForkedPeer, joined: readonly string[]): Promise<{ addresses: readonly string[] }> =>
      peer.call('open', { directory: join(directory, peer.name), join: joined, secret: '' })
    const { addresses } = await open(first, [])
    for (const peer of others) {
      await open(peer, addresses)
      await peer.call('ready', {})
    }
    progress(`${CITIES} cities`)
    await first.call('fillCities', { count: CITIES }, MOVES_MAX_MS)
    const asking = peers.at(-1)!
    await asking.call('citiesThere', { count: CITIES }, MOVES_MAX_MS)
    await delay(REST_MS)
    progress('queries')
    const scans = await asked(asking, SCAN, { warm: SCANS / 4, count: SCANS })
    const largest = await asked(asking, LARGEST, { warm: WARM_QUERIES, count: QUERIES })
    return {
      largestP50Ms: percentile(largest.times, 0.5),
      largestP99Ms: percentile(largest.times, 0.99),
      largestAskerCpuMs: largest.cpuMs,
      scanP50Ms: percentile(scans.times, 0.5),
    }
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

async function asked(
  peer: ForkedPeer,
  query: Query<City>,
  { warm, count }: { readonly warm: number; readonly count: number },
): Promise<{ readonly times: readonly number[]; readonly cpuMs: number }> {
  await peer.call('askCities', { query, rows: ROWS, count: warm })
  const { times, cpuMs } = await peer.call('askCities', { query, rows: ROWS, count })
  return { times, cpuMs: cpuMs / count }
}
