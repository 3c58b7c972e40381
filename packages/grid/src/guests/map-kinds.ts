import { kindCode } from '@gossipgrid/core'
import type { Partition, Peer } from '@gossipgrid/core'

const KINDS = ['map', 'fields'] as const

/** Codes of the kinds of collections that guests have: maps of whole values, and maps with fields. */
export const MAP_KINDS: readonly number[] = KINDS.map((kind) => kindCode({ kind }))

/** Opens a replicated map by the code of its kind. Throws `COLLECTION_MISMATCH`, `COLLECTION_LIMIT`. */
export function openMap(peer: Peer, name: string, code: number): Partition {
  const kind = KINDS[MAP_KINDS.indexOf(code)] ?? 'fields'
  return peer.open({ name, kind, mode: 'replicated', partitions: 1 }).partitions[0]!
}
