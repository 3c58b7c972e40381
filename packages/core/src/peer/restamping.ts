import { hlcFromWall } from '../clock/hlc.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../digests/lag.ts'
import { REFUSE_AHEAD_MS } from '../limits.ts'
import type { LocalWrites } from '../writes/local-writes.ts'

export interface RestampingDeps {
  readonly collections: Collections
  readonly lag: LagTable
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/** Issues own writes again that this peer's clock, while it was ahead, dated so late that other peers refuse them. */
export class Restamping {
  readonly #deps: RestampingDeps
  #count = 0

  constructor(deps: RestampingDeps) {
    this.#deps = deps
  }

  /** Own writes that were issued again since opening. */
  get count(): number {
    return this.#count
  }

  tick(now: Instant): void {
    const { collections, lag, time, writes } = this.#deps
    const believed = hlcFromWall(time.wallMs(now) + REFUSE_AHEAD_MS)
    if (time.hybridClock.last <= believed || time.gridClock.voters === 0) return
    const { index } = writes.identity
    const isTaken = ({ name }: Partition, sequence: number): boolean => lag.isSeen(name, index, sequence)
    this.#count += writes.restamp(collections.partitions(), believed, isTaken, now)
  }
}
