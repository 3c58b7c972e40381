/** Messages remembered at once. The one logged longest ago is forgotten first. */
const MESSAGES_MAX = 1000

/** Limits how often the same message is logged, so that input from other peers cannot fill the log. */
export class Seldom {
  readonly #gapMs: number
  readonly #loggedAtMs = new Map<string, number>()

  constructor(gapMs: number) {
    this.#gapMs = gapMs
  }

  /** True if this message has not been due for the length of the gap. */
  due(message: string, nowMs: number): boolean {
    if (nowMs - (this.#loggedAtMs.get(message) ?? -Infinity) < this.#gapMs) return false
    this.#loggedAtMs.delete(message)
    this.#loggedAtMs.set(message, nowMs)
    if (this.#loggedAtMs.size > MESSAGES_MAX) this.#loggedAtMs.delete(this.#loggedAtMs.keys().next().value!)
    return true
  }
}
