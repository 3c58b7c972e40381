import type { GridError, GridErrorCode } from '../errors.ts'
import type { Instant } from '../instant.ts'
import {
  OFFENCES_MAX,
  OFFENCE_FORGIVEN_MS,
  OFFENDERS_MAX,
  REFUSED_MAX_MS,
  REFUSED_MS,
  REFUSALS_FORGIVEN_MS,
} from '../limits.ts'
import type { PeerId } from '../ports.ts'

/** A peer that has sent what no honest one sends. */
export interface Offender {
  readonly peerId: PeerId
  /** All its offences that are still remembered. */
  readonly offences: number
  readonly lastCode: GridErrorCode
  readonly lastReason: string
  /** Monotonic milliseconds until which it is refused; 0 when it never was. */
  readonly refusedUntilMs: number
}

interface Known {
  readonly peerId: PeerId
  offences: number
  /** Of late: what counts towards the next refusal. */
  recent: number
  lastMs: number
  lastCode: GridErrorCode
  lastReason: string
  /** How often it was refused; each time lasts twice as long as the one before. */
  refusals: number
  refusedUntilMs: number
}

/**
 * Counts what each peer sent that no honest one sends, and says when that is too much. Old offences are forgiven; a peer that
 * offends again after a refusal is refused for twice as long.
 */
export class Offences {
  readonly #byPeer = new Map<PeerId, Known>()
  #total = 0

  /** All offences since the start. */
  get total(): number {
    return this.#total
  }

  /** Those who offended last come first. */
  latest(countMax: number): Offender[] {
    const latest = [...this.#byPeer.values()].slice(-countMax).toReversed()
    return latest.map(({ peerId, offences, lastCode, lastReason, refusedUntilMs }) => {
      return { peerId, offences, lastCode, lastReason, refusedUntilMs }
    })
  }

  /** True while a peer is refused: what still comes from it, or through others, is not looked at. */
  refuses(peerId: PeerId, now: Instant): boolean {
    const known = this.#byPeer.get(peerId)
    return known !== undefined && now.monotonicMs < known.refusedUntilMs
  }

  /** Notes one. Returns for how long the peer is to be refused, 0 while it has not gone too far; `severe` is at once. */
  note(peerId: PeerId, error: GridError, now: Instant, severe: boolean = false): number {
    this.#total += 1
    const known = this.#taken(peerId, error, now)
    known.recent = now.monotonicMs - known.lastMs < OFFENCE_FORGIVEN_MS ? known.recent + 1 : 1
    known.offences += 1
    known.lastMs = now.monotonicMs
    if (!severe && known.recent < OFFENCES_MAX) return 0
    if (now.monotonicMs - known.refusedUntilMs > REFUSALS_FORGIVEN_MS) known.refusals = 0
    const refusedMs = Math.min(REFUSED_MS * 2 ** known.refusals, REFUSED_MAX_MS)
    known.recent = 0
    known.refusals += 1
    known.refusedUntilMs = now.monotonicMs + refusedMs
    return refusedMs
  }

  /** The peer's entry, moved to the end. The oldest offender is forgotten first: peer ids are cheap to make. */
  #taken(peerId: PeerId, { code, message }: GridError, now: Instant): Known {
    const fresh = { peerId, offences: 0, recent: 0, lastMs: now.monotonicMs, refusals: 0, refusedUntilMs: 0 }
    const known: Known = this.#byPeer.get(peerId) ?? { ...fresh, lastCode: code, lastReason: message }
    known.lastCode = code
    known.lastReason = message
    this.#byPeer.delete(peerId)
    this.#byPeer.set(peerId, known)
    if (this.#byPeer.size > OFFENDERS_MAX) this.#byPeer.delete(this.#byPeer.keys().next().value!)
    return known
  }
}
