import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Figures } from './bench.ts'
import { ForkedPeer } from './forked-peer.ts'
import { percentile } from './medians.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'

const PAUSES_MS = [0, 5, 12, 30, 100]
const WRITES = 150
const STREAM = 100_000

/** From `set` in one process to the change in the other, one write at a time, and a stream of writes. */
export const latency: Bench = {
  name: 'latency',
  summary: 'two processes over libp2p on the loopback: from a write to its change there, at every pause, and a stream',
  runsDefault: 3,
  run: (progress) =>
    withTemporaryDirectory(async (directory) => ({
      ...(await measure('memory', '', progress)),
      ...(await measure('disk', directory, progress)),
    })),
}

async function measure(name: string, directory: string, progress: (line: string) => void): Promise<Figures> {
  const writer = new ForkedPeer('writer')
  const reader = new ForkedPeer('reader')
  const place = (peer: string): string => (directory === '' ? '' : join(directory, peer))
  try {
    const { addresses } = await writer.call('open', { directory: place('writer'), join: [], secret: '' })
    await reader.call('open', { directory: place('reader'), join: addresses, secret: '' })
    await reader.call('ready', {})
    await delay(3000)
    const figures: Record<string, number> = {}
    for (const pauseMs of PAUSES_MS) {
      progress(`${name}: ${WRITES} writes, ${pauseMs} ms after the last was seen`)
      const took = await latencies(writer, reader, pauseMs)
      figures[`${name}Pause${pauseMs}P50Ms`] = percentile(took, 0.5)
      figures[`${name}Pause${pauseMs}P99Ms`] = percentile(took, 0.99)
    }
    progress(`${name}: a stream of ${STREAM} writes`)
    await reader.call('watch', { prefix: 'stream:', count: STREAM, keys: false })
    const { startMs } = await writer.call('stream', { prefix: 'stream:', count: STREAM })
    const { atMs } = await reader.call('seen', {})
    return { ...figures, [`${name}StreamPerSec`]: STREAM / ((atMs - startMs) / 1000) }
  } finally {
    await Promise.all([writer.close(), reader.close()])
  }
}

async function latencies(writer: ForkedPeer, reader: ForkedPeer, pauseMs: number): Promise<number[]> {
  const took: number[] = []
  for (let i = 0; i < WRITES; i++) {
    const prefix = `${pauseMs}-${i}:`
    await reader.call('watch', { prefix, count: 1, keys: true })
    const { times: put } = await writer.call('singles', { prefix, count: 1, gapMs: 0 })
    const { times: seen } = await reader.call('seen', {})
    for (const [key, atMs] of Object.entries(put)) took.push(seen[key]! - atMs)
    if (pauseMs > 0) await delay(pauseMs)
  }
  return took
}
