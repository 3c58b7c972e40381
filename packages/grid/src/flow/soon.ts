import { nextTurn } from './next-turn.ts'

/** Calls in microtasks of one turn of the event loop. */
const CALLS_PER_TURN_MAX = 256

/**
 * Calls a function once at the end of the present task, however often it is asked to. A program that asks again and again
 * without ever leaving its microtasks, such as a loop that awaits writes to memory, is made to: timers and sockets get
 * their turn after 256 calls.
 */
export class Soon {
  readonly #call: () => void
  #scheduled = false
  #callsInTurn = 0

  constructor(call: () => void) {
    this.#call = call
  }

  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#callsInTurn === 0) nextTurn(() => (this.#callsInTurn = 0))
    this.#callsInTurn += 1
    if (this.#callsInTurn <= CALLS_PER_TURN_MAX) queueMicrotask(this.#run)
    else nextTurn(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    this.#call()
  }
}
