import type { Instant } from '../instant.ts'
import { HEARTBEAT_MS, REDIAL_GAP_MS, SUSPECT_AFTER_MS } from '../limits.ts'
import { heartbeatMs, rareHeartbeatMs } from './membership.ts'
import type { PeerId } from '../ports.ts'

/** A neighbour that says nothing at all is redialled after so many times the silence of one that only sends no heartbeats. */
const SILENT_PATIENCE = 3

interface Neighbour {
  readonly connectedAtMs: number
  broadcastAtMs: number
  /** When a heartbeat last came on the neighbour's stream. */
  streamBeatAtMs: number
  /** Its last heartbeat named no time: its clock is in doubt. */
  clockInDoubt: boolean
  /** When anything last came on the neighbour's stream. */
  streamAtMs: number
  redialledAtMs: number
  readsDirect: boolean
}

/**
 * Watches that broadcast works: every peer broadcasts heartbeats, so a neighbour whose streams are open and whose
 * heartbeats do not come is one that the broadcast has gone deaf to, and only a new connection mends that. A neighbour whose
 * heartbeats come on its stream broadcasts them more rarely.
 */
export class NeighbourTable {
  readonly #neighbours = new Map<PeerId, Neighbour>()
  #changes = 0
  #lookedAtMs = Infinity
  /** When a neighbour was last redialled. */
  #redialledAtMs = -Infinity

  /** How often a neighbour has come or gone. */
  get changes(): number {
    return this.#changes
  }

  get size(): number {
    return this.#neighbours.size
  }

  has(peerId: PeerId): boolean {
    return this.#neighbours.has(peerId)
  }

  ids(): PeerId[] {
    return [...this.#neighbours.keys()]
  }

  /** Since when a peer is a neighbour, in monotonic milliseconds; undefined if it is none. */
  connectedAtMs(peerId: PeerId): number | undefined {
    return this.#neighbours.get(peerId)?.connectedAtMs
  }

  /** Every neighbour, and since when it is connected, in monotonic milliseconds. */
  since(): Map<PeerId, number> {
    return new Map(Array.from(this.#neighbours, ([peerId, { connectedAtMs }]) => [peerId, connectedAtMs]))
  }

  connected(peerId: PeerId, now: Instant): void {
    const at = now.monotonicMs
    this.#changes += 1
    this.#neighbours.set(peerId, {
      connectedAtMs: at,
      broadcastAtMs: at,
      streamBeatAtMs: -Infinity,
      streamAtMs: -Infinity,
      clockInDoubt: false,
      redialledAtMs: at,
      readsDirect: false,
    })
  }

  disconnected(peerId: PeerId): void {
    this.#changes += 1
    this.#neighbours.delete(peerId)
  }

  /** A neighbour has said that it reads frames that are sent straight to it. */
  saidDirect(peerId: PeerId): void {
    const neighbour = this.#neighbours.get(peerId)
    if (neighbour !== undefined) neighbour.readsDirect = true
  }

  /** A neighbour has said that it reads frames that are sent straight to it. */
  readsDirect(peerId: PeerId): boolean {
    return this.#neighbours.get(peerId)?.readsDirect === true
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

  /** A message of a neighbour has come on its stream. */
  heard(peerId: PeerId, now: Instant): void {
    const neighbour = this.#neighbours.get(peerId)
    if (neighbour !== undefined) neighbour.streamAtMs = now.monotonicMs
  }

  /** A heartbeat of a neighbour has come on its stream. */
  heardOnStream(peerId: PeerId, now: Instant): void {
    const neighbour = this.#neighbours.get(peerId)
    if (neighbour !== undefined) neighbour.streamBeatAtMs = now.monotonicMs
  }

  /** A neighbour's heartbeat named the time, or did not. */
  saidTime(peerId: PeerId, named: boolean): void {
    const neighbour = this.#neighbours.get(peerId)
    if (neighbour !== undefined) neighbour.clockInDoubt = !named
  }

  /** A neighbour waits to hear what time it is. */
  isInDoubt(peerId: PeerId): boolean {
    return this.#neighbours.get(peerId)?.clockInDoubt === true
  }

  /**
   * The neighbour to redial now, the longest silent one. `others`: how many other members there are. There is one in 30 s: on a busy
   * machine all neighbours seem deaf at once, and new connections to all of them would leave no time for anything else. Where
   * broadcast is deaf to all, that one brings what the others say.
   */
  deaf(others: number, now: Instant): PeerId | undefined {
    this.#forgivePause(others, now)
    const silentMaxMs = 2 * SUSPECT_AFTER_MS * (heartbeatMs(others) / HEARTBEAT_MS)
    const rareMaxMs = 2.5 * rareHeartbeatMs(others)
    if (now.monotonicMs - this.#redialledAtMs < REDIAL_GAP_MS) return undefined
    let longest: [PeerId, Neighbour] | undefined
    for (const [peerId, neighbour] of this.#neighbours) {
      const broadcastAgoMs = now.monotonicMs - neighbour.broadcastAtMs
      const beatAtMs = Math.max(neighbour.broadcastAtMs, neighbour.streamBeatAtMs)
      const talks = neighbour.streamAtMs - beatAtMs > silentMaxMs
      // One that says nothing at all may get no processor time. The network looks after connections that are broken.
      const silent = talks || now.monotonicMs - beatAtMs > SILENT_PATIENCE * silentMaxMs || broadcastAgoMs > rareMaxMs
      if (!silent || now.monotonicMs - neighbour.redialledAtMs < REDIAL_GAP_MS) continue
      if (longest === undefined || neighbour.broadcastAtMs < longest[1].broadcastAtMs) longest = [peerId, neighbour]
    }
    if (longest === undefined) return undefined
    const [peerId, neighbour] = longest
    neighbour.redialledAtMs = now.monotonicMs
    this.#redialledAtMs = now.monotonicMs
    return peerId
  }

  /**
   * A peer that gets no processor time hears nothing. What has come meanwhile waits to be read, so that time does not count
   * as silence: a busy machine would drop the connections that it has, and be busier by making new ones.
   */
  #forgivePause(others: number, now: Instant): void {
    const pausedMs = now.monotonicMs - this.#lookedAtMs - 2 * heartbeatMs(others)
    this.#lookedAtMs = now.monotonicMs
    if (pausedMs <= 0) return
    for (const neighbour of this.#neighbours.values()) {
      neighbour.broadcastAtMs = Math.min(now.monotonicMs, neighbour.broadcastAtMs + pausedMs)
      neighbour.streamBeatAtMs = Math.min(now.monotonicMs, neighbour.streamBeatAtMs + pausedMs)
    }
  }
}
