import type { PartitionName, Peer } from '@gossipgrid/core'
import type { Rendezvous } from '@gossipgrid/core/internals'
import { compareVersions } from './peer-state.ts'
import type { Version } from './peer-state.ts'
import { isAddWinsCode } from './simulated-collection.ts'

/** How far a copy descends from a complete history. */
export interface CopyState {
  /** The registration with which its history began. */
  readonly origin: string
  readonly whole: boolean
}

/** One machine, as a check sees it: its running peer, or one that is opened on its disk. */
export interface Witness {
  readonly peer: Peer
  /** By collection and number: what the peer says of its copies. */
  readonly copies: ReadonlyMap<string, CopyState>
  /** By collection, number and key: the latest version of the rows that owners have not confirmed to it. */
  readonly hints: ReadonlyMap<string, Version>
}

/** What a peer says of its copies. */
export function witness(peer: Peer): Witness {
  const copies = new Map<string, CopyState>()
  for (const { partitions, present, whole, collections } of (
    peer.collections.placement as Rendezvous
  ).copies.groups()) {
    for (const { name, kind, origin } of collections) {
      for (let index = 0; index < partitions; index++) {
        const bit = 1 << (index & 7)
        if ((present[index >> 3]! & bit) === 0) continue
        const key = copyKey({ collection: name, kind, partition: partitions + index })
        copies.set(key, { origin, whole: (whole[index >> 3]! & bit) !== 0 })
      }
    }
  }
  const hints = new Map<string, Version>()
  for (const { name, row } of peer.partitions.hints ?? []) {
    const key = `${copyKey(name)} ${row.key}`
    const { hlc, sequence } = row
    const removes = isRemove(name, row.bytes === undefined)
    const version = { hlc, sequence, replicaId: peer.collections.ids.id(row.writer), removes }
    const known = hints.get(key)
    if (known === undefined || compareVersions(version, known) > 0) hints.set(key, version)
  }
  return { peer, copies, hints }
}

/** The registration of a collection that counts for a peer; '' if it knows of none. */
export function originOf(peer: Peer, name: PartitionName): string {
  return (peer.collections.placement as Rendezvous).registered(name)?.origin ?? ''
}

/** The owners of a partition, as a peer sees it. */
export function ownersOf(peer: Peer, name: PartitionName): ReadonlySet<string> {
  return (peer.collections.placement as Rendezvous).owners(name) as ReadonlySet<string>
}

export function copyKey({ collection, kind, partition }: PartitionName): string {
  return `${collection} ${kind} ${partition}`
}

/** Whether a peer owns a partition, as it sees it. */
export function isOwner(peer: Peer, name: PartitionName): boolean {
  return ownersOf(peer, name).has(peer.peerId)
}

/** Whether a tombstone of a collection removes the very add that has its date. */
export function isRemove({ kind }: PartitionName, isTombstone: boolean): boolean {
  return isTombstone && isAddWinsCode(kind)
}
