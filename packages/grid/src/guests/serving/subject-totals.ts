import { isSwept } from '@gossipgrid/core'
import type { Collections, Partition, Replica } from '@gossipgrid/core'
import { mapsOf, prefixesOf } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { SUBJECT_ENTRIES_MAX, SUBJECT_TOTAL_MAX_BYTES } from '../guest-limits.ts'
import type { GuestsOptions } from '../guest-options.ts'
import { mapPartition } from './guest-reads.ts'
import { PrefixTotals, sizeOf } from './prefix-totals.ts'
import type { Total } from './prefix-totals.ts'

/**
 * How much lies under the keys that grants allow to write. Rows of others count too. It is the same at all members that have the same
 * rows, and what has expired does not count.
 */
export class SubjectTotals {
  readonly #collections: () => Collections
  readonly #rowsMax: number
  readonly #bytesMax: number
  readonly #maps = new WeakMap<Replica, PrefixTotals>()

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

  /** Whether what lies under the keys that these grants allow to write is known. */
  knows(grants: readonly Grant[]): boolean {
    return this.#parts(grants).every(({ prefix, totals }) => totals.of(prefix) !== undefined)
  }

  /** Counts it, in turns of the event loop. What subjects ask for at about the same time is counted together. */
  async count(grants: readonly Grant[]): Promise<void> {
    const unknown = this.#parts(grants).filter(({ prefix, totals }) => totals.of(prefix) === undefined)
    await Promise.all(unknown.map(({ prefix, totals }) => totals.count(prefix)))
  }

  /** What lies under the keys that these grants allow to write. A map that was opened a moment ago is counted at once. */
  of(grants: readonly Grant[]): Readonly<Total> {
    const sum: Total = { rows: 0, bytes: 0 }
    for (const { prefix, totals } of this.#parts(grants)) {
      const { bytes, rows } = totals.of(prefix) ?? totals.countNow(prefix)
      sum.rows += rows
      sum.bytes += bytes
    }
    return sum
  }

  #parts(grants: readonly Grant[]): { readonly prefix: string; readonly totals: PrefixTotals }[] {
    return mapsOf(grants).flatMap((map) => {
      const prefixes = prefixesOf(grants, 'write', map)
      const partition = prefixes.length === 0 ? undefined : mapPartition(this.#collections(), map)
      if (partition === undefined) return []
      const totals = this.#totalsOf(partition)
      return prefixes.map((prefix) => ({ prefix, totals }))
    })
  }

  #totalsOf(partition: Partition): PrefixTotals {
    const { replica } = partition
    const known = this.#maps.get(replica)
    if (known !== undefined) return known
    const totals = new PrefixTotals(partition)
    this.#maps.set(replica, totals)
    return totals
  }
}
