import type { PartitionName } from './block.ts'
import type { Row } from './entry-table.ts'
import { hlcFromWall } from './hlc.ts'
import { HELD_MAX_BYTES, HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from './limits.ts'

interface Held {
  readonly partition: PartitionName
  readonly row: Row
}

/** What to do with a row, going by its date. */
export type Dated = 'apply' | 'hold' | 'refuse'

/**
 * Writes from the near future wait here for their time: one wrong clock must neither win every merge nor drag all other
 * clocks along. What does not fit is dropped, stays unseen, and comes again by anti-entropy.
 */
export class HeldRows {
  #held: Held[] = []
  #bytes = 0

  get count(): number {
    return this.#held.length
  }

  /** Where a reading stands against the wall clock. */
  static judge(hlc: number, wallMs: number): Dated {
    if (hlc <= hlcFromWall(wallMs + HOLD_AHEAD_MS)) return 'apply'
    return hlc <= hlcFromWall(wallMs + REFUSE_AHEAD_MS) ? 'hold' : 'refuse'
  }

  hold(partition: PartitionName, row: Readonly<Row>): void {
    const bytes = row.bytes?.slice(row.start, row.end)
    const sizeBytes = row.key.length * 2 + (bytes?.length ?? 0) + 64
    if (this.#bytes + sizeBytes > HELD_MAX_BYTES) return
    const same = (held: Held): boolean => held.row.replica === row.replica && held.row.sequence === row.sequence
    if (this.#held.some((held) => held.partition.collection === partition.collection && same(held))) return
    this.#bytes += sizeBytes
    this.#held.push({ partition, row: { ...row, bytes, start: 0, end: bytes?.length ?? 0 } })
  }

  /** Takes out the rows whose time has come. */
  due(wallMs: number): readonly { readonly partition: PartitionName; readonly row: Row }[] {
    if (this.#held.length === 0) return []
    const due = this.#held.filter((held) => HeldRows.judge(held.row.hlc, wallMs) === 'apply')
    if (due.length === 0) return due
    this.#held = this.#held.filter((held) => !due.includes(held))
    this.#bytes = this.#held.length === 0 ? 0 : this.#bytes
    return due
  }
}
