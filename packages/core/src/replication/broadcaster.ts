import { concatenate } from '../storage/group-commit.ts'
import type { DurableFrame, FrameSink } from '../storage/group-commit.ts'
import {
  BROADCASTS_IN_FLIGHT_MAX,
  BROADCAST_BACKLOG_MAX_BYTES,
  FRAME_GAP_MS,
  FRAME_MAX_BYTES,
  FRAME_WRITES_MAX,
} from '../limits.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { EVERYONE } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'

export interface BroadcasterDeps {
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
}

/**
 * Paces durable writes onto the broadcast: the first one leaves at once, a stream of them in frames of up to 256 writes,
 * 64 KiB or 10 ms. A flood is dropped: the peer announces its vectors instead, and sessions carry the bulk.
 */
export class Broadcaster implements FrameSink {
  readonly #deps: BroadcasterDeps
  #queue: DurableFrame[] = []
  #queuedBytes = 0
  #queuedWrites = 0
  #inFlight = 0
  #lastSentMs = -Infinity
  #framesSent = 0
  #writesSent = 0
  #floods = 0
  #flooded = false

  constructor(deps: BroadcasterDeps) {
    this.#deps = deps
  }

  /** The backlog was dropped, and the vectors have not been announced since. */
  get flooded(): boolean {
    return this.#flooded
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
    return this.#queue.length === 0 || this.#inFlight >= BROADCASTS_IN_FLIGHT_MAX
      ? Infinity
      : this.#lastSentMs + FRAME_GAP_MS
  }

  /** There is room for something that is no write, with a place left for writes. */
  get spare(): boolean {
    return this.#inFlight < BROADCASTS_IN_FLIGHT_MAX - 1
  }

  /** Nothing waits, and nothing is on its way to the network. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#inFlight === 0
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
    this.#flooded = true
  }

  /** The vectors were announced, or there is no neighbour that could read them. */
  announced(): void {
    this.#flooded = false
  }

  /** Drops what waits, for instance when the last neighbour has disconnected. */
  clear(): void {
    this.#queue = []
    this.#queuedBytes = 0
    this.#queuedWrites = 0
  }

  /** Something else was broadcast: it takes a place among those in flight. */
  passed(): void {
    this.#inFlight += 1
  }

  /** An earlier broadcast has been handed on. */
  broadcasted(): void {
    if (this.#inFlight > 0) this.#inFlight -= 1
  }

  /** Sends what is due. */
  pump(nowMs: number): void {
    while (this.#queue.length > 0 && this.#inFlight < BROADCASTS_IN_FLIGHT_MAX) {
      const full = this.#queuedWrites >= FRAME_WRITES_MAX || this.#queuedBytes >= FRAME_MAX_BYTES
      if (!full && nowMs < this.#lastSentMs + FRAME_GAP_MS) return
      this.#deps.outbox.broadcast({ type: 'frame', block: this.#takeFrame() })
      this.#inFlight += 1
      this.#lastSentMs = nowMs
    }
  }

  /** Sends a frame to the neighbours among its audience. The others of them get it by sessions. */
  #address(block: Uint8Array, audience: ReadonlySet<PeerId>): void {
    const { neighbours, outbox } = this.#deps
    for (const peer of audience) if (neighbours.has(peer)) outbox.send(peer, { type: 'frame', block })
  }

  #takeFrame(): Uint8Array {
    let bytes = 0
    let writes = 0
    let taken = 0
    for (const frame of this.#queue) {
      const tooMuch = bytes + frame.block.length > FRAME_MAX_BYTES || writes + frame.writes > FRAME_WRITES_MAX
      if (taken > 0 && tooMuch) break
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
