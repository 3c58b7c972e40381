import { ClockVotes } from './clock-votes.ts'
import type { Instant } from '../instant.ts'
import { CLOCK_JUMP_DEAF_MS, HOLD_AHEAD_MS, MEMBERS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/**
 * What time it is for the grid. A peer's own wall clock is believed unless most others, as their heartbeats tell, disagree
 * with it by more than a minute: then the median of all clocks counts. Where it is one word against another, the earlier
 * clock is the grid's, since a write from the future does harm and one from the past does not. A wall clock that has jumped
 * or stood still, going by the monotonic one, has no vote of its own, and its peer tells nobody what time it is, until
 * others agree with it or are in doubt like itself, as when a machine with all of them has slept. What a peer tells others
 * is the grid's time as it takes it to be.
 */
export class GridClock {
  readonly #votes = new ClockVotes()
  /** The own wall clock less the monotonic one, when last they were known to go together. */
  #ownMs: number
  /** The same at the last tick. */
  #lastMs: number
  #isSteady = true
  /** Another has been heard that is in doubt about its clock, since the own one jumped. */
  #othersDoubt = false
  /** Until then what is heard may have been said before the last jump. */
  #deafUntilMs = -Infinity
  #offsetMs = 0

  constructor(now: Instant) {
    this.#ownMs = this.#lastMs = now.wallMs - now.monotonicMs
  }

  /** Milliseconds that the wall clock is corrected by: 0 while it is believed. */
  get offsetMs(): number {
    return this.#offsetMs
  }

  /** So many others have told what time it is lately. */
  get voters(): number {
    return this.#votes.size
  }

  wallMs(now: Instant): number {
    return now.wallMs + this.#offsetMs
  }

  /** What to tell others; undefined while the own clock is in doubt: an echo of what they said would keep itself alive. */
  tells(now: Instant): number | undefined {
    return this.#isSteady ? Math.max(0, Math.floor(this.wallMs(now))) : undefined
  }

  /** Another tells what time it is; undefined where it does not know. */
  told(peerId: PeerId, wallMs: number | undefined, now: Instant): void {
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
    // One of the two clocks has jumped, as on waking: what was told before says nothing any more.
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
