import { kindCode } from '@gossipgrid/core'
import type { CollectionKind, Partition, Peer, Replica, ReportedCollection } from '@gossipgrid/core'
import { KeyCounts } from '../keyed/key-counts.ts'
import { KeyElements } from '../keyed/key-elements.ts'
import { FieldRows } from '../maps/field-rows.ts'

type Count = () => number

/** Counts the entries of collections that the application has not opened, where an entry takes several rows. */
export class EntryCounts {
  readonly #peer: Peer
  readonly #counts = new WeakMap<Replica, Count>()

  constructor(peer: Peer) {
    this.#peer = peer
  }

  /** The first call for a collection looks at all its rows; from then on their changes are counted. */
  of({ name, kind, rows }: Pick<ReportedCollection, 'name' | 'kind' | 'rows'>): number {
    if (kind !== 'fields' && kind !== 'counters' && kind !== 'sets') return rows
    const collection = this.#peer.collections.dropped.current(name)
    const partitions = this.#partitionsOf(collection, kind)
    if (partitions.length === 0) return rows
    return partitions.reduce((sum, partition) => sum + this.#countOf(kind, partition)(), 0)
  }

  /** Those that are here: of a partitioned collection, the copies of this peer. */
  #partitionsOf(collection: string, kind: CollectionKind): readonly Partition[] {
    const code = kindCode({ kind })
    const { collections, partitions } = this.#peer
    const registered = partitions.registered(collection)
    const counts = registered?.kind === kind ? [1, registered.partitions] : [1]
    return counts.flatMap((count) => collections.get(collection, code, count)?.partitions ?? [])
  }

  #countOf(kind: 'fields' | 'counters' | 'sets', partition: Partition): Count {
    const { replica } = partition
    const known = this.#counts.get(replica)
    if (known !== undefined) return known
    const { changed, count } = counting(kind, partition)
    replica.observe({ changed })
    this.#counts.set(replica, count)
    return count
  }
}

interface Counting {
  readonly changed: (slot: number, previous: Uint8Array | undefined) => void
  readonly count: Count
}

function counting(kind: 'fields' | 'counters' | 'sets', partition: Partition): Counting {
  if (kind === 'fields') {
    const objects = new FieldRows(partition, 0)
    return { changed: (slot, previous) => objects.changed(slot, previous), count: () => objects.count }
  }
  // No slot has this id: it writes nothing.
  const keys = kind === 'sets' ? new KeyElements(partition) : new KeyCounts(partition, { slotId: '?' })
  return { changed: (slot, previous) => keys.changed(slot, previous), count: () => keys.all.size }
}
