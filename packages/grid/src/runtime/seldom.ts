/** Things remembered at once; the one said longest ago is forgotten first. */
const THINGS_MAX = 1000

/** Says of each thing, at most once in a while, that it is worth saying: what others send must not fill the log. */
export class Seldom {
  readonly #gapMs: number
  readonly #saidAtMs = new Map<string, number>()

  constructor(gapMs: number) {
    this.#gapMs = gapMs
  }

  due(thing: string, nowMs: number): boolean {
    if (nowMs - (this.#saidAtMs.get(thing) ?? -Infinity) < this.#gapMs) return false
    this.#saidAtMs.delete(thing)
    this.#saidAtMs.set(thing, nowMs)
    if (this.#saidAtMs.size > THINGS_MAX) this.#saidAtMs.delete(this.#saidAtMs.keys().next().value!)
    return true
  }
}
