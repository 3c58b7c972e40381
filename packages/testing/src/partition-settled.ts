import type { CollectionDescriptor } from '@gossipgrid/core'
import { partitionNumber } from '@gossipgrid/core/internals'
import type { Violation } from './checkers.ts'
import { hasRow } from './partition-ledger.ts'
import type { PartitionWrite } from './partition-ledger.ts'
import { copyKey, isOwner, ownersOf } from './partition-witness.ts'
import type { Witness } from './partition-witness.ts'
import { codeOf } from './simulated-collection.ts'

/** What is missing until all owners are whole and have the same. */
export function unsettled(
  witnesses: readonly Witness[],
  collections: readonly CollectionDescriptor[],
  writes: readonly PartitionWrite[],
): Violation | undefined {
  for (const { kind, name, partitions } of collections) {
    for (let index = 0; index < partitions; index++) {
      const partition = { collection: name, kind: codeOf(kind), partition: partitionNumber(partitions, index) }
      const owners = new Set(witnesses.map(({ peer }) => [...ownersOf(peer, partition)].toSorted().join()))
      if (owners.size !== 1) return `owners: peers do not agree on those of ${copyKey(partition)}`
      for (const { peer, copies } of witnesses) {
        const copy = copies.get(copyKey(partition))
        const isOwning = isOwner(peer, partition)
        if (isOwning && copy?.whole !== true) return `whole: ${peer.peerId} owns ${copyKey(partition)} and is not whole`
        if (!isOwning && copy !== undefined) return `former: ${peer.peerId} still has ${copyKey(partition)}`
      }
    }
  }
  for (const write of writes) {
    if (!write.acknowledged || write.excused) continue
    for (const { peer, copies } of witnesses) {
      if (!copies.has(copyKey(write.name)) || hasRow(peer, write)) continue
      if (write.purgedAtMs < Infinity)
        return `resurrected: ${peer.peerId} has an older '${write.key}' in ${copyKey(write.name)} than one that was purged`
      return `lost: ${peer.peerId} lacks ${write.replicaId}/${write.sequence} of '${write.key}' in ${copyKey(write.name)}`
    }
  }
  for (const { peer, hints } of witnesses) {
    if (hints.size > 0) return `hints: ${peer.peerId} has ${hints.size} that owners have not confirmed`
    for (const { peer: other } of witnesses) {
      if (peer.collections.root(other.peerId) !== other.collections.root(peer.peerId)) {
        return `diverged: ${peer.peerId} and ${other.peerId} differ in what both have`
      }
    }
  }
  return undefined
}
