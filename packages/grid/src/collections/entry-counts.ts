import { kindCode } from '@gossipgrid/core'
import type { Collections, Partition, Replica, ReportedCollection } from '@gossipgrid/core'
import { KeyCounts } from '../keyed/key-counts.ts'
import { KeyElements } from '../keyed/key-elements.ts'
import { FieldRows } from '../maps/field-rows.ts'

type Count = () => number

/** Counts the entries of collections that the application has not opened, where an entry takes several rows. */
export class EntryCounts {
  readonly #collections: Collections
  readonly #counts = new WeakMap<Replica, Count>()

  constructor(collections: Collections) {
    this.#collections = collections
  }

  /** The first call for a collection looks at all its rows; from then on their changes are counted. */
  of({ name, kind, rows }: Pick<ReportedCollection, 'name' | 'kind' | 'rows'>): number {
    if (kind !== 'fields' && kind !== 'counters' && kind !== 'sets') return rows
    const collection = this.#collections.dropped.current(name)
    const partition = this.#collections.find({ collection, kind: kindCode({ kind }), partition: 0 })
    return partition === undefined ? rows : this.#countOf(kind, partition)()
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
  const keys = kind === 'sets' ? new KeyElements(partition) : new KeyCounts(partition, '?')
  return { changed: (slot, previous) => keys.changed(slot, previous), count: () => keys.all.size }
}
