import { GridError, openPeer, OPENING_PREFIXES } from '@gossipgrid/core'
import type { Network, Peer, RandomSource, Role, Storage } from '@gossipgrid/core'
import { readClocks } from '../runtime/clocks.ts'

export interface StoredPeer {
  readonly name: string
  readonly storage: Storage
  readonly network: Network
  readonly software: string
  /** What the store itself lost, or '' : it costs the replica id. */
  readonly storageLoss: string
  readonly role?: Role | undefined
  readonly weight?: number | undefined
  readonly zone?: string | undefined
}

/** Reads what the store holds into a peer. */
export async function loadPeer(parts: StoredPeer): Promise<Peer> {
  const { storage, network } = parts
  const opening = openPeer({
    peerId: network.peerId,
    gridName: parts.name,
    random: systemRandom,
    persistent: storage.persistent,
    software: parts.software,
    ...(parts.role === undefined ? {} : { role: parts.role }),
    ...(parts.weight === undefined ? {} : { weight: parts.weight }),
    ...(parts.zone === undefined ? {} : { zone: parts.zone }),
  })
  if (parts.storageLoss !== '') opening.lost(parts.storageLoss)
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
  return opening.finish(readClocks())
}

const systemRandom: RandomSource = {
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
}
