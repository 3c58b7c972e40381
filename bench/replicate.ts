import { join } from 'node:path'
import type { Bench, Figures } from './bench.ts'
import { ForkedPeer } from './forked-peer.ts'
import { percentile } from './medians.ts'
import type { PeerStatus } from './peer-commands.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

const SINGLES = 500
const SINGLE_GAP_MS = 20
const AWAITED = 2000
const BURST = 100_000
/** So many keys differ on each side of the split. */
const DIFFERING_EACH = 50
/** In the form of `gossipgrid secret`, but not secret. */
const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
const SETTLED_MAX_MS = 60_000

/** Two peers that already know each other, and their directories. */
interface Pair {
  readonly writer: ForkedPeer
  readonly reader: ForkedPeer
  readonly writerId: string
  readonly addresses: readonly string[]
  readonly directory: string
  /** '' in an open grid. */
  readonly secret: string
  readonly progress: (line: string) => void
}

/** Processes that replicate over libp2p on the loopback, signed and encrypted, each with a database on disk. */
export const replicate: Bench = {
  name: 'replicate',
  summary: 'two processes over libp2p on the loopback: throughput, latency, late join, healing, bytes on the wire',
  runsDefault: 3,
  run: (progress) => withTemporaryDirectory((directory) => replicateOnce(directory, progress)),
}

async function replicateOnce(directory: string, progress: (line: string) => void): Promise<Figures> {
  const inOpenGrid = await withPair({ directory: join(directory, 'open'), secret: '', progress }, async (pair) => ({
    ...(await latency(pair)),
    ...(await awaited(pair)),
    ...(await burst(pair)),
    ...(await lateJoin(pair)),
    ...(await heal(pair)),
  }))
  const inPrivateGrid = await withPair({ directory: join(directory, 'private'), secret: SECRET, progress }, privately)
  const cpuMs = inOpenGrid.writerCpuMs! + inOpenGrid.receiverCpuMs!
  return {
    ...inOpenGrid,
    ...inPrivateGrid,
    privateCostPercent: 100 * (1 - inPrivateGrid.privateWritesPerSec! / inOpenGrid.writesPerSec!),
    privateCostCpuPercent: 100 * (inPrivateGrid.privateCpuMs! / cpuMs - 1),
  }
}

/** The same up to the burst, in a grid with a secret. */
async function privately(pair: Pair): Promise<Figures> {
  const { latencyP50Ms, latencyP99Ms } = await latency(pair)
  await awaited(pair)
  const { writesPerSec, wireBytesPerWrite, writerCpuMs, receiverCpuMs } = await burst(pair)
  return {
    privateWritesPerSec: writesPerSec!,
    privateLatencyP50Ms: latencyP50Ms!,
    privateLatencyP99Ms: latencyP99Ms!,
    privateWireBytesPerWrite: wireBytesPerWrite!,
    privateCpuMs: writerCpuMs! + receiverCpuMs!,
  }
}

async function withPair(
  options: Pick<Pair, 'directory' | 'secret' | 'progress'>,
  measure: (pair: Pair) => Promise<Figures>,
): Promise<Figures> {
  const { directory, secret } = options
  const writer = new ForkedPeer('writer', { execArgv: profiling('writer') })
  const reader = new ForkedPeer('reader', { execArgv: profiling('reader') })
  try {
    const opened = await writer.call('open', { directory: join(directory, 'writer'), join: [], secret })
    const { peerId: writerId, addresses } = opened
    await reader.call('open', { directory: join(directory, 'reader'), join: addresses, secret })
    await reader.call('ready', {})
    return await measure({ ...options, writer, reader, writerId, addresses })
  } finally {
    await Promise.all([writer.close(), reader.close()])
  }
}

/** From the call of `set` at one peer to the change being shown at the other, on one clock. */
async function latency({ writer, reader, progress }: Pair): Promise<Figures> {
  progress(`${SINGLES} single writes`)
  await reader.call('watchStalls', { on: true })
  await reader.call('watch', { prefix: 'single:', count: SINGLES, keys: true })
  const { times: put } = await writer.call('singles', { prefix: 'single:', count: SINGLES, gapMs: SINGLE_GAP_MS })
  const { times: seen } = await reader.call('seen', {})
  const took = Object.entries(put).map(([key, atMs]) => seen[key]! - atMs)
  // With so little work this is the delay of timers on this machine.
  const { maxStallMs: idleMaxStallMs } = await reader.call('status', {})
  await reader.call('watchStalls', { on: false })
  return { latencyP50Ms: percentile(took, 0.5), latencyP99Ms: percentile(took, 0.99), idleMaxStallMs }
}

async function awaited(pair: Pair): Promise<Figures> {
  const { writer, reader, progress } = pair
  progress(`${AWAITED} awaited writes`)
  await reader.call('watch', { prefix: 'awaited:', count: AWAITED, keys: false })
  const { startMs, durableMs } = await writer.call('awaited', { prefix: 'awaited:', count: AWAITED })
  await reader.call('seen', {})
  await settled(pair)
  return { awaitedWritesPerSec: AWAITED / ((durableMs - startMs) / 1000) }
}

async function burst(pair: Pair): Promise<Figures> {
  const { writer, reader, progress } = pair
  progress(`${BURST} writes at once`)
  await reader.call('watch', { prefix: 'user:', count: BURST, keys: false })
  await reader.call('watchStalls', { on: true })
  const [writerBefore, readerBefore] = await statuses(pair)
  const { startMs, calledMs, durableMs } = await writer.call('burst', { prefix: 'user:', count: BURST })
  const { atMs } = await reader.call('seen', {})
  const [writerAfter, readerAfter] = await settled(pair)
  await reader.call('watchStalls', { on: false })
  return {
    writesPerSec: BURST / ((atMs - startMs) / 1000),
    setCallsPerSec: BURST / ((calledMs - startMs) / 1000),
    durableWritesPerSec: BURST / ((durableMs - startMs) / 1000),
    wireBytesPerWrite: (writerAfter.wireBytes - writerBefore.wireBytes) / BURST,
    receiverMaxStallMs: readerAfter.maxStallMs,
    receiverMaxStallCpuMs: readerAfter.maxStallCpuMs,
    writerCpuMs: writerAfter.cpuMs - writerBefore.cpuMs,
    receiverCpuMs: readerAfter.cpuMs - readerBefore.cpuMs,
    writerRssBytes: writerAfter.rssBytes,
    receiverRssBytes: readerAfter.rssBytes,
  }
}

/** From the call of `openGrid` on an empty directory to having every entry, without the start of the program. */
async function lateJoin({ writer, addresses, directory, secret, progress }: Pair): Promise<Figures> {
  progress('a third peer joins')
  const { entries } = await writer.call('status', {})
  const joiner = new ForkedPeer('joiner', { execArgv: profiling('joiner') })
  try {
    const opened = await joiner.call('open', { directory: join(directory, 'joiner'), join: addresses, secret })
    await joiner.call('watchStalls', { on: true })
    const filled = await joiner.call('size', { count: entries })
    const { maxStallCpuMs, wireBytes, rssBytes } = await joiner.call('status', {})
    return {
      lateJoinMs: filled.atMs - opened.atMs,
      lateJoinWireBytesPerEntry: wireBytes / entries,
      lateJoinMaxStallCpuMs: maxStallCpuMs,
      lateJoinRssBytes: rssBytes,
    }
  } finally {
    await joiner.close()
  }
}

/** A split, 50 keys overwritten on each side of it, and the time from the first contact to the last of 100 changes. */
async function heal(pair: Pair): Promise<Figures> {
  const { writer, reader, writerId, progress } = pair
  progress(`a split, and ${DIFFERING_EACH} differing keys on each side`)
  await reader.call('block', { peerIds: [writerId] })
  await until('the split', { maxMs: SETTLED_MAX_MS, lookGapMs: 20 }, async () =>
    (await statuses(pair)).every(({ neighbours }) => neighbours === 0),
  )
  await writer.call('overwrite', { prefix: 'user:', first: 0, count: DIFFERING_EACH })
  await reader.call('overwrite', { prefix: 'user:', first: 50_000, count: DIFFERING_EACH })
  for (const peer of [writer, reader]) {
    await peer.call('watch', { prefix: 'user:', count: DIFFERING_EACH, keys: false })
  }
  const before = await writer.call('status', {})
  const { atMs: unblockedMs } = await reader.call('unblock', {})
  const seen = await Promise.all([writer.call('seen', {}), reader.call('seen', {})])
  const after = await settled(pair)
  const healedMs = Math.max(...seen.map(({ atMs }) => atMs))
  return {
    healMs: healedMs - Math.min(...after.map(({ connectedAtMs }) => connectedAtMs)),
    healFromUnblockMs: healedMs - unblockedMs,
    healBytes: after[0].wireBytes - before.wireBytes,
  }
}

async function statuses({ writer, reader }: Pair): Promise<[PeerStatus, PeerStatus]> {
  return Promise.all([writer.call('status', {}), reader.call('status', {})])
}

/**
 * Waits until both have the same entries and nothing is in flight, so that the effects of one figure are over before
 * the next.
 */
async function settled(pair: Pair): Promise<[PeerStatus, PeerStatus]> {
  let found: [PeerStatus, PeerStatus] | undefined
  await until('both peers to be equal', { maxMs: SETTLED_MAX_MS, lookGapMs: 20 }, async () => {
    found = await statuses(pair)
    const busy = found.some((peer) => peer.sessions + peer.undurableBytes + peer.broadcastBytes > 0)
    return !busy && found[0].fingerprint === found[1].fingerprint
  })
  return found!
}

/** With BENCH_PROFILE set to a directory, every peer writes a profile of its processor time there. */
function profiling(name: string): string[] {
  const directory = process.env['BENCH_PROFILE']
  return directory === undefined
    ? []
    : ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}.cpuprofile`]
}
