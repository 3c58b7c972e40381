import { CLOCK_VOTE_MAX_AGE_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

interface Vote {
  /** The announced time less this peer's monotonic clock. */
  readonly aheadOfMonotonicMs: number
  readonly atMs: number
}

/**
 * The times that other peers have lately announced. Every step of a peer asks for the median, and an announcement comes every
 * few seconds: so the votes are kept in order, and searched only when one is old enough to expire.
 */
export class ClockVotes {
  readonly #votes = new Map<PeerId, Vote>()
  /** No vote is older. */
  #oldestMs = Infinity
  /** In ascending order; undefined after a change, until the median is asked for. */
  #sorted: Float64Array | undefined

  get size(): number {
    return this.#votes.size
  }

  has(peerId: PeerId): boolean {
    return this.#votes.has(peerId)
  }

  set(peerId: PeerId, aheadOfMonotonicMs: number, atMs: number): void {
    this.#votes.set(peerId, { aheadOfMonotonicMs, atMs })
    this.#oldestMs = Math.min(this.#oldestMs, atMs)
    this.#sorted = undefined
  }

  delete(peerId: PeerId): void {
    if (this.#votes.delete(peerId)) this.#sorted = undefined
  }

  clear(): void {
    this.#votes.clear()
    this.#oldestMs = Infinity
    this.#sorted = undefined
  }

  /** Takes out announcements that are too old. */
  expire(nowMs: number): void {
    if (nowMs - this.#oldestMs <= CLOCK_VOTE_MAX_AGE_MS) return
    this.#oldestMs = Infinity
    for (const [peerId, { atMs }] of this.#votes) {
      if (nowMs - atMs > CLOCK_VOTE_MAX_AGE_MS) this.delete(peerId)
      else this.#oldestMs = Math.min(this.#oldestMs, atMs)
    }
  }

  /** The one in the middle of all votes, and of `own` if it counts too: the smaller one of two. Undefined where there is none. */
  median(own: number | undefined): number | undefined {
    const sorted = (this.#sorted ??= Float64Array.from(this.#votes.values(), (vote) => vote.aheadOfMonotonicMs).sort())
    if (own === undefined) return sorted[(sorted.length - 1) >> 1]
    const middle = sorted.length >> 1
    const [below = -Infinity, above = Infinity] = [sorted[middle - 1], sorted[middle]]
    return Math.min(Math.max(own, below), above)
  }
}
