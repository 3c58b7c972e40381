import { Allowances } from '../members/allowances.ts'
import type { Instant } from '../instant.ts'
import { PRESENCES_MAX, PRESENCE_CHANGES_PER_SECOND, PRESENCE_GAP_MS, PRESENT_HEARTBEATS } from '../limits.ts'
import { heartbeatMs } from '../members/membership.ts'
import type { Membership } from '../members/membership.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { PresenceRecord } from '../wire/presence-record.ts'

export interface PresenceDeps {
  readonly membership: Membership
  readonly outbox: Outbox
}

interface Known {
  record: PresenceRecord
  /** When the peer last said so itself. */
  heardAtMs: number
}

/**
 * What each peer says of itself for as long as it is there. It comes with every heartbeat, so that what was lost is
 * mended by the next one, and goes with the peer. Each peer speaks only for itself.
 */
export class Presence {
  readonly #deps: PresenceDeps
  readonly #known = new Map<PeerId, Known>()
  readonly #changes = new Allowances(PRESENCE_CHANGES_PER_SECOND, PRESENCE_CHANGES_PER_SECOND)
  #own: PresenceRecord | undefined
  #unsaid = false
  #notBeforeMs = -Infinity
  #nextExpiryMs = Infinity

  constructor(deps: PresenceDeps) {
    this.#deps = deps
  }

  /** What this peer says of itself: undefined until it has first said something. */
  get own(): PresenceRecord | undefined {
    return this.#own
  }

  /** The state of a peer, this one included; undefined when it has none. */
  get(peerId: PeerId): Uint8Array | undefined {
    return peerId === this.#peerId ? this.#own?.value : this.#known.get(peerId)?.record.value
  }

  /** Every peer that has a state, this one first. */
  *entries(): Generator<[PeerId, Uint8Array], void, undefined> {
    if (this.#own?.value !== undefined) yield [this.#peerId, this.#own.value]
    for (const [peerId, { record }] of this.#known) if (record.value !== undefined) yield [peerId, record.value]
  }

  /** Says something of this peer; undefined takes it back. */
  set(value: Uint8Array | undefined): void {
    const { peerId, incarnation } = this.#deps.membership.self
    if (sameBytes(value, this.#own?.value)) return
    this.#own = { incarnation, revision: (this.#own?.revision ?? 0) + 1, value }
    this.#unsaid = true
    this.#deps.outbox.event({ type: 'presence', peerId, value })
  }

  /** A peer has said that its state has changed. Whatever is one change too many comes with the next heartbeat. */
  changed(from: PeerId, record: PresenceRecord, now: Instant): void {
    if (this.#changes.take(from, 1, now.monotonicMs)) this.heard(from, record, now)
  }

  /** A peer has said what its state is. */
  heard(from: PeerId, record: PresenceRecord, now: Instant): void {
    if (from === this.#peerId) return
    const known = this.#known.get(from)
    const order = known === undefined ? 1 : compare(record, known.record)
    if (order < 0 || (known === undefined && this.#known.size >= PRESENCES_MAX)) return
    const { monotonicMs } = now
    if (known === undefined || order > 0) this.#known.set(from, { record, heardAtMs: monotonicMs })
    else known.heardAtMs = monotonicMs
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, monotonicMs + this.#leaseMs)
    if (order > 0) this.#tell(from, known?.record.value, record.value)
  }

  /** A peer has said that its state is what it was. */
  renew(from: PeerId, now: Instant): void {
    const known = this.#known.get(from)
    if (known !== undefined) known.heardAtMs = now.monotonicMs
  }

  /** A peer has closed. What it said before may still be on its way, and counts no more. */
  departed(peerId: PeerId): void {
    const known = this.#known.get(peerId)
    if (known === undefined) return
    const { incarnation, value } = known.record
    known.record = { incarnation, revision: Infinity, value: undefined }
    this.#tell(peerId, value, undefined)
  }

  /** Takes this peer's state back at once: it is about to close. */
  farewell(): void {
    this.set(undefined)
    this.#notBeforeMs = -Infinity
  }

  /** Forgets the peers that have gone silent. */
  expire(now: Instant): void {
    if (now.monotonicMs < this.#nextExpiryMs) return
    this.#nextExpiryMs = Infinity
    for (const [peerId, { record, heardAtMs }] of this.#known) {
      const endMs = heardAtMs + this.#leaseMs
      if (now.monotonicMs < endMs) this.#nextExpiryMs = Math.min(this.#nextExpiryMs, endMs)
      else {
        this.#known.delete(peerId)
        this.#tell(peerId, record.value, undefined)
      }
    }
  }

  /** What is to be broadcast now, if anything. */
  due(nowMs: number): PresenceRecord | undefined {
    if (!this.#unsaid || nowMs < this.#notBeforeMs) return undefined
    this.#unsaid = false
    this.#notBeforeMs = nowMs + PRESENCE_GAP_MS
    return this.#own
  }

  /** When a change is to leave. */
  get dueAtMs(): number {
    return this.#unsaid ? this.#notBeforeMs : Infinity
  }

  /** When the next silent peer is to be forgotten. */
  get expiresAtMs(): number {
    return this.#nextExpiryMs
  }

  get #leaseMs(): number {
    return PRESENT_HEARTBEATS * heartbeatMs(this.#deps.membership.size)
  }

  get #peerId(): PeerId {
    return this.#deps.membership.self.peerId
  }

  #tell(peerId: PeerId, before: Uint8Array | undefined, value: Uint8Array | undefined): void {
    if (!sameBytes(before, value)) this.#deps.outbox.event({ type: 'presence', peerId, value })
  }
}

function compare(a: PresenceRecord, b: PresenceRecord): number {
  return a.incarnation - b.incarnation || a.revision - b.revision
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
