import { nextTurn } from './next-turn.ts'

/** Calls made as microtasks in one turn of the event loop. */
const CALLS_PER_TURN_MAX = 256

/**
 * Calls a function once at the end of the current task, however often it is scheduled. A program may schedule again and
 * again without leaving its microtasks, as a loop that awaits writes to memory does. After 256 calls the next one waits
 * for the next turn of the event loop, so that timers and sockets get their turn.
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
