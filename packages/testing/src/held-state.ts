import type { Peer } from '@gossipgrid/core'

/** What orders the versions of one entry. */
export interface Version {
  readonly hlc: number
  readonly replicaId: string
  readonly sequence: number
}

/** Above 0 when `a` is the larger version: the order that core promises, written down a second time. */
export function compareVersions(a: Version, b: Version): number {
  if (a.hlc !== b.hlc) return a.hlc - b.hlc
  if (a.replicaId !== b.replicaId) return a.replicaId > b.replicaId ? 1 : -1
  return a.sequence - b.sequence
}

/** One entry as a peer holds it. */
export interface HeldEntry extends Version {
  readonly key: string
  /** Undefined for a tombstone. */
  readonly value: Uint8Array | undefined
  readonly replaced: number
}

/** The version a peer holds of a key, undefined when it has never heard of it. */
export function heldVersion(peer: Peer, collection: string, key: string): Version | undefined {
  const replica = peer.collections.get(collection)?.partitions[0]?.replica
  const slot = replica?.table.slotOf(key)
  if (replica === undefined || slot === undefined) return undefined
  const { table } = replica
  return {
    hlc: table.hlc(slot),
    replicaId: peer.collections.ids.id(table.replica(slot)),
    sequence: table.sequence(slot),
  }
}

/** Whether a peer's vector counts a dot as seen. */
export function hasSeen(peer: Peer, collection: string, replicaId: string, sequence: number): boolean {
  const vector = peer.collections.get(collection)?.partitions[0]?.replica.vector
  const index = peer.collections.ids.indexOf(replicaId)
  return vector !== undefined && index !== undefined && vector.has(index, sequence)
}

/** All entries of a collection, by key. */
export function heldEntries(peer: Peer, collection: string): HeldEntry[] {
  const table = peer.collections.get(collection)?.partitions[0]?.replica.table
  if (table === undefined) return []
  const entries: HeldEntry[] = []
  for (const slot of table.slots()) {
    entries.push({
      key: table.key(slot),
      hlc: table.hlc(slot),
      replicaId: peer.collections.ids.id(table.replica(slot)),
      sequence: table.sequence(slot),
      value: table.value(slot),
      replaced: table.replaced(slot),
    })
  }
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** A collection's vector as text that two peers share exactly when they have seen the same dots. */
export function heldVector(peer: Peer, collection: string): string {
  const vector = peer.collections.get(collection)?.partitions[0]?.replica.vector
  if (vector === undefined) return ''
  const seen: string[] = []
  for (let index = 0; index < peer.collections.ids.count; index++) {
    if (vector.highest(index) === 0) continue
    seen.push(`${peer.collections.ids.id(index)}:${vector.head(index)} ${vector.rangesAbove(index).join(' ')}`)
  }
  return seen.sort().join(', ')
}
