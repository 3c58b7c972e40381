import { DOCUMENTS, kindCode } from '@gossipgrid/core'
import type { Partition, PartitionName, Peer } from '@gossipgrid/core'
import { DOCUMENT_ROWS } from './covering.ts'

const KINDS = ['map', 'fields'] as const

/** Codes of the kinds of collections that guests have: maps of whole values, and maps with fields. */
export const MAP_KINDS: readonly number[] = KINDS.map((kind) => kindCode({ kind }))

/** Code of the kind of the collection of the rows of documents. */
export const DOCUMENT_KIND: number = kindCode(DOCUMENTS)

/** Whether guests have a collection of this name and kind. */
export function isGuestKind(name: string, kind: number): boolean {
  return name === DOCUMENT_ROWS ? kind === DOCUMENT_KIND : MAP_KINDS.includes(kind)
}

/** What guests and members call a collection. */
export function guestNameOf({ collection, kind }: PartitionName): string {
  return kind === DOCUMENT_KIND ? DOCUMENT_ROWS : collection
}

/** Opens a replicated map by the code of its kind, or the rows of documents. Throws `COLLECTION_MISMATCH`, `COLLECTION_LIMIT`. */
export function openMap(peer: Peer, name: string, code: number): Partition {
  if (name === DOCUMENT_ROWS) return peer.collections.internal(DOCUMENTS)
  const kind = KINDS[MAP_KINDS.indexOf(code)] ?? 'fields'
  return peer.open({ name, kind, mode: 'replicated', partitions: 1 }).partitions[0]!
}
