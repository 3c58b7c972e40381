import type { PeerId } from '../ports.ts'
import { REMEMBERED_PEERS_MAX } from '../limits.ts'

/** What each peer may use of something: so much at once, and then so much per second. */
export class Allowances {
  readonly #burst: number
  readonly #perSecond: number
  readonly #used = new Map<PeerId, { readonly left: number; readonly atMs: number }>()

  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perSecond = perSecond
  }

  /** What the peer may use now, a whole number. */
  left(peerId: PeerId, nowMs: number): number {
    const used = this.#used.get(peerId)
    if (used === undefined) return this.#burst
    return Math.min(this.#burst, Math.floor(used.left + ((nowMs - used.atMs) / 1000) * this.#perSecond))
  }

  /** Uses so much; false, with nothing used, when the peer has less left. */
  take(peerId: PeerId, amount: number, nowMs: number): boolean {
    const left = this.left(peerId, nowMs)
    if (amount > left) return false
    // Nothing used leaves no trace, so that fractions add up.
    if (amount === 0) return true
    this.#used.delete(peerId)
    this.#used.set(peerId, { left: left - amount, atMs: nowMs })
    if (this.#used.size > REMEMBERED_PEERS_MAX) this.#used.delete(this.#used.keys().next().value!)
    return true
  }
}
