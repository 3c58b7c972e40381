import { GridClock } from './grid-clock.ts'
import type { HybridClock } from './hlc.ts'
import type { Instant } from '../instant.ts'

/** The two clocks of a peer: the grid's time, which judges dates, and the hybrid logical clock, which dates writes. */
export class Timekeeping {
  readonly gridClock: GridClock
  readonly hybridClock: HybridClock

  constructor(hybridClock: HybridClock, now: Instant) {
    this.hybridClock = hybridClock
    this.gridClock = new GridClock(now)
  }

  /** The grid's time in wall milliseconds, as this peer sees it. */
  wallMs(now: Instant): number {
    return this.gridClock.wallMs(now)
  }

  /** The HLC timestamp of a write made now: larger than every one seen before. */
  nextHlc(now: Instant): number {
    return this.hybridClock.tick(this.wallMs(now))
  }

  tick(now: Instant): void {
    this.gridClock.tick(now)
  }
}
