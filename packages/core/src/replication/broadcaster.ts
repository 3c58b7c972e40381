import type { FrameSink } from '../storage/group-commit.ts'
import { concatenate } from '../storage/pending.ts'
import type { DurableFrame } from '../storage/pending.ts'
import type { DirectRoute } from './direct-route.ts'
import type { Instant } from '../instant.ts'
import {
  BROADCASTS_IN_FLIGHT_MAX,
  BROADCAST_BACKLOG_MAX_BYTES,
  FRAME_BURST_MAX,
  FRAME_GAP_MS,
  FRAME_MAX_BYTES,
  FRAME_WRITES_MAX,
  MISSED_ANNOUNCE_GAP_MS,
} from '../limits.ts'
import type { Message } from '../wire/messages.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'

export interface BroadcasterDeps {
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly route: DirectRoute
}

/**
 * Paces durable writes onto the network. Straight to the neighbours, a frame leaves at once if the last one has left, and
 * otherwise as soon as it has, with all that has come meanwhile. By gossip, each frame costs a signature, so there is a budget of them: 32 at once, and then one in
 * 10 ms unless it has 256 writes or 64 KiB. A flood is dropped: the peer announces its vectors instead, and sessions carry the
 * bulk.
 */
export class Broadcaster implements FrameSink {
  readonly #deps: BroadcasterDeps
  #queue: DurableFrame[] = []
  #queuedBytes = 0
  #queuedWrites = 0
  #gossipInFlight = 0
  #directInFlight = 0
  /** Until then, frames that were sent by gossip have used up what may be spent on them. */
  #spentUntilMs = -Infinity
  #framesSent = 0
  #writesSent = 0
  #floods = 0
  #announceAtMs = Infinity
  #missedAtMs = -Infinity

  constructor(deps: BroadcasterDeps) {
    this.#deps = deps
  }

  /** Monotonic milliseconds at which the vectors are to be announced, because writes were left out of the broadcast. */
  get announceAtMs(): number {
    return this.#announceAtMs
  }

  /** Bytes waiting to be broadcast. */
  get backlogBytes(): number {
    return this.#queuedBytes
  }

  /** Since opening: frames sent, writes in them, and how often the backlog was left to sessions. */
  get counts(): { readonly framesSent: number; readonly writesSent: number; readonly floods: number } {
    return { framesSent: this.#framesSent, writesSent: this.#writesSent, floods: this.#floods }
  }

  get wakeAtMs(): number {
    return Math.min(this.#announceAtMs, this.#queue.length === 0 ? Infinity : this.#sendAtMs)
  }

  /** There is room for something that is no write, with a place left for writes. */
  get spare(): boolean {
    if (this.#deps.route.neighbours !== undefined) return this.#directInFlight === 0
    return this.#gossipInFlight < BROADCASTS_IN_FLIGHT_MAX - 1
  }

  /** How long to gather what is broadcast in a stream. */
  get gapMs(): number {
    return this.#deps.route.neighbours === undefined ? FRAME_GAP_MS : 0
  }

  /** Nothing waits, and nothing is on its way to the network. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#gossipInFlight === 0 && this.#directInFlight === 0
  }

  /** Takes frames: what is for everyone is paced, the rest is sent at once. With no neighbour they are dropped. */
  offer(frames: readonly DurableFrame[]): void {
    if (this.#deps.neighbours.size === 0) return
    for (const frame of frames) {
      if (frame.audience !== EVERYONE) {
        this.#address(frame.block, frame.audience)
        continue
      }
      this.#queue.push(frame)
      this.#queuedBytes += frame.block.length
      this.#queuedWrites += frame.writes
    }
    if (this.#queuedBytes <= BROADCAST_BACKLOG_MAX_BYTES) return
    this.clear()
    this.#floods += 1
    this.#announceAtMs = 0
  }

  /** The vectors were announced, or there is no neighbour that could read them. */
  announced(): void {
    this.#announceAtMs = Infinity
  }

  /** Drops what waits, for instance when the last neighbour has disconnected. */
  clear(): void {
    this.#queue = []
    this.#queuedBytes = 0
    this.#queuedWrites = 0
  }

  /** Broadcasts something else than writes: straight to the neighbours or by gossip, as they are. */
  send(message: Message): void {
    const to = this.#deps.route.neighbours
    if (to === undefined) {
      this.gossip(message)
      return
    }
    this.#directInFlight += 1
    this.#deps.outbox.direct(to, message)
  }

  /** Broadcasts by gossip, whatever way the writes go. */
  gossip(message: Message): void {
    this.#gossipInFlight += 1
    this.#deps.outbox.broadcast(message)
  }

  /** The network has taken an earlier broadcast. */
  broadcasted(): void {
    if (this.#gossipInFlight > 0) this.#gossipInFlight -= 1
  }

  /** The network has taken an earlier frame that went straight to neighbours, except for those that read too slowly. */
  directed(missed: readonly PeerId[], now: Instant): void {
    if (this.#directInFlight > 0) this.#directInFlight -= 1
    if (!missed.some((neighbour) => this.#deps.neighbours.has(neighbour))) return
    this.#missedAtMs = Math.max(now.monotonicMs, this.#missedAtMs + MISSED_ANNOUNCE_GAP_MS)
    this.#announceAtMs = Math.min(this.#announceAtMs, this.#missedAtMs)
  }

  /** Sends what is due. */
  pump(nowMs: number): void {
    while (this.#queue.length > 0 && nowMs >= this.#sendAtMs) {
      const to = this.#deps.route.neighbours
      if (to === undefined) {
        this.#gossipFrame()
        this.#spentUntilMs = Math.max(nowMs, this.#spentUntilMs) + FRAME_GAP_MS
      } else if (this.#queue[0]!.writer === undefined) this.#leaveOut()
      else {
        this.#directInFlight += 1
        this.#deps.outbox.direct(to, { type: 'frame', block: this.#takeFrame(true) })
      }
    }
  }

  /** Sends a frame by gossip, and straight to the neighbours that a session is under way with. */
  #gossipFrame(): void {
    const to = this.#queue[0]!.writer === undefined ? [] : this.#deps.route.inSession
    const block = this.#takeFrame(to.length > 0)
    this.gossip({ type: 'frame', block })
    if (to.length === 0) return
    this.#directInFlight += 1
    this.#deps.outbox.direct(to, { type: 'frame', block })
  }

  /** When the next frame may leave, if there is one. */
  get #sendAtMs(): number {
    const full = this.#queuedWrites >= FRAME_WRITES_MAX || this.#queuedBytes >= FRAME_MAX_BYTES
    if (this.#deps.route.neighbours !== undefined) {
      return this.#directInFlight < (full ? BROADCASTS_IN_FLIGHT_MAX : 1) ? -Infinity : Infinity
    }
    if (this.#gossipInFlight >= BROADCASTS_IN_FLIGHT_MAX) return Infinity
    return full ? -Infinity : this.#spentUntilMs - FRAME_BURST_MAX * FRAME_GAP_MS
  }

  /** Sends a frame to the neighbours among its audience. The others of them get it by sessions. */
  #address(block: Uint8Array, audience: ReadonlySet<PeerId>): void {
    const { neighbours, outbox } = this.#deps
    for (const peer of audience) if (neighbours.has(peer)) outbox.send(peer, { type: 'frame', block })
  }

  /** A batch under two replica ids cannot go straight: a neighbour takes a frame of one writer only. */
  #leaveOut(): void {
    const [frame] = this.#queue.splice(0, 1)
    this.#queuedBytes -= frame!.block.length
    this.#queuedWrites -= frame!.writes
    this.#announceAtMs = 0
  }

  /** As much as one frame holds, from the front of the queue. */
  #takeFrame(oneWriter: boolean): Uint8Array {
    let bytes = 0
    let writes = 0
    let taken = 0
    const { writer } = this.#queue[0]!
    for (const frame of this.#queue) {
      const tooMuch = bytes + frame.block.length > FRAME_MAX_BYTES || writes + frame.writes > FRAME_WRITES_MAX
      if (taken > 0 && (tooMuch || (oneWriter && frame.writer !== writer))) break
      bytes += frame.block.length
      writes += frame.writes
      taken += 1
    }
    const blocks = this.#queue.splice(0, taken).map((frame) => frame.block)
    this.#queuedBytes -= bytes
    this.#queuedWrites -= writes
    this.#framesSent += 1
    this.#writesSent += writes
    return concatenate(blocks)
  }
}
