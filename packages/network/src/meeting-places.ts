import type { PeerId } from '@gossipgrid/core'

/** A tab that has not asked again for this long is left out of answers. */
const STAY_MS = 90_000
/** Visits remembered at once, of all topics; the oldest is forgotten first. */
const VISITS_MAX = 4096
/** How many tabs one answer names. */
const REPORTED_MAX = 32

interface Visit {
  readonly topic: string
  readonly peerId: PeerId
  readonly atMs: number
}

/** Remembers which tabs have asked lately for the others of a topic. */
export class MeetingPlaces {
  readonly #visits = new Map<string, Visit>()

  /** Records a visit and returns the other recent visitors, the latest first. */
  visit(topic: string, peerId: PeerId, nowMs: number): PeerId[] {
    const key = `${topic} ${peerId}`
    this.#visits.delete(key)
    const others = [...this.#visits.values()].filter((visit) => visit.topic === topic && nowMs - visit.atMs < STAY_MS)
    this.#visits.set(key, { topic, peerId, atMs: nowMs })
    const [oldest] = this.#visits.keys()
    if (this.#visits.size > VISITS_MAX && oldest !== undefined) this.#visits.delete(oldest)
    return others
      .slice(-REPORTED_MAX)
      .map((visit) => visit.peerId)
      .reverse()
  }

  /** The connection of a peer has ended. */
  gone(peerId: PeerId): void {
    for (const [key, visit] of this.#visits) if (visit.peerId === peerId) this.#visits.delete(key)
  }
}
