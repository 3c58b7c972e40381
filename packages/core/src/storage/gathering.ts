import type { Instant } from '../instant.ts'
import { REMOTE_GATHER_BATCHES, REMOTE_GATHER_MAX_MS, REMOTE_GATHER_MS } from '../limits.ts'

/** Decides how long rows of other peers gather before they are stored: the longer, the longer a batch takes. */
export class Gathering {
  #startedAtMs = 0
  /** How long a batch took lately, smoothed. */
  #batchMs = 0

  get gatherMs(): number {
    return Math.min(REMOTE_GATHER_MAX_MS, Math.max(REMOTE_GATHER_MS, REMOTE_GATHER_BATCHES * this.#batchMs))
  }

  batchStarted(now: Instant): void {
    this.#startedAtMs = now.monotonicMs
  }

  batchStored(now: Instant): void {
    this.#batchMs += (now.monotonicMs - this.#startedAtMs - this.#batchMs) / 4
  }
}
