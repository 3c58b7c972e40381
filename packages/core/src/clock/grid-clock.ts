import { ClockVotes } from './clock-votes.ts'
import type { Instant } from '../instant.ts'
import { CLOCK_JUMP_DEAF_MS, HOLD_AHEAD_MS, MEMBERS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/**
 * The time of the grid. A peer believes its own wall clock unless it is more than a minute away from the median of all
 * clocks, which heartbeats carry: then the median counts. Of two clocks the earlier one counts, since a write from the future
 * does harm and one from the past does not. A wall clock that has jumped or stood still against the monotonic one has no
 * vote, and its peer announces no time, until others agree with it or only others in doubt are left, as when a machine
 * with all of them has slept. What a peer announces is the grid's time as it sees it.
 */
export class GridClock {
  readonly #votes = new ClockVotes()
  /** The own wall clock less the monotonic one, when last they were known to go together. */
  #ownMs: number
  /** The same at the last tick. */
  #lastMs: number
  #isSteady = true
  /** Another peer has announced no time since the own clock jumped: it is in doubt too. */
  #othersDoubt = false
  /** Until then, what arrives may have been sent before the last jump. */
  #deafUntilMs = -Infinity
  #offsetMs = 0

  constructor(now: Instant) {
    this.#ownMs = this.#lastMs = now.wallMs - now.monotonicMs
  }

  /** Milliseconds that the wall clock is corrected by: 0 while it is believed. */
  get offsetMs(): number {
    return this.#offsetMs
  }

  /** Other peers that have lately announced a time. */
  get voters(): number {
    return this.#votes.size
  }

  wallMs(now: Instant): number {
    return now.wallMs + this.#offsetMs
  }

  /** What to announce; undefined while the own clock is in doubt: an echo of the time of others would keep itself alive. */
  announcedMs(now: Instant): number | undefined {
    return this.#isSteady ? Math.max(0, Math.floor(this.wallMs(now))) : undefined
  }

  /** Another peer announces a time, or undefined when its clock is in doubt. */
  record(peerId: PeerId, wallMs: number | undefined, now: Instant): void {
    if (now.monotonicMs < this.#deafUntilMs) return
    if (wallMs === undefined) {
      this.#othersDoubt = true
      return
    }
    if (!this.#votes.has(peerId) && this.#votes.size >= MEMBERS_MAX) return
    this.#votes.set(peerId, wallMs - now.monotonicMs, now.monotonicMs)
  }

  forget(peerId: PeerId): void {
    this.#votes.delete(peerId)
  }

  tick(now: Instant): void {
    const ownMs = now.wallMs - now.monotonicMs
    // One of the two clocks has jumped, as on waking: earlier announcements count no longer.
    if (Math.abs(ownMs - this.#lastMs) > HOLD_AHEAD_MS) {
      this.#votes.clear()
      this.#othersDoubt = false
      this.#deafUntilMs = now.monotonicMs + CLOCK_JUMP_DEAF_MS
    }
    this.#lastMs = ownMs
    if (this.#othersDoubt && this.#votes.size === 0) this.#ownMs = ownMs
    const steady = Math.abs(ownMs - this.#ownMs) <= HOLD_AHEAD_MS
    this.#isSteady = steady
    if (this.#votes.size === 0) {
      this.#offsetMs = 0
      return
    }
    this.#votes.expire(now.monotonicMs)
    const median = this.#votes.median(steady ? ownMs : undefined)
    const offsetMs = (median ?? ownMs) - ownMs
    this.#offsetMs = Math.abs(offsetMs) <= HOLD_AHEAD_MS ? 0 : Math.round(offsetMs)
    // A clock that the others agree with may vote again.
    if (!steady && this.#offsetMs === 0 && median !== undefined) this.#ownMs = ownMs
  }
}
