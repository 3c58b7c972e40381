import { nextTurn } from './next-turn.ts'

/** After so many writes by listeners in one turn of the event loop, the remaining calls wait for the next turn. */
const WRITES_PER_TURN_MAX = 1000
/** If more calls than this wait, each turn makes at least an eighth of them, so that the queue does not grow forever. */
const CALLS_WAITING_WANTED = 16_384
/** While much waits for the store, deferred calls check at this interval whether they may continue. */
const CROWDED_GAP_MS = 10
/** Deferred calls continue after this time, even if much still waits for the store. */
const CROWDED_MAX_MS = 1000

/**
 * Calls of listeners, in the order of the events. Events that a listener causes come after all calls for the event that
 * it was called with. Listeners that write in response to every write make an endless chain: it continues in later turns
 * of the event loop, no faster than the store accepts the writes.
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
   * `crowded` returns true while so much waits for the store that a chain should slow down. `turnEnded` is called after
   * every run of calls.
   */
  constructor(crowded: () => boolean, turnEnded: () => void) {
    this.#crowded = crowded
    this.#turnEnded = turnEnded
  }

  /** Number of calls that wait. */
  get waitingCount(): number {
    return this.#queue.length
  }

  add(call: () => void): void {
    if (!this.#ended) this.#queue.push(call)
  }

  /** Counts a write, which a listener may have made. */
  wrote(): void {
    this.#writes += 1
  }

  /** Makes the waiting calls, unless that is already happening or they were deferred to the next turn. */
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

  /** Drops all waiting calls, and every later one. */
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
