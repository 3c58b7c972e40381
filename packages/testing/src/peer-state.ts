import { expiryOf, payloadOf } from '@gossipgrid/core'
import type { Partition, Peer, Replica } from '@gossipgrid/core'
import { addWins } from './simulated-collection.ts'
import type { SimulatedCollection } from './simulated-collection.ts'

/** What orders the versions of one entry. */
export interface Version {
  readonly hlc: number
  readonly replicaId: string
  readonly sequence: number
  /** A remove from a set, which bears the HLC reading of the add that it removes. */
  readonly removes: boolean
}

/** Above 0 when `a` is the larger version: the order that core promises, written down a second time. */
export function compareVersions(a: Version, b: Version): number {
  if (a.hlc !== b.hlc) return a.hlc - b.hlc
  if (a.removes !== b.removes) return a.removes ? 1 : -1
  if (a.replicaId !== b.replicaId) return a.replicaId > b.replicaId ? 1 : -1
  return a.sequence - b.sequence
}

/** One entry as a peer holds it. */
export interface StoredEntry extends Version {
  readonly key: string
  /** Undefined for a tombstone. */
  readonly value: Uint8Array | undefined
  readonly replaced: number
}

/** The collection's only partition at a peer. */
export function partitionOf(peer: Peer, { name, code }: SimulatedCollection): Partition | undefined {
  return peer.collections.get(name, code)?.partitions[0]
}

/** Whether a peer is to hold a collection, going by its placement. */
export function isHolder(peer: Peer, { name, code }: SimulatedCollection): boolean {
  return peer.collections.placement.holds({ collection: name, kind: code, partition: 0 })
}

/** The version a peer holds of a key, undefined when it has never heard of it, or has purged it. */
export function versionOf(peer: Peer, collection: SimulatedCollection, key: string): Version | undefined {
  const replica = partitionOf(peer, collection)?.replica
  const slot = replica?.table.slotOf(key)
  if (replica === undefined || slot === undefined) return undefined
  return versionAt(peer, collection, replica, slot)
}

/** Whether a peer's vector counts a dot as seen. */
export function hasSeen(peer: Peer, collection: SimulatedCollection, replicaId: string, sequence: number): boolean {
  const vector = partitionOf(peer, collection)?.replica.vector
  const index = peer.collections.ids.indexOf(replicaId)
  return vector !== undefined && index !== undefined && vector.has(index, sequence)
}

/** All entries of a collection, by key. */
export function entriesOf(peer: Peer, collection: SimulatedCollection): StoredEntry[] {
  const replica = partitionOf(peer, collection)?.replica
  if (replica === undefined) return []
  const { table } = replica
  const entries: StoredEntry[] = []
  for (const slot of table.slots()) {
    entries.push({
      key: table.key(slot),
      ...versionAt(peer, collection, replica, slot),
      value: table.value(slot),
      replaced: table.replaced(slot),
    })
  }
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** A collection's vector as text that two peers share exactly when they have seen the same dots. */
export function vectorText(peer: Peer, collection: SimulatedCollection): string {
  const replica = partitionOf(peer, collection)?.replica
  if (replica === undefined) return ''
  const { vector, floor } = replica
  const { ids } = peer.collections
  const seen = new Map<string, string>()
  // Replica ids that rest below the purge floor need no number here.
  for (const { replicaId, head, ranges } of floor.entries()) seen.set(replicaId, `${head} ${ranges.join(' ')}`)
  for (let index = 0; index < ids.count; index++) {
    if (vector.highest(index) === 0) continue
    seen.set(ids.id(index), `${vector.head(index)} ${vector.rangesAbove(index).join(' ')}`)
  }
  const text = Array.from(seen, ([replicaId, dots]) => `${replicaId}:${dots}`)
  return text.sort().join(', ')
}

/** Two values are the same, byte for byte; of one that expires a peer may have dropped all but its date. */
export function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (isSwept(a) !== isSwept(b)) return expiryOf(a) === expiryOf(b)
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The entry has expired, and only its date is left: the payload is CBOR's `undefined`. */
function isSwept(value: Uint8Array): boolean {
  if (expiryOf(value) === Infinity) return false
  const payload = payloadOf(value)
  return payload.length === 1 && payload[0] === 0xf7
}

/** The version that a slot holds. */
export function versionAt(peer: Peer, collection: SimulatedCollection, { table }: Replica, slot: number): Version {
  return {
    hlc: table.hlc(slot),
    replicaId: peer.collections.ids.id(table.writer(slot)),
    sequence: table.sequence(slot),
    removes: addWins(collection) && table.deleted(slot),
  }
}
