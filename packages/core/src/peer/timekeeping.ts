import type { Collections, Partition } from '../replica/collections.ts'
import { GridClock } from '../clock/grid-clock.ts'
import { hlcFromWall } from '../clock/hlc.ts'
import type { HybridClock } from '../clock/hlc.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../replication/lag.ts'
import { REFUSE_AHEAD_MS } from '../limits.ts'
import type { LocalWrites } from '../writes/local-writes.ts'

export interface TimekeepingOwner {
  readonly collections: Collections
  readonly clock: HybridClock
  readonly lag: LagTable
  readonly writes: () => LocalWrites
}

/** What hangs on the time of day: which clock is believed, which own writes must be dated anew, what has expired. */
export class Timekeeping {
  readonly gridClock: GridClock
  readonly #owner: TimekeepingOwner
  #restamped = 0
  #wakeAtMs = Infinity

  constructor(owner: TimekeepingOwner, now: Instant) {
    this.#owner = owner
    this.gridClock = new GridClock(now)
  }

  /** Own writes that were dated anew since opening, because this peer's clock was ahead. */
  get restamped(): number {
    return this.#restamped
  }

  /** Monotonic milliseconds at which the next entry expires. */
  get wakeAtMs(): number {
    return this.#wakeAtMs
  }

  wallMs(now: Instant): number {
    return this.gridClock.wallMs(now)
  }

  tick(now: Instant): void {
    this.gridClock.tick(now)
    this.#restamp(now)
    const { expiries } = this.#owner.collections
    const wallMs = this.wallMs(now)
    expiries.sweep(wallMs)
    this.#wakeAtMs = now.monotonicMs + Math.max(0, expiries.nextMs - wallMs)
  }

  #restamp(now: Instant): void {
    const { clock, collections, lag, writes } = this.#owner
    const believed = hlcFromWall(this.wallMs(now) + REFUSE_AHEAD_MS)
    if (clock.last <= believed || this.gridClock.voters === 0) return
    const { index } = writes().identity
    const isTaken = ({ name }: Partition, sequence: number): boolean => lag.isSeen(name, index, sequence)
    this.#restamped += writes().restamp(collections.partitions(), believed, isTaken, now)
  }
}
