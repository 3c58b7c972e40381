import { AWAY_AFTER_MS, BACK_AFTER_MS, MEMORY_AWAY_AFTER_MS, OWNERSHIP_GAP_MS } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/** Owners to mark in the registry. */
export interface Marks {
  readonly away: readonly PeerId[]
  readonly back: readonly PeerId[]
}

interface WatchedMember {
  readonly peerId: PeerId
  readonly durable: boolean
}

/** For how long an owner has been there, or gone. */
interface Watched {
  present: boolean
  forMs: number
}

/** Of the time between two looks, so much counts at most: in the rest this peer itself may have stood still. */
const COUNTED_GAP_MAX_MS: number = 2 * OWNERSHIP_GAP_MS

/**
 * Watches which owners are there. All owners watch, so that another can go on when one ends; the one with the smallest peer
 * id of those that are there decides. An owner that was gone for five minutes is marked as away, and one that was there for
 * a minute as back: so a restart moves nothing.
 */
export class Attendance {
  readonly #self: PeerId
  readonly #watched = new Map<PeerId, Watched>()
  #lookedAtMs: number | undefined

  constructor(self: PeerId) {
    this.#self = self
  }

  /** To be called about once a second. Returns what this peer is to mark. It is present itself if it reaches anybody. */
  look(
    owners: readonly WatchedMember[],
    away: { has(peerId: PeerId): boolean },
    isPresent: (peerId: PeerId) => boolean,
    nowMs: number,
  ): Marks {
    const passedMs = Math.min(nowMs - (this.#lookedAtMs ?? nowMs), COUNTED_GAP_MAX_MS)
    this.#lookedAtMs = nowMs
    const known = new Set(owners.map(({ peerId }) => peerId))
    for (const peerId of this.#watched.keys()) if (!known.has(peerId)) this.#watched.delete(peerId)
    for (const { peerId } of owners) this.#watch(peerId, isPresent(peerId), passedMs)
    if (!known.has(this.#self) || owners.some(({ peerId }) => peerId < this.#self && isPresent(peerId))) {
      return { away: [], back: [] }
    }
    const marks = { away: [] as PeerId[], back: [] as PeerId[] }
    for (const { peerId, durable } of owners) {
      const { present, forMs } = this.#watched.get(peerId)!
      if (present && forMs >= BACK_AFTER_MS && away.has(peerId)) marks.back.push(peerId)
      const awayAfterMs = durable ? AWAY_AFTER_MS : MEMORY_AWAY_AFTER_MS
      if (!present && forMs >= awayAfterMs && !away.has(peerId) && peerId !== this.#self) marks.away.push(peerId)
    }
    return marks
  }

  #watch(peerId: PeerId, present: boolean, passedMs: number): void {
    const watched = this.#watched.get(peerId)
    if (watched?.present === present) watched.forMs += passedMs
    else this.#watched.set(peerId, { present, forMs: 0 })
  }
}
