import type { PeerId } from '@gossipgrid/core'

export interface DeafWatchDeps {
  readonly self: PeerId
  /** Whether gossip with a neighbour fails now. */
  readonly isDeaf: (peerId: PeerId) => boolean
  readonly deafAfterMs: number
}

/** Finds neighbours that stay connected while gossip with them fails: redialling mends that. */
export class DeafWatch {
  readonly #deps: DeafWatchDeps
  readonly #sinceMs = new Map<PeerId, number>()

  constructor(deps: DeafWatchDeps) {
    this.#deps = deps
  }

  /** How long gossip with a neighbour has failed, once this side has to redial it. To be asked regularly. */
  redialAfterMs(peerId: PeerId, nowMs: number): number | undefined {
    const { self, isDeaf, deafAfterMs } = this.#deps
    if (!isDeaf(peerId)) {
      this.#sinceMs.delete(peerId)
      return undefined
    }
    const sinceMs = this.#sinceMs.get(peerId) ?? nowMs
    this.#sinceMs.set(peerId, sinceMs)
    // One of the two sides is enough, so the other waits longer.
    const limitMs = deafAfterMs * (self < peerId ? 1 : 1.5)
    return nowMs - sinceMs < limitMs ? undefined : nowMs - sinceMs
  }

  /** The peer is no neighbour any more. */
  forget(peerId: PeerId): void {
    this.#sinceMs.delete(peerId)
  }
}
