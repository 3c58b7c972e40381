import { GridError } from 'gossipgrid'
import type { PartitionedMap } from 'gossipgrid'
import type { AckedVersion, OrderedWrite, PeerWork, PeerWorked } from './peer-calls.ts'

/** On a busy machine, peers of the demo wait for each other longer than those of an application would. */
const TIMEOUT_MS = 30_000

/** Owners that must have a write on their disks before it counts: one disk may then be lost. */
const COPIES = 2

/** Carries out reads and writes of a partitioned map, all at once. */
export async function work(cities: PartitionedMap<object>, { reads, writes }: PeerWork): Promise<PeerWorked> {
  const [read, written] = await Promise.all([
    Promise.all(reads.map((key) => timedRead(cities, key))),
    Promise.all(writes.map((write) => acknowledged(cities, write))),
  ])
  return { reads: read, writes: written }
}

async function timedRead(cities: PartitionedMap<object>, key: string): Promise<PeerWorked['reads'][number]> {
  const startMs = performance.now()
  const tookMs = (): number => performance.now() - startMs
  try {
    const value = await cities.get(key, { timeoutMs: TIMEOUT_MS })
    return { outcome: value === undefined ? 'missing' : 'found', tookMs: tookMs() }
  } catch (error) {
    return { outcome: 'failed', tookMs: tookMs(), why: refusalOf(error).message }
  }
}

async function acknowledged(cities: PartitionedMap<object>, write: OrderedWrite): Promise<AckedVersion | null> {
  try {
    return await stored(cities, write)
  } catch (error) {
    refusalOf(error)
    return null
  }
}

/** Writes to a partitioned map. Resolves once enough owners have it. */
export async function stored(cities: PartitionedMap<object>, { key, value }: OrderedWrite): Promise<AckedVersion> {
  const options = { copies: COPIES, timeoutMs: TIMEOUT_MS }
  const receipt = await (value === null ? cities.delete(key, options) : cities.set(key, value, options))
  if (receipt === undefined) throw new Error(`there is no '${key}' to delete`)
  return [receipt.version.hlc, receipt.version.replicaId]
}

/** What the grid rejects is counted. Anything else is a fault of the demo. */
function refusalOf(error: unknown): GridError {
  if (error instanceof GridError) return error
  throw error
}
