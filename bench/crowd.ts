import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Figures } from './bench.ts'
import { withCompiled } from './compiled.ts'
import { ForkedPeer } from './forked-peer.ts'
import type { PeerStatus } from './peer-commands.ts'
import { withTemporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

const PEERS = 20
const WRITERS = 3
const AWAITED = 2000
const MESH_MAX_MS = 300_000
const SETTLED_MAX_MS = 60_000
/** To look costs each of the processes something. */
const LOOK_GAP_MS = 200
/** How long the full mesh is watched beside busy loops. */
const KEPT_MS = 60_000

/** Many processes on few cores: each with a database on disk. */
export const crowd: Bench = {
  name: 'crowd',
  summary: '20 processes on disk: 3 writers that await each set; and the mesh that forms beside two busy loops',
  runsDefault: 1,
  run: (progress) =>
    withCompiled('peer-program.ts', async (program) => ({
      ...(await withTemporaryDirectory((directory) => writing(program, directory, progress))),
      ...(await withTemporaryDirectory((directory) => besideBusyLoops(program, directory, progress))),
    })),
}

async function writing(program: string, directory: string, progress: (line: string) => void): Promise<Figures> {
  return withPeers(program, directory, async (peers) => {
    const meshMs = await mesh(peers)
    progress(`${PEERS} peers are connected after ${Math.round(meshMs)} ms; ${WRITERS} of them write`)
    await delay(5000)
    const before = await statuses(peers)
    const writers = peers.slice(0, WRITERS)
    const took = await Promise.all(
      writers.map((writer, i) => writer.call('awaited', { prefix: `writer${i}:`, count: AWAITED })),
    )
    await until('all to be equal', { maxMs: SETTLED_MAX_MS, lookGapMs: LOOK_GAP_MS }, async () => {
      const found = await statuses(peers)
      return found.every(
        ({ entries, fingerprint }) => entries === WRITERS * AWAITED && fingerprint === found[0]!.fingerprint,
      )
    })
    const after = await statuses(peers)
    const writes = WRITERS * AWAITED
    const perWriter = took.map(({ startMs, durableMs }) => AWAITED / ((durableMs - startMs) / 1000))
    const total = (of: (status: PeerStatus) => number): number =>
      after.reduce((sum, status, i) => sum + of(status) - of(before[i]!), 0)
    return {
      crowdMeshMs: meshMs,
      crowdWritesPerSecEach: Math.min(...perWriter),
      crowdCpuMsPerWrite: total(({ cpuMs }) => cpuMs) / writes,
      crowdStoredPerWrite: total(({ stored }) => stored) / writes,
      crowdFramesPerWrite: total(({ framesSent }) => framesSent) / writes,
    }
  })
}

async function besideBusyLoops(program: string, directory: string, progress: (line: string) => void): Promise<Figures> {
  const loops: ChildProcess[] = [0, 1].map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }))
  try {
    return await withPeers(program, directory, async (peers) => {
      const busyMeshMs = await mesh(peers)
      progress(
        `beside two busy loops ${PEERS} peers are connected after ${Math.round(busyMeshMs)} ms; they are watched`,
      )
      let fewest = Infinity
      const startMs = performance.now()
      while (performance.now() - startMs < KEPT_MS) {
        fewest = Math.min(fewest, ...(await statuses(peers)).map(({ neighbours }) => neighbours))
        await delay(1000)
      }
      return { busyMeshMs, busyFewestNeighbours: fewest }
    })
  } finally {
    for (const loop of loops) loop.kill('SIGKILL')
  }
}

/** Opens peers one after the other, each of which joins by the first, and ends them in any case. */
async function withPeers(
  program: string,
  directory: string,
  use: (peers: readonly ForkedPeer[]) => Promise<Figures>,
): Promise<Figures> {
  const peers = Array.from({ length: PEERS }, (_, i) => new ForkedPeer(`peer ${i}`, { program }))
  try {
    let addressesToJoin: readonly string[] = []
    for (const [i, peer] of peers.entries()) {
      const { addresses } = await peer.call('open', {
        directory: join(directory, String(i)),
        join: addressesToJoin,
        secret: '',
      })
      if (i === 0) addressesToJoin = addresses
    }
    return await use(peers)
  } finally {
    await Promise.all(peers.map((peer) => peer.close()))
  }
}

/** From when the last peer is open until every peer is connected to all others. */
async function mesh(peers: readonly ForkedPeer[]): Promise<number> {
  const startMs = performance.now()
  await until('a full mesh', { maxMs: MESH_MAX_MS, lookGapMs: LOOK_GAP_MS }, async () =>
    (await statuses(peers)).every(({ neighbours }) => neighbours === PEERS - 1),
  )
  return performance.now() - startMs
}

function statuses(peers: readonly ForkedPeer[]): Promise<PeerStatus[]> {
  return Promise.all(peers.map((peer) => peer.call('status', {})))
}
