/** Entries of which a reader remembers when they end. */
const ENDS_MAX = 65_536
/** The longest time that a timer takes. */
const TIMER_MAX_MS = 2 ** 31 - 1

/**
 * When the entries end that a reader was given: owners send no change when an entry expires, since all peers know its date. Remembers
 * up to 65,536 of them, those that end first.
 */
export class EntryEnds {
  readonly #ends = new Map<string, number>()
  readonly #wallMs: () => number
  readonly #ended: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #nextMs = Infinity

  /** `ended` is called when some have ended. */
  constructor(wallMs: () => number, ended: () => void) {
    this.#wallMs = wallMs
    this.#ended = ended
  }

  /** The reader was given the entry as it is now; Infinity if it does not end, or is not there. */
  set(key: string, endsAtMs: number): void {
    this.#ends.delete(key)
    if (endsAtMs === Infinity) return
    this.#ends.set(key, endsAtMs)
    if (this.#ends.size > ENDS_MAX) this.#forgetLatest()
    if (endsAtMs < this.#nextMs) this.#wait(endsAtMs)
  }

  /** The keys that have ended by now, with the time of that, each once. */
  take(): (readonly [key: string, endedAtMs: number])[] {
    const nowMs = this.#wallMs()
    if (nowMs < this.#nextMs) return []
    const ended = [...this.#ends].filter(([, atMs]) => atMs <= nowMs).toSorted((a, b) => a[1] - b[1])
    for (const [key] of ended) this.#ends.delete(key)
    let nextMs = Infinity
    for (const atMs of this.#ends.values()) nextMs = Math.min(nextMs, atMs)
    this.#wait(nextMs)
    return ended
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#ends.clear()
  }

  #wait(atMs: number): void {
    this.#nextMs = atMs
    clearTimeout(this.#timer)
    if (atMs === Infinity) return
    const waitMs = Math.min(Math.max(0, Math.ceil(atMs - this.#wallMs())), TIMER_MAX_MS)
    this.#timer = setTimeout(() => {
      if (this.#wallMs() >= this.#nextMs) this.#ended()
      else this.#wait(this.#nextMs)
    }, waitMs)
  }

  #forgetLatest(): void {
    let latest: readonly [string, number] = ['', -1]
    for (const each of this.#ends) if (each[1] > latest[1]) latest = each
    this.#ends.delete(latest[0])
  }
}
