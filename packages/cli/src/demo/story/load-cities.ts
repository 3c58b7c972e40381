import type { Cluster } from '../cluster/cluster.ts'
import type { DemoLedger } from './ledger.ts'

export interface LoadOptions {
  readonly cluster: Cluster
  readonly ledger: DemoLedger
  readonly cities: ReadonlyMap<string, object>
  /** The peers that write, by number. Each has one batch under way; named twice, two. */
  readonly peers: readonly number[]
  readonly batchWrites: number
}

/** Writes all cities. Resolves once each is acknowledged. */
export async function loadCities({ cluster, ledger, cities, peers, batchWrites }: LoadOptions): Promise<void> {
  const writes = Array.from(cities, ([key, value]) => ({ key, value }))
  let next = 0
  const writeBatches = async (peer: number): Promise<void> => {
    while (next < writes.length) {
      const batch = writes.slice(next, next + batchWrites)
      next += batch.length
      const versions = await cluster.ask(peer, 'write', batch)
      batch.forEach((write, i) => ledger.acknowledge({ ...write, peer, version: versions[i]! }))
    }
  }
  await Promise.all(peers.map(writeBatches))
}
