import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { withOwnBytes } from '../entries/entry-table.ts'
import type { Row } from '../entries/entry-table.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import { QUARANTINE_MAX_BYTES, QUARANTINED_ROW_COST_BYTES, HOLD_AHEAD_MS, REFUSE_AHEAD_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

interface Quarantined {
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
export class Quarantine {
  /** By dot: a row that arrives again is stored once. */
  readonly #rows = new Map<string, Quarantined>()
  #bytes = 0
  #earliestHlc = Infinity

  get count(): number {
    return this.#rows.size
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
    const sizeBytes =
      QUARANTINED_ROW_COST_BYTES + row.key.length * 2 + (row.bytes === undefined ? 0 : row.end - row.start)
    if (this.#bytes + sizeBytes > QUARANTINE_MAX_BYTES) return
    const dot = `${row.writer} ${row.sequence} ${nameKey(partition)}`
    if (this.#rows.has(dot)) return
    this.#bytes += sizeBytes
    this.#earliestHlc = Math.min(this.#earliestHlc, row.hlc)
    this.#rows.set(dot, { from, partition, row: withOwnBytes(row), sizeBytes })
  }

  /** Takes out the rows whose time has come. */
  due(wallMs: number): readonly Omit<Quarantined, 'sizeBytes'>[] {
    if (this.#rows.size === 0 || Quarantine.judge(this.#earliestHlc, wallMs) !== 'apply') return []
    const due: Quarantined[] = []
    this.#earliestHlc = Infinity
    for (const [dot, quarantined] of this.#rows) {
      if (Quarantine.judge(quarantined.row.hlc, wallMs) === 'apply') {
        this.#rows.delete(dot)
        this.#bytes -= quarantined.sizeBytes
        due.push(quarantined)
      } else this.#earliestHlc = Math.min(this.#earliestHlc, quarantined.row.hlc)
    }
    return due
  }
}
