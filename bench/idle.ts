import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import type { IdleReport, IdleRole, IdleSample } from './idle-program.ts'

/** Fifty processes are too many for two cores: they are still dialling each other after five minutes. */
const SIZES = [5, 20]
/** How long a grid may take until every peer is connected to as many others as it looks for. */
const MESH_MAX_MS = 300_000
/** Neighbours that a peer looks for, in a large grid. */
const NEIGHBOURS_WANTED = 32
/** Left alone before it is measured: what follows a start, such as registering a peer, ends. */
const SETTLE_MS = 40_000
const MEASURE_MS = 60_000

/** Processes of one grid that nothing is written to: what each costs. And what of its memory is Node, and what is libp2p. */
export const idle: Bench = {
  name: 'idle',
  summary: 'grids of 5 and 20 processes in which nothing happens: CPU, bytes, wake-ups and memory of each peer',
  runsDefault: 1,
  run: (progress) =>
    withCompiled('idle-program.ts', async (program) => {
      const figures: Record<string, number> = {
        nodeAloneMegabytes: await aloneMegabytes(program, { type: 'node' }),
        libp2pAloneMegabytes: await aloneMegabytes(program, { type: 'libp2p' }),
        peerAloneMegabytes: await aloneMegabytes(program, { type: 'peer', join: [] }),
      }
      for (const size of SIZES) Object.assign(figures, await measureGrid(program, size, progress))
      return figures
    }),
}

async function aloneMegabytes(program: string, role: IdleRole): Promise<number> {
  const alone = new IdleProcess(program)
  try {
    await alone.start(role)
    await delay(3000)
    return (await alone.sample()).rssBytes / 1e6
  } finally {
    alone.end()
  }
}

async function measureGrid(program: string, size: number, progress: (line: string) => void): Promise<Figures> {
  const peers: IdleProcess[] = []
  try {
    const startMs = performance.now()
    let join: readonly string[] = []
    for (let i = 0; i < size; i++) {
      const peer = new IdleProcess(program)
      peers.push(peer)
      const addresses = await peer.start({ type: 'peer', join })
      if (i === 0) join = addresses
    }
    progress(`${size} peers are open after ${seconds(startMs)} s`)
    const wanted = Math.min(size - 1, NEIGHBOURS_WANTED)
    for (;;) {
      const fewest = Math.min(...(await samples(peers)).map(({ neighbours }) => neighbours))
      if (fewest >= wanted) break
      if (performance.now() - startMs > MESH_MAX_MS) throw new Error(`a peer of ${size} has ${fewest} neighbours`)
      await delay(1000)
    }
    progress(`${size} peers are connected after ${seconds(startMs)} s`)
    await delay(SETTLE_MS)
    const before = await samples(peers)
    await delay(MEASURE_MS)
    const after = await samples(peers)
    return {
      [`cpuPercent${size}`]: 100 * mean(before, after, ({ cpuMs }) => cpuMs) * 1e-3,
      [`sentBytesPerSec${size}`]: mean(before, after, ({ sentBytes }) => sentBytes),
      [`wakeUpsPerSec${size}`]: mean(before, after, ({ wakeUps }) => wakeUps),
      [`peerMegabytes${size}`]: after.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / size / 1e6,
      [`neighbours${size}`]: after.reduce((sum, { neighbours }) => sum + neighbours, 0) / size,
    }
  } finally {
    for (const peer of peers) peer.end()
  }
}

function samples(peers: readonly IdleProcess[]): Promise<IdleSample[]> {
  return Promise.all(peers.map((peer) => peer.sample()))
}

/** The increase of a figure, by peer and second. */
function mean(before: readonly IdleSample[], after: readonly IdleSample[], of: (sample: IdleSample) => number): number {
  const rates = after.map((sample, i) => (of(sample) - of(before[i]!)) / ((sample.atMs - before[i]!.atMs) / 1000))
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length
}

function seconds(startMs: number): number {
  return Math.round((performance.now() - startMs) / 1000)
}

/** One process of the bench. */
class IdleProcess {
  readonly #child: ChildProcess

  constructor(program: string) {
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  /** Resolves with the addresses of a peer once it is open. */
  async start(role: IdleRole): Promise<readonly string[]> {
    const report = await this.#ask(role)
    return report.type === 'ready' ? report.addresses : []
  }

  async sample(): Promise<IdleSample> {
    const report = await this.#ask('sample')
    if (report.type !== 'sample') throw new Error('no sample came')
    return report.sample
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }

  async #ask(message: IdleRole | 'sample'): Promise<IdleReport> {
    this.#child.send(message)
    const [report] = (await once(this.#child, 'message')) as [IdleReport]
    return report
  }
}
