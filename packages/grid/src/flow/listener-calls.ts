import { nextTurn } from './next-turn.ts'

/** Writes that listeners make in one turn of the event loop, before the calls left wait for the next turn. */
const WRITES_PER_TURN_MAX = 1000
/** Of more calls than this that wait, an eighth is made in each turn, so that they do not grow for ever. */
const CALLS_WAITING_WANTED = 16_384
/** While much waits for the store, a chain of calls looks so often whether it may go on, and goes on after so long anyhow. */
const CROWDED_GAP_MS = 10
const CROWDED_MAX_MS = 1000

/**
 * Calls of listeners, in the order of what happened: what a listener causes comes after the rest of what caused it.
 * Listeners that write in answer to every write make a chain without end. It goes on in later turns of the event loop, and
 * no faster than the store takes what it writes.
 */
export class ListenerCalls {
  readonly #crowded: () => boolean
  readonly #turnEnded: () => void
  #queue: (() => void)[] = []
  #writes = 0
  #calling = false
  #deferred = false
  #ended = false

  /**
   * `crowded` says whether so much waits for the store that a chain is to slow down; `turnEnded` is called when calls
   * have been made.
   */
  constructor(crowded: () => boolean, turnEnded: () => void) {
    this.#crowded = crowded
    this.#turnEnded = turnEnded
  }

  /** Calls that wait. */
  get waitingCount(): number {
    return this.#queue.length
  }

  add(call: () => void): void {
    if (!this.#ended) this.#queue.push(call)
  }

  /** A write was asked for, perhaps by a listener. */
  wrote(): void {
    this.#writes += 1
  }

  /** Makes the calls that wait, unless they are being made, or wait for the next turn. */
  run(): void {
    if (this.#calling || this.#deferred || this.#queue.length === 0) return
    this.#calling = true
    this.#writes = 0
    let made = 0
    try {
      while (made < this.#queue.length && this.#mayGoOn(made)) this.#queue[made++]!()
    } finally {
      this.#calling = false
      this.#queue = made < this.#queue.length ? this.#queue.slice(made) : []
    }
    if (this.#queue.length > 0) this.#defer()
    this.#turnEnded()
  }

  /** No listener is called any more. */
  end(): void {
    this.#ended = true
    this.#queue = []
  }

  #mayGoOn(made: number): boolean {
    if (this.#writes < WRITES_PER_TURN_MAX) return true
    const waiting = this.#queue.length
    return waiting > CALLS_WAITING_WANTED && made * 8 < waiting
  }

  #defer(): void {
    this.#deferred = true
    const sinceMs = performance.now()
    const goOn = (): void => {
      if (!this.#ended && this.#crowded() && performance.now() - sinceMs < CROWDED_MAX_MS) {
        setTimeout(goOn, CROWDED_GAP_MS)
        return
      }
      this.#deferred = false
      this.run()
    }
    nextTurn(goOn)
  }
}
