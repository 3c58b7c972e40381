import type { PeerId } from '@gossipgrid/core'

const WINDOW_MS = 60_000
/** An honest peer that keeps losing its connection backs off, and stays far below this. */
const ARRIVALS_MAX = 30
/** How many peers are remembered at once. The peer that came longest ago is forgotten first. */
const PEERS_MAX = 1000

/** Counts how often each peer opens its stream. Each time costs a hello and a session over all collections. */
export class Arrivals {
  readonly #byPeer = new Map<PeerId, { count: number; readonly sinceMs: number }>()

  /** Counts one arrival. False when the peer comes too often. */
  record(peerId: PeerId, nowMs: number): boolean {
    const known = this.#byPeer.get(peerId)
    const current = known !== undefined && nowMs - known.sinceMs < WINDOW_MS ? known : { count: 0, sinceMs: nowMs }
    current.count += 1
    this.#byPeer.delete(peerId)
    this.#byPeer.set(peerId, current)
    if (this.#byPeer.size > PEERS_MAX) this.#byPeer.delete(this.#byPeer.keys().next().value!)
    return current.count <= ARRIVALS_MAX
  }
}
