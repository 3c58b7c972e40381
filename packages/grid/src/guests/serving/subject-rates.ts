import type { GuestsOptions } from '../guest-options.ts'

const WRITES_PER_SECOND = 200
const BYTES_PER_SECOND: number = 1024 * 1024
/** A guest that was offline may be ahead of its rate by so many seconds of it. */
const BURST_SECONDS = 10
/** Subjects that are remembered. One that has been quiet for the time of a burst is as one that is not. */
const SUBJECTS_MAX = 10_000

interface Rate {
  /** When its writes so far would be done at its rate, in monotonic milliseconds. */
  writesDoneMs: number
  bytesDoneMs: number
}

/** How fast each subject writes: who is ahead of its rate by more than a burst has to wait. */
export class SubjectRates {
  readonly #writeMs: number
  readonly #byteMs: number
  readonly #rates = new Map<string, Rate>()

  constructor({
    writesPerSecond = WRITES_PER_SECOND,
    bytesPerSecond = BYTES_PER_SECOND,
  }: GuestsOptions['quotas'] = {}) {
    this.#writeMs = 1000 / writesPerSecond
    this.#byteMs = 1000 / bytesPerSecond
  }

  /** Counts writes of a subject. Returns how long they are to wait, in milliseconds. */
  delayMs(subject: string, writes: number, bytes: number, nowMs: number): number {
    const rate = this.#rates.get(subject) ?? { writesDoneMs: 0, bytesDoneMs: 0 }
    this.#rates.delete(subject)
    this.#rates.set(subject, rate)
    if (this.#rates.size > SUBJECTS_MAX) this.#rates.delete(this.#rates.keys().next().value!)
    rate.writesDoneMs = Math.max(rate.writesDoneMs, nowMs) + writes * this.#writeMs
    rate.bytesDoneMs = Math.max(rate.bytesDoneMs, nowMs) + bytes * this.#byteMs
    return Math.max(0, Math.max(rate.writesDoneMs, rate.bytesDoneMs) - nowMs - BURST_SECONDS * 1000)
  }
}
