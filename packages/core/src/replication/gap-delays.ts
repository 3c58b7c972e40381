import { GAP_DELAY_MAX_MS, GAP_DELAY_MS, REMEMBERED_PEERS_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/**
 * How long a gap is given to fill by itself. A gap that sessions do not fill, because no peer has the writes or they are
 * refused here, must not cause a session for every frame: each vain try doubles the delay for the claims of that peer, and
 * of that peer alone.
 */
export class GapDelays {
  readonly #vain = new Map<PeerId, { readonly delayMs: number; readonly atMs: number }>()

  delayMs(source: PeerId, nowMs: number): number {
    const vain = this.#vain.get(source)
    return vain === undefined || nowMs - vain.atMs > 2 * GAP_DELAY_MAX_MS ? GAP_DELAY_MS : vain.delayMs
  }

  /** A session that was wanted because of what this peer claims is over. */
  sessionEnded(source: PeerId, useful: boolean, nowMs: number): void {
    const delayMs = Math.min(this.delayMs(source, nowMs) * 2, GAP_DELAY_MAX_MS)
    this.#vain.delete(source)
    if (useful) return
    this.#vain.set(source, { delayMs, atMs: nowMs })
    if (this.#vain.size > REMEMBERED_PEERS_MAX) this.#vain.delete(this.#vain.keys().next().value!)
  }
}
