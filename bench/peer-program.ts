import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import process from 'node:process'
import { libp2pNetwork, openGrid } from 'gossipgrid'
import type { Grid, GridMap, Libp2pNetwork, Libp2pNetworkOptions, PartitionedMap } from 'gossipgrid'
import { readCities } from '../packages/cli/src/demo/story/cities.ts'
import type { City } from '../packages/cli/src/demo/story/cities.ts'
import { benchLogger } from './bench-logger.ts'
import { nowMs } from './peer-commands.ts'
import type { Answer, Argument, CommandName, PeerStatus, Request, Response } from './peer-commands.ts'
import { keyOf, valueOf } from './sample.ts'
import { StallClock } from './stall-clock.ts'
import { cpuMs } from './stopwatch.ts'

type Program = { [Name in CommandName]: (argument: Argument<Name>) => Promise<Answer<Name>> }

let grid: Grid
let network: Libp2pNetwork
let map: GridMap<string>
let connectedAtMs = 0
let watching: Promise<Answer<'seen'>> | undefined
let stall: StallClock | undefined
const cpuAtStart = process.cpuUsage()

const program: Program = {
  open: async ({ directory, join, secret }) => {
    const atMs = nowMs()
    const listen = ['/ip4/127.0.0.1/tcp/0']
    const privacy = secret === '' ? {} : { secret }
    const ports = { listen, join, mdns: false, network: openNetwork, logger: benchLogger }
    const place = directory === '' ? {} : { directory }
    grid = await openGrid({ name: 'bench', ...place, ...ports, ...privacy })
    map = grid.map<string>('users')
    return { peerId: grid.peerId, addresses: grid.addresses, atMs }
  },
  ready: async () => {
    await grid.ready()
    return { atMs: nowMs() }
  },
  watch: async ({ prefix, count, keys }) => {
    watching = watch(prefix, count, keys)
    watching.catch(() => undefined)
    return {}
  },
  seen: async () => {
    if (watching === undefined) throw new Error('nothing is watched')
    return watching
  },
  burst: async ({ prefix, count }) => {
    const receipts: Promise<unknown>[] = []
    const startMs = nowMs()
    for (let index = 0; index < count; index++) receipts.push(map.set(keyOf(index, prefix), valueOf(index)))
    const calledMs = nowMs()
    await Promise.all(receipts)
    return { startMs, calledMs, durableMs: nowMs() }
  },
  stream: async ({ prefix, count }) => {
    const receipts: Promise<unknown>[] = []
    const startMs = nowMs()
    for (let index = 0; index < count; index++) {
      receipts.push(map.set(keyOf(index, prefix), valueOf(index)))
      if (index % 50 === 49) await setImmediate()
    }
    await Promise.all(receipts)
    return { startMs }
  },
  awaited: async ({ prefix, count }) => {
    const startMs = nowMs()
    for (let index = 0; index < count; index++) await map.set(keyOf(index, prefix), valueOf(index))
    return { startMs, durableMs: nowMs() }
  },
  singles: async ({ prefix, count, gapMs }) => {
    const times: Record<string, number> = {}
    for (let index = 0; index < count; index++) {
      const key = keyOf(index, prefix)
      const value = valueOf(index)
      times[key] = nowMs()
      await map.set(key, value)
      // Uneven, so that the writes never fall into step with a timer of the grid.
      await delay(gapMs * (0.75 + Math.random() / 2))
    }
    return { times }
  },
  overwrite: async ({ prefix, first, count }) => {
    const receipts: Promise<unknown>[] = []
    for (let index = first; index < first + count; index++) {
      receipts.push(map.set(keyOf(index, prefix), valueOf(index + 1)))
    }
    await Promise.all(receipts)
    return {}
  },
  size: async ({ count }) => {
    while (map.size < count) await delay(1)
    return { atMs: nowMs() }
  },
  block: async ({ peerIds }) => {
    network.block(peerIds)
    return {}
  },
  unblock: async () => {
    const atMs = nowMs()
    network.unblock()
    return { atMs }
  },
  fillCities: async ({ count }) => {
    await cities().setMany(readCities(count))
    await cities().index('name')
    await cities().index('population')
    return {}
  },
  askCities: async ({ query, rows, count }) => {
    const times: number[] = []
    const cpu = process.cpuUsage()
    for (let i = 0; i < count; i++) {
      const startMs = performance.now()
      const found = await cities().query(query)
      times.push(performance.now() - startMs)
      if (found.rows.length !== rows || !found.complete) throw new Error(`${found.rows.length} rows, not ${rows}`)
    }
    return { times, cpuMs: cpuMs(cpu) }
  },
  citiesThere: async ({ count }) => {
    for (;;) {
      const found = await cities().count()
      if (found.complete && found.count === count) return {}
      await delay(200)
    }
  },
  watchStalls: async ({ on }) => {
    stall?.stop()
    if (on) stall = new StallClock()
    return {}
  },
  status: async () => status(),
  close: async () => {
    await grid.close()
    return {}
  },
}

function cities(): PartitionedMap<City> {
  return grid.map<City>('cities', { mode: 'partitioned' })
}

async function openNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  network = await libp2pNetwork(options)
  const start = network.start.bind(network)
  network.start = (events) =>
    start({
      ...events,
      connected: (neighbour) => {
        connectedAtMs = nowMs()
        events.connected(neighbour)
      },
    })
  return network
}

/** Reads `changes()` as an application does, values included. */
async function watch(prefix: string, count: number, keys: boolean): Promise<Answer<'seen'>> {
  const times: Record<string, number> = {}
  let seen = 0
  for await (const change of map.changes({ prefix })) {
    if (change.type !== 'set') throw new Error(`${change.type} after ${seen} changes, ${change.missed} missed`)
    if (change.value?.length !== valueOf(0).length) throw new Error(`a wrong value of ${change.key}`)
    if (keys) times[change.key] = nowMs()
    seen += 1
    if (seen === count) break
  }
  if (seen < count) throw new Error(`the changes ended after ${seen} of ${count}`)
  return { atMs: nowMs(), times }
}

function status(): PeerStatus {
  const { backlog, traffic, collections } = grid.status()
  const { broadcasts, store } = grid.metrics()
  const users = collections.find(({ name }) => name === 'users')
  return {
    entries: map.size,
    fingerprint: users?.fingerprint ?? '',
    sessions: backlog.sessions,
    undurableBytes: backlog.undurableBytes,
    broadcastBytes: backlog.broadcastBytes,
    neighbours: network.neighbours().length,
    wireBytes: traffic.sentBytes + traffic.receivedBytes,
    connectedAtMs,
    rssBytes: process.memoryUsage.rss(),
    maxStallMs: stall?.maxMs ?? 0,
    maxStallCpuMs: stall?.maxCpuMs ?? 0,
    cpuMs: cpuMs(cpuAtStart),
    stored: store.seconds.count,
    framesSent: broadcasts.frames,
  }
}

async function serve({ id, name, argument }: Request): Promise<void> {
  let response: Response
  try {
    const command = program[name] as (argument: unknown) => Promise<unknown>
    response = { id, answer: await command(argument) }
  } catch (error) {
    response = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  process.send?.(response)
}

process.on('message', (request) => void serve(request as Request))
// The parent is gone: nothing is left to report.
process.on('disconnect', () => process.exit(0))
