import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { Offences } from './offences.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'

/**
 * Whatever a peer sends that is malformed ends here, counted, with nothing changed. Other errors are bugs of this peer and
 * pass on.
 */
export class TrustBoundary {
  readonly offences: Offences = new Offences()
  readonly #outbox: Outbox

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  guarded(from: PeerId, now: Instant, receive: () => void): void {
    // Its broadcasts still come through others.
    if (this.offences.refuses(from, now)) return
    try {
      receive()
    } catch (error) {
      if (!(error instanceof GridError)) throw error
      this.offended(from, error, now)
    }
  }

  /** `severe` for what only a malicious peer sends. */
  offended(from: PeerId, error: GridError, now: Instant, severe: boolean = false): void {
    this.#outbox.event({ type: 'refused', from, error })
    // A peer of another version, or one that passes on what another peer made up, is not to blame.
    if (error.code === 'MESSAGE_VERSION' || error.code === 'REPLICA_ID_REFUSED') return
    const refusedMs = this.offences.note(from, error, now, severe)
    if (refusedMs > 0) this.#outbox.refuse(from, refusedMs, error.message)
  }
}
