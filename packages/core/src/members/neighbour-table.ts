import type { Instant } from '../instant.ts'
import { REDIAL_GAP_MS, SUSPECT_AFTER_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

interface Neighbour {
  readonly connectedAtMs: number
  broadcastAtMs: number
  redialledAtMs: number
  readsDirect: boolean
}

/**
 * Watches that broadcast works: every peer broadcasts heartbeats, so a neighbour whose streams are open and whose
 * heartbeats do not come is one that the broadcast has gone deaf to, and only a new connection mends that.
 */
export class NeighbourTable {
  readonly #neighbours = new Map<PeerId, Neighbour>()

  get size(): number {
    return this.#neighbours.size
  }

  has(peerId: PeerId): boolean {
    return this.#neighbours.has(peerId)
  }

  ids(): PeerId[] {
    return [...this.#neighbours.keys()]
  }

  /** Every neighbour, and since when it is connected, in monotonic milliseconds. */
  since(): Map<PeerId, number> {
    return new Map(Array.from(this.#neighbours, ([peerId, { connectedAtMs }]) => [peerId, connectedAtMs]))
  }

  connected(peerId: PeerId, now: Instant): void {
    const at = now.monotonicMs
    this.#neighbours.set(peerId, { connectedAtMs: at, broadcastAtMs: at, redialledAtMs: at, readsDirect: false })
  }

  disconnected(peerId: PeerId): void {
    this.#neighbours.delete(peerId)
  }

  /** A neighbour has said that it reads frames that are sent straight to it. */
  saidDirect(peerId: PeerId): void {
    const neighbour = this.#neighbours.get(peerId)
    if (neighbour !== undefined) neighbour.readsDirect = true
  }

  /** Every neighbour has said that it reads frames that are sent straight to it. */
  get allReadDirect(): boolean {
    for (const { readsDirect } of this.#neighbours.values()) if (!readsDirect) return false
    return true
  }

  /** A broadcast of this author has come, by whatever way. */
  heardBroadcast(author: PeerId, now: Instant): void {
    const neighbour = this.#neighbours.get(author)
    if (neighbour !== undefined) neighbour.broadcastAtMs = now.monotonicMs
  }

  /** Neighbours to redial now. `stretch` follows the heartbeat interval. */
  deaf(stretch: number, now: Instant): PeerId[] {
    const deaf: PeerId[] = []
    for (const [peerId, neighbour] of this.#neighbours) {
      const silent = now.monotonicMs - neighbour.broadcastAtMs > 2 * SUSPECT_AFTER_MS * stretch
      if (!silent || now.monotonicMs - neighbour.redialledAtMs < REDIAL_GAP_MS) continue
      neighbour.redialledAtMs = now.monotonicMs
      deaf.push(peerId)
    }
    return deaf
  }
}
