import { join } from 'node:path'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import { ForkedPeer } from './forked-peer.ts'
import { percentile } from './medians.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const WRITES = 1500
/** For the runtimes to compile what is measured: a peer runs for days. */
const WARM_TURNS = 3
const TURNS = 7

/** One peer alone and one with a neighbour, both on disk: each writes in turns, and awaits each write before the next. */
export const awaited: Bench = {
  name: 'awaited',
  summary: 'durable writes one after the other, of a peer alone and of one with a neighbour on the same disk, in turns',
  runsDefault: 1,
  run: (progress) =>
    withCompiled('peer-program.ts', (program) =>
      withTemporaryDirectory((directory) => measure(program, directory, progress)),
    ),
}

async function measure(program: string, directory: string, progress: (line: string) => void): Promise<Figures> {
  const peers: ForkedPeer[] = []
  const open = async (
    name: string,
    addresses: readonly string[],
  ): Promise<{ peer: ForkedPeer; addresses: readonly string[] }> => {
    const peer = new ForkedPeer(name, { program })
    peers.push(peer)
    const opened = await peer.call('open', { directory: join(directory, name), join: addresses, secret: '' })
    return { peer, addresses: opened.addresses }
  }
  try {
    const alone = await open('alone', [])
    const accompanied = await open('accompanied', [])
    const neighbour = await open('neighbour', accompanied.addresses)
    await neighbour.peer.call('ready', {})
    const figures: Record<string, number[]> = {}
    const add = (name: string, figure: number): void => void (figures[name] ??= []).push(figure)
    for (let turn = 0; turn < WARM_TURNS + TURNS; turn++) {
      progress(`turn ${turn + 1}`)
      for (const [name, { peer }] of Object.entries({ Alone: alone, WithNeighbour: accompanied })) {
        const before = await peer.call('status', {})
        const took = await peer.call('awaited', { prefix: `turn${turn}:`, count: WRITES })
        const after = await peer.call('status', {})
        if (turn < WARM_TURNS) continue
        add(`awaited${name}PerSec`, WRITES / ((took.durableMs - took.startMs) / 1000))
        add(`awaited${name}CpuUs`, ((after.cpuMs - before.cpuMs) * 1000) / WRITES)
      }
    }
    const medians = Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, percentile(values, 0.5)]))
    const { awaitedAlonePerSec = NaN, awaitedWithNeighbourPerSec = NaN } = medians
    return { ...medians, aloneOverWithNeighbour: awaitedAlonePerSec / awaitedWithNeighbourPerSec }
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}
