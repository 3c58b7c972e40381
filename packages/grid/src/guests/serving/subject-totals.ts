import { isSwept } from '@gossipgrid/core'
import type { Collections, Partition, Replica } from '@gossipgrid/core'
import { mapsOf, prefixesOf } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { grantKeyOf } from '../map-kinds.ts'
import { KEPT_TOTALS_MAX, SUBJECT_ENTRIES_MAX, SUBJECT_TOTAL_MAX_BYTES } from '../guest-limits.ts'
import type { GuestsOptions } from './guest-options.ts'
import { mapPartition } from './guest-reads.ts'

/** Rows, and bytes of their keys and values. */
interface Total {
  rows: number
  bytes: number
}

/**
 * How much lies under the keys that grants allow to write. Rows of others count too. It is the same at all members that have the same
 * rows, and what has expired does not count. It is counted once, and then follows the changes.
 */
export class SubjectTotals {
  readonly #collections: () => Collections
  readonly #rowsMax: number
  readonly #bytesMax: number
  readonly #maps = new WeakMap<Replica, MapTotals>()

  constructor(
    collections: () => Collections,
    { bytesMax = SUBJECT_TOTAL_MAX_BYTES, entriesMax = SUBJECT_ENTRIES_MAX }: GuestsOptions['quotas'] = {},
  ) {
    this.#collections = collections
    this.#rowsMax = entriesMax
    this.#bytesMax = bytesMax
  }

  /** Why a row must not be written under these grants; undefined if it may. What makes nothing larger is always allowed. */
  refusal(
    grants: readonly Grant[],
    { name, replica }: Partition,
    rowKey: string,
    bytes: Uint8Array | undefined,
  ): string | undefined {
    const { table } = replica
    const slot = table.slotOf(rowKey)
    const before = slot === undefined || table.deleted(slot) ? 0 : sizeOf(rowKey, table.valueLength(slot))
    const after = bytes === undefined || isSwept(bytes, 0, bytes.length) ? 0 : sizeOf(rowKey, bytes.length)
    if (after <= before) return undefined
    const total = this.of(grants)
    if (before === 0 && total.rows >= this.#rowsMax)
      return `${total.rows} entries lie under what the pass allows to write to '${name.collection}' and other collections: the limit is ${this.#rowsMax}`
    if (total.bytes + after - before > this.#bytesMax)
      return `${total.bytes} bytes lie under what the pass allows to write to '${name.collection}' and other collections: the limit is ${this.#bytesMax}`
    return undefined
  }

  /** What lies under the keys that these grants allow to write. */
  of(grants: readonly Grant[]): Readonly<Total> {
    const sum: Total = { rows: 0, bytes: 0 }
    for (const map of mapsOf(grants)) {
      const prefixes = prefixesOf(grants, 'write', map)
      const partition = prefixes.length === 0 ? undefined : mapPartition(this.#collections(), map)
      if (partition === undefined) continue
      const totals = this.#totalsOf(partition)
      for (const prefix of prefixes) {
        const { bytes, rows } = totals.of(prefix)
        sum.rows += rows
        sum.bytes += bytes
      }
    }
    return sum
  }

  #totalsOf(partition: Partition): MapTotals {
    const { replica } = partition
    const known = this.#maps.get(replica)
    if (known !== undefined) return known
    const totals = new MapTotals(partition)
    this.#maps.set(replica, totals)
    return totals
  }
}

/** The totals of one map, by what its keys begin with. */
class MapTotals {
  readonly #partition: Partition
  /** The one that was used last is at the end. */
  readonly #totals = new Map<string, Total>()
  #lengths: readonly number[] = []

  constructor(partition: Partition) {
    this.#partition = partition
    partition.replica.observe({ changed: (slot, previous) => this.#changed(slot, previous) })
  }

  of(prefix: string): Readonly<Total> {
    const known = this.#totals.get(prefix)
    const total = known ?? this.#counted(prefix)
    this.#totals.delete(prefix)
    this.#totals.set(prefix, total)
    if (known !== undefined) return total
    if (this.#totals.size > KEPT_TOTALS_MAX) this.#totals.delete(this.#totals.keys().next().value!)
    this.#lengths = [...new Set(Array.from(this.#totals.keys(), ({ length }) => length))]
    return total
  }

  #counted(prefix: string): Total {
    const { name, replica } = this.#partition
    const { table } = replica
    const total = { rows: 0, bytes: 0 }
    for (const slot of table.slots()) {
      const rowKey = table.key(slot)
      if (table.deleted(slot) || !grantKeyOf(name.kind, rowKey).startsWith(prefix)) continue
      total.rows += 1
      total.bytes += sizeOf(rowKey, table.valueLength(slot))
    }
    return total
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { name, replica } = this.#partition
    const { table } = replica
    const rowKey = table.key(slot)
    const wasThere = previous !== undefined && !isSwept(previous, 0, previous.length)
    const isThere = !table.deleted(slot)
    const before = wasThere ? sizeOf(rowKey, previous.length) : 0
    const after = isThere ? sizeOf(rowKey, table.valueLength(slot)) : 0
    const key = grantKeyOf(name.kind, rowKey)
    for (const length of this.#lengths) {
      const total = length > key.length ? undefined : this.#totals.get(key.slice(0, length))
      if (total === undefined) continue
      total.rows += (isThere ? 1 : 0) - (wasThere ? 1 : 0)
      total.bytes += after - before
    }
  }
}

/** Keys count with their text in UTF-8. */
function sizeOf(rowKey: string, valueBytes: number): number {
  return Buffer.byteLength(rowKey) + valueBytes
}
