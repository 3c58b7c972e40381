import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { Row } from '../entries/entry-table.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { HELD_MAX_BYTES, HELD_ROW_COST_BYTES, HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

interface Held {
  /** Who brought it. */
  readonly from: PeerId
  readonly partition: PartitionName
  readonly row: Row
  readonly sizeBytes: number
}

/** What to do with a row, going by its date. */
export type Dated = 'apply' | 'hold' | 'refuse'

/**
 * Writes from the near future wait here for their time: one wrong clock must neither win every merge nor drag all other
 * clocks along. What does not fit is dropped, stays unseen, and comes again by anti-entropy.
 */
export class HeldRows {
  /** By dot: each is held once, however often it comes. */
  readonly #held = new Map<string, Held>()
  #bytes = 0
  #earliestHlc = Infinity

  get count(): number {
    return this.#held.size
  }

  /** Memory they take, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** Where a reading stands against the wall clock. */
  static judge(hlc: number, wallMs: number): Dated {
    if (hlc <= hlcFromWall(wallMs + HOLD_AHEAD_MS)) return 'apply'
    return hlc <= hlcFromWall(wallMs + REFUSE_AHEAD_MS) ? 'hold' : 'refuse'
  }

  hold(from: PeerId, partition: PartitionName, row: Readonly<Row>): void {
    const sizeBytes = HELD_ROW_COST_BYTES + row.key.length * 2 + (row.bytes === undefined ? 0 : row.end - row.start)
    if (this.#bytes + sizeBytes > HELD_MAX_BYTES) return
    const dot = `${row.writer} ${row.sequence} ${nameKey(partition)}`
    if (this.#held.has(dot)) return
    const bytes = row.bytes?.slice(row.start, row.end)
    this.#bytes += sizeBytes
    this.#earliestHlc = Math.min(this.#earliestHlc, row.hlc)
    this.#held.set(dot, { from, partition, row: { ...row, bytes, start: 0, end: bytes?.length ?? 0 }, sizeBytes })
  }

  /** Takes out the rows whose time has come. */
  due(wallMs: number): readonly Omit<Held, 'sizeBytes'>[] {
    if (this.#held.size === 0 || HeldRows.judge(this.#earliestHlc, wallMs) !== 'apply') return []
    const due: Held[] = []
    this.#earliestHlc = Infinity
    for (const [dot, held] of this.#held) {
      if (HeldRows.judge(held.row.hlc, wallMs) === 'apply') {
        this.#held.delete(dot)
        this.#bytes -= held.sizeBytes
        due.push(held)
      } else this.#earliestHlc = Math.min(this.#earliestHlc, held.row.hlc)
    }
    return due
  }
}
