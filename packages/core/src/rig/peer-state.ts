import { hashHex } from '../bytes/hash.ts'
import type { Peer } from '../peer/peer.ts'
import type { Partition } from '../replica/collections.ts'

/** The partition of a replicated map. */
export function partitionOf(peer: Peer, collection = 'users'): Partition {
  return peer.open({ name: collection, kind: 'map', mode: 'replicated', partitions: 1 }).partitions[0]!
}

/** Whether a peer claims to have seen a write of another that is neither there nor superseded by what is. */
export function claimsFalsely(peer: Peer, source: Peer, collection = 'users'): boolean {
  const truth = partitionOf(source, collection).replica
  const stored = partitionOf(peer, collection).replica
  for (const slot of truth.table.slots()) {
    const id = peer.collections.ids.indexOf(source.collections.ids.id(truth.table.writer(slot)))
    if (id === undefined || !stored.vector.has(id, truth.table.sequence(slot))) continue
    const here = stored.table.slotOf(truth.table.key(slot))
    if (here === undefined || stored.table.hlc(here) < truth.table.hlc(slot)) return true
  }
  return false
}

/** Everything in which two peers that have seen the same writes must be equal, in words that a failed test can show. */
export function stateOf(peer: Peer): unknown {
  const { ids } = peer.collections
  const collections: Record<string, unknown> = {}
  for (const { name, replica } of peer.collections.partitions()) {
    const { table, vector } = replica
    if (table.slotCount === 0) continue
    const entries = [...table.slots()].map((slot) => {
      const row = replica.row(slot)
      const value = row.bytes?.slice(row.start, row.end).join()
      return `${row.key} ${row.hlc} ${ids.id(row.writer)} ${row.sequence} ${row.replaced} ${value}`
    })
    const seen = [...vector.writers()].map((id) => {
      return `${ids.id(id)} ${[vector.head(id), ...vector.rangesAbove(id)].join()}`
    })
    const print = hashHex(replica.fingerprint)
    const key = name.partition === 0 ? name.collection : `${name.collection} ${name.partition}`
    collections[key] = { entries: entries.toSorted(), seen: seen.toSorted(), print }
  }
  return collections
}
