import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import type { Latencies, PartitionedAsk, PartitionedState } from './partitioned-program.ts'
import { keyOf, valueOf } from './sample.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

const PEERS = 5
const OWNERS = 3
const ENTRIES = 200_000
const ONE_BY_ONE = 2000
const MIXED_MS = 10_000
/** The same load before, for the runtimes to compile what is measured: a peer runs for days, and these share two cores. */
const WARM_MS = 40_000
/** What the load has left over, such as rows to store in the background, is no part of an idle grid. */
const REST_MS = 5000
/** Calls of each peer that are under way in the mixed load. */
const MIXED_AT_ONCE = 64
/** How long one process stands still, and how long it is slow. A process that is silent for 30 s counts as gone. */
const BESIDE_MS = 20_000
/** A slow process runs for the rest of each tenth of a second. */
const SLOW_STANDS_MS = 80
const SLOW_RUNS_MS = 20
/** Few enough to leave room on two cores. */
const BESIDE_AT_ONCE = 2
const WAIT = { maxMs: 300_000, lookGapMs: 250 }

/** A partitioned map in processes of their own: reads and writes of what others own, memory, and a peer that joins. */
export const partitioned: Bench = {
  name: 'partitioned',
  summary: `a partitioned map of ${PEERS} processes: reads, writes, a mixed load, memory, and a sixth process that joins`,
  runsDefault: 1,
  run: (progress) =>
    withCompiled('partitioned-program.ts', (program) =>
      withTemporaryDirectory((directory) => measure(program, directory, progress)),
    ),
}

async function measure(program: string, directory: string, progress: (line: string) => void): Promise<Figures> {
  const peers: PartitionedProcess[] = []
  const start = async (): Promise<PartitionedProcess> => {
    const peer = new PartitionedProcess(program)
    const first = peers[0]
    const addresses = first === undefined ? [] : (await first.state()).addresses.slice(0, 1)
    peers.push(peer)
    await peer.ask({ call: 'open', directory: join(directory, `peer-${peers.length}`), join: addresses })
    return peer
  }
  try {
    while (peers.length < PEERS) await start()
    await settled(peers, 'every owner to be whole')
    progress(`${PEERS} peers are open`)
    const [first, second] = peers as [PartitionedProcess, PartitionedProcess]
    const emptyBytes = await meanUsed(peers)
    const fillMs = performance.now()
    await first.ask({ call: 'fill', count: ENTRIES })
    const filledMs = performance.now() - fillMs
    await settled(peers, 'all entries to be at their owners')
    progress(`${ENTRIES} entries are written and at their owners`)
    const grownBytes = (await meanUsed(peers)) - emptyBytes
    await Promise.all(
      peers.map((peer) => peer.latencies({ call: 'mixed', forMs: WARM_MS, atOnce: MIXED_AT_ONCE, entries: ENTRIES })),
    )
    await settled(peers, 'the first load to be over')
    await sleep(REST_MS)
    progress('the peers are warm')
    const figures: Figures = {
      fillPerSec: ENTRIES / (filledMs / 1000),
      bytesPerCopy: grownBytes / ((ENTRIES * OWNERS) / PEERS),
      ...(await oneByOne(second)),
    }
    progress('reads and writes one by one are measured')
    const loads = await Promise.all(
      peers.map((peer) => peer.latencies({ call: 'mixed', forMs: MIXED_MS, atOnce: MIXED_AT_ONCE, entries: ENTRIES })),
    )
    figures['mixedPerSec'] = loads.reduce((sum, { perSec }) => sum + perSec, 0)
    figures['mixedUnreachable'] = loads.reduce((sum, { unreachable }) => sum + unreachable, 0)
    figures['mixedP99Ms'] = Math.max(...loads.map(({ p99Ms }) => p99Ms))
    await settled(peers, 'the load to be over')
    progress('the mixed load is measured')
    Object.assign(figures, await besideOne(first, second, peers.at(-1)!))
    await settled(peers, 'the slow peer to have everything')
    progress('reads beside a peer that stands still, and beside one that is slow, are measured')
    Object.assign(figures, await joining(peers, second, start))
    return figures
  } finally {
    for (const peer of peers) peer.end()
  }
}

/**
 * Reads of partitions that one peer does not own, under a light load of another peer on all partitions: while that one runs, while it
 * stands still, and while it runs for a fifth of the time.
 */
async function besideOne(
  writer: PartitionedProcess,
  reader: PartitionedProcess,
  one: PartitionedProcess,
): Promise<Figures> {
  const { peerId } = await one.state()
  const readP99Ms = async (): Promise<number> => {
    const load = { call: 'mixed', forMs: BESIDE_MS, atOnce: BESIDE_AT_ONCE, entries: ENTRIES } as const
    const reading = reader.latencies({ call: 'reads', entries: ENTRIES, apartFrom: peerId })
    const writing = writer.latencies(load)
    await sleep(BESIDE_MS)
    await reader.ask({ call: 'stop' })
    const { p99Ms } = await reading
    one.goOn()
    await writing
    return p99Ms
  }
  const running = await readP99Ms()
  one.standStill()
  const standing = await readP99Ms()
  await sleep(REST_MS)
  let isOver = false
  const slowness = (async () => {
    while (!isOver) {
      one.standStill()
      await sleep(SLOW_STANDS_MS)
      one.goOn()
      await sleep(SLOW_RUNS_MS)
    }
  })()
  const slow = await readP99Ms()
  isOver = true
  await slowness
  return {
    readP99MsOneRuns: running,
    readP99MsOneStands: standing,
    readP99MsOneIsSlow: slow,
    readP99OneStandsOverRuns: standing / running,
    readP99OneIsSlowOverRuns: slow / running,
  }
}

async function oneByOne(peer: PartitionedProcess): Promise<Figures> {
  const counts = { count: ONE_BY_ONE, entries: ENTRIES }
  const get = await peer.latencies({ call: 'gets', ...counts })
  const getMany = await peer.latencies({ call: 'getManys', count: 500, entries: ENTRIES })
  const own = await peer.latencies({ call: 'sets', ...counts, own: true })
  const remote = await peer.latencies({ call: 'sets', ...counts, own: false })
  return {
    getP50Ms: get.p50Ms,
    getP99Ms: get.p99Ms,
    getMany100P50Ms: getMany.p50Ms,
    ownSetP50Ms: own.p50Ms,
    setOneCopyP50Ms: remote.p50Ms,
    setOneCopyOverOwnMs: remote.p50Ms - own.p50Ms,
  }
}

/** A further peer joins while another one reads. */
async function joining(
  peers: readonly PartitionedProcess[],
  reader: PartitionedProcess,
  start: () => Promise<PartitionedProcess>,
): Promise<Figures> {
  const readFor = async (work: () => Promise<void>): Promise<Latencies> => {
    const reading = reader.latencies({ call: 'reads', entries: ENTRIES })
    await work()
    await reader.ask({ call: 'stop' })
    return reading
  }
  const steady = await readFor(() => sleep(5000))
  const startMs = performance.now()
  let joined: PartitionedProcess | undefined
  const moving = await readFor(async () => {
    joined = await start()
    await settled(peers, 'the new peer to have its share')
  })
  const { receivedBytes } = await joined!.state()
  const shareBytes = ((ENTRIES * OWNERS) / (PEERS + 1)) * (keyOf(0).length + valueOf(0).length)
  return {
    joinMs: performance.now() - startMs,
    joinedBytesOverShare: receivedBytes / shareBytes,
    readP99MsSteady: steady.p99Ms,
    readP99MsMoving: moving.p99Ms,
    readsUnreachableMoving: moving.unreachable,
    readP99MovingOverSteady: moving.p99Ms / steady.p99Ms,
  }
}

/** All peers own something, have it whole, hand over nothing, and no write is on its way. */
async function settled(peers: readonly PartitionedProcess[], what: string): Promise<void> {
  await until(what, WAIT, async () => {
    const states = await Promise.all(peers.map((peer) => peer.state()))
    return states.every(
      ({ handingOver, hints, owned, whole }) => owned > 0 && owned === whole && handingOver === 0 && hints === 0,
    )
  })
}

async function meanUsed(peers: readonly PartitionedProcess[]): Promise<number> {
  const states = await Promise.all(peers.map((peer) => peer.state()))
  return states.reduce((sum, { usedBytes }) => sum + usedBytes, 0) / states.length
}

/** One process of the bench. */
class PartitionedProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #asked = 0

  constructor(program: string) {
    this.#child = fork(program, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (message) => {
      const { id, error, result } = message as { id: number; error?: string; result?: unknown }
      if (error === undefined) this.#waiting.get(id)?.resolve(result)
      else this.#waiting.get(id)?.reject(new Error(error))
      this.#waiting.delete(id)
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('a process of the bench has ended'))
    })
  }

  ask(ask: PartitionedAsk): Promise<unknown> {
    const id = ++this.#asked
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#child.send({ id, ask })
    return waiting.promise
  }

  async state(): Promise<PartitionedState> {
    return (await this.ask({ call: 'state' })) as PartitionedState
  }

  async latencies(ask: PartitionedAsk): Promise<Latencies> {
    return (await this.ask(ask)) as Latencies
  }

  standStill(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
