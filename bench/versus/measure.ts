import { setTimeout as delay } from 'node:timers/promises'
import type { Figures } from '../bench.ts'
import { percentile } from '../medians.ts'
import type { Contender } from './contender.ts'
import { ContenderProcess } from './contender-process.ts'

/** From the answer to a write until the next, and how many writes are measured so. */
export const PAUSES: readonly { readonly pauseMs: number; readonly writes: number }[] = [
  { pauseMs: 0, writes: 400 },
  { pauseMs: 5, writes: 150 },
  { pauseMs: 12, writes: 150 },
  { pauseMs: 30, writes: 100 },
  { pauseMs: 100, writes: 60 },
]
const ASKED = PAUSES.reduce((sum, { writes }) => sum + writes, 0)
/** Unless a contender has a number of its own. */
const STREAM = 10_000
const DIFFERING_EACH = 100
/** Until what follows a start has ended. */
const SETTLE_MS = 2000

/** The figures of one contender, in programs that end afterwards. A figure that it has no way to give is left out. */
export async function measure(contender: Contender, program: string, loader: string): Promise<Figures> {
  const { name, entries = STREAM } = contender
  const processes: ContenderProcess[] = []
  const started = (): ContenderProcess => {
    const made = new ContenderProcess(program)
    processes.push(made)
    return made
  }
  try {
    const relay =
      contender.relay === undefined ? undefined : await started().ask({ type: 'relay', name, loader, address: '' })
    const a = started()
    const opened = await a.ask({ type: 'open', name, loader, address: relay?.address ?? '' })
    const address = relay?.address ?? opened.address ?? ''
    const b = started()
    await b.ask({ type: 'open', name, loader, address })
    await delay(SETTLE_MS)
    const { rssBytes = NaN } = await a.ask({ type: 'memory' })

    const latencies = await latenciesOf(a, b)

    const arrived = b.ask({ type: 'await', prefix: 'user:', count: entries })
    const { atMs: startMs = NaN } = await a.ask({ type: 'stream', prefix: 'user:', count: entries })
    const { atMs: seenMs = NaN } = await arrived

    const late = started()
    const { startMs: openedMs = NaN } = await late.ask({ type: 'open', name, loader, address })
    const { atMs: joinedMs = NaN } = await late.ask({ type: 'size', count: entries + 2 * ASKED })
    late.end()
    return {
      ...latencies,
      streamPerSec: entries / ((seenMs - startMs) / 1000),
      joinMs: joinedMs - openedMs,
      ...(contender.heals ? await heal(a, b, entries) : {}),
      idleMegabytes: rssBytes / 1e6,
    }
  } finally {
    for (const each of processes) each.end()
  }
}

/** From a write to its change in the other program, at each pause. Both read one clock. */
async function latenciesOf(a: ContenderProcess, b: ContenderProcess): Promise<Figures> {
  const figures: Record<string, number> = {}
  for (const { pauseMs, writes: count } of PAUSES) {
    const prefix = `${pauseMs}:`
    await b.ask({ type: 'answer', prefix, count })
    const { timesMs: put = [] } = await a.ask({ type: 'ask', prefix, count, pauseMs })
    const { timesMs: seen = [] } = await b.ask({ type: 'answered' })
    const tookMs = seen.map((atMs, i) => atMs - put[i]!)
    figures[`pause${pauseMs}P50Ms`] = percentile(tookMs, 0.5)
    figures[`pause${pauseMs}P99Ms`] = percentile(tookMs, 0.99)
  }
  return figures
}

/** Both sides write while one is disconnected. From the call to reconnect until both have all. */
async function heal(a: ContenderProcess, b: ContenderProcess, entries: number): Promise<Figures> {
  await b.ask({ type: 'disconnect' })
  await delay(SETTLE_MS)
  await a.ask({ type: 'stream', prefix: 'left:', count: DIFFERING_EACH })
  await b.ask({ type: 'stream', prefix: 'right:', count: DIFFERING_EACH })
  const before = entries + 2 * ASKED + 2 * DIFFERING_EACH
  const { atMs: startMs = NaN } = await b.ask({ type: 'reconnect' })
  const ends = await Promise.all([a, b].map((each) => each.ask({ type: 'size', count: before })))
  return { healMs: Math.max(...ends.map(({ atMs = NaN }) => atMs)) - startMs }
}
