import { GridError, HINT_PREFIX, OPENING_PREFIXES, openPeer, partitions } from '@gossipgrid/core'
import type { Network, Peer, RandomSource, Role, Storage } from '@gossipgrid/core'
import { onlyDefined } from '../only-defined.ts'
import { readClocks } from '../runtime/clocks.ts'

export interface StoredPeer {
  readonly name: string
  readonly storage: Storage
  readonly network: Network
  readonly software: string
  /** What the store has lost, or ''. If it lost something, the peer takes a new replica id. */
  readonly storageLoss: string
  readonly role?: Role | undefined
  readonly weight?: number | undefined
  readonly zone?: string | undefined
  /** Reads the wall clock in milliseconds instead of `Date.now`. For tests. */
  readonly readWallMs?: (() => number) | undefined
  /** There are addresses to join, so a peer without neighbours waits, and is not alone. */
  readonly joining: boolean
}

/** Makes a peer from the data in its store. */
export async function loadPeer(deps: StoredPeer): Promise<Peer> {
  const { storage, network, joining, role = 'storage' } = deps
  // What was written to partitions in an earlier life is still to be delivered.
  if (partitions.code === undefined && (await storage.list(HINT_PREFIX)).length > 0)
    await partitions.load().catch(() => undefined)
  const ownsInMemory = role === 'storage'
  const opening = openPeer({
    direct: true,
    peerId: network.peerId,
    gridName: deps.name,
    random: systemRandom,
    persistent: storage.persistent,
    software: deps.software,
    partitioning: partitions.code?.partitioning({ joins: joining, ownsInMemory }) ?? 'later',
    ...onlyDefined({ role: deps.role, weight: deps.weight, zone: deps.zone }),
  })
  if (deps.storageLoss !== '') opening.lost(deps.storageLoss)
  for (const prefix of OPENING_PREFIXES) {
    for (const key of await storage.list(prefix)) {
      try {
        opening.offer(key, await storage.read(key))
      } catch (error) {
        if (!(error instanceof GridError) || error.code !== 'STORAGE_DAMAGED') throw error
        opening.offer(key, undefined, error.message)
      }
    }
  }
  return opening.finish(readClocks(deps.readWallMs))
}

const systemRandom: RandomSource = {
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
}
