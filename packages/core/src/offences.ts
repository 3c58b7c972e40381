import type { Instant } from './instant.ts'
import { OFFENCES_MAX, OFFENCE_FORGIVEN_MS } from './limits.ts'
import type { PeerId } from './ports.ts'

/** Counts what each peer sent that no honest one sends; old offences are forgiven. */
export class Offences {
  readonly #byPeer = new Map<PeerId, { count: number; lastMs: number }>()
  #total = 0

  /** All offences since the start. */
  get total(): number {
    return this.#total
  }

  /** Notes one. True when the peer has now gone too far; its count then starts anew. */
  note(peerId: PeerId, now: Instant): boolean {
    this.#total += 1
    const known = this.#byPeer.get(peerId)
    const fresh = known !== undefined && now.monotonicMs - known.lastMs < OFFENCE_FORGIVEN_MS
    const count = fresh ? known.count + 1 : 1
    this.#byPeer.delete(peerId)
    if (count >= OFFENCES_MAX) return true
    this.#byPeer.set(peerId, { count, lastMs: now.monotonicMs })
    // Whoever offended longest ago is forgotten first: peer ids are cheap to make.
    if (this.#byPeer.size > 1000) this.#byPeer.delete(this.#byPeer.keys().next().value!)
    return false
  }
}
