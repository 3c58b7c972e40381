import { expiryOf, hasHeader, payloadOf } from '@gossipgrid/core'
import type { Partition, Row } from '@gossipgrid/core'
import type { Content, EntrySource } from './entry-source.ts'

export interface SlotEntriesDeps {
  readonly partition: Partition
  readonly wallMs: () => number
  /** Removes and reports what has expired. */
  readonly refresh: () => void
  /** Whether an entry is not valid by the map's schema. */
  readonly isHidden: (key: string) => boolean
}

/** The entries of a map that stores each as one row. The number of an entry is its slot. */
export class SlotEntries implements EntrySource {
  readonly #deps: SlotEntriesDeps
  readonly #row: Row = { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }

  constructor(deps: SlotEntriesDeps) {
    this.#deps = deps
  }

  get span(): number {
    return this.#deps.partition.replica.table.slotCount
  }

  key(entry: number): string {
    return this.#deps.partition.replica.table.key(entry)
  }

  find(key: string): number | undefined {
    return this.#deps.partition.replica.table.slotOf(key)
  }

  read(entry: number, into: Content): boolean {
    const { table } = this.#deps.partition.replica
    if (table.isFree(entry) || table.deleted(entry)) return false
    const row = this.#row
    table.read(entry, row)
    const bytes = row.bytes!
    if (!hasHeader(bytes, row.start, row.end)) {
      into.bytes = bytes
      into.start = row.start
      into.end = row.end
      return true
    }
    if (expiryOf(bytes, row.start, row.end) <= this.#deps.wallMs()) return false
    into.bytes = payloadOf(bytes.subarray(row.start, row.end))
    into.start = 0
    into.end = into.bytes.length
    return true
  }

  isHidden(entry: number): boolean {
    return this.#deps.isHidden(this.key(entry))
  }

  observe(changed: (entry: number) => void): () => void {
    return this.#deps.partition.replica.observe({ changedSlot: changed })
  }

  refresh(): void {
    this.#deps.refresh()
  }
}
