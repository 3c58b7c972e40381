import type { PeerId } from '@gossipgrid/core'
import { LATE_MS } from './silence-watch.ts'

export interface DeafWatchDeps {
  readonly self: PeerId
  /** Whether gossip with a neighbour fails now. */
  readonly isDeaf: (peerId: PeerId) => boolean
  readonly deafAfterMs: number
}

/** Two neighbours are redialled with so many times `deafAfterMs` between: on a busy machine gossip is slow to start with all of them. */
const REDIAL_GAPS = 2

/** Finds neighbours that stay connected while gossip with them fails: redialling mends that. */
export class DeafWatch {
  readonly #deps: DeafWatchDeps
  readonly #sinceMs = new Map<PeerId, number>()
  #lookedAtMs = Infinity
  #redialledAtMs = -Infinity

  constructor(deps: DeafWatchDeps) {
    this.#deps = deps
  }

  /** How long gossip with a neighbour has failed, once this side has to redial it. To be asked regularly. */
  redialAfterMs(peerId: PeerId, nowMs: number): number | undefined {
    const { self, isDeaf, deafAfterMs } = this.#deps
    this.#forgivePause(nowMs)
    if (!isDeaf(peerId)) {
      this.#sinceMs.delete(peerId)
      return undefined
    }
    const sinceMs = this.#sinceMs.get(peerId) ?? nowMs
    this.#sinceMs.set(peerId, sinceMs)
    // One of the two sides is enough, so the other waits longer.
    const limitMs = deafAfterMs * (self < peerId ? 1 : 1.5)
    const isDue = nowMs - sinceMs >= limitMs && nowMs - this.#redialledAtMs >= REDIAL_GAPS * deafAfterMs
    if (!isDue) return undefined
    this.#redialledAtMs = nowMs
    return nowMs - sinceMs
  }

  /** A look that comes late says that this process had no time to answer: that time does not count. */
  #forgivePause(nowMs: number): void {
    const pausedMs = nowMs - this.#lookedAtMs - LATE_MS
    this.#lookedAtMs = nowMs
    if (pausedMs <= 0) return
    for (const [peerId, sinceMs] of this.#sinceMs) this.#sinceMs.set(peerId, sinceMs + pausedMs)
  }

  /** The peer is no neighbour any more. */
  forget(peerId: PeerId): void {
    this.#sinceMs.delete(peerId)
  }
}
