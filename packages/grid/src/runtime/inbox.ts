import type { Input } from '@gossipgrid/core'
import { nextTurn } from '../flow/next-turn.ts'

/** How long inputs are processed in one turn of the event loop. Then timers and sockets get their turn. */
const TURN_MAX_MS = 8
/** If more than this waits, inputs are processed as they arrive, which stops reading from sockets meanwhile. */
const WAITING_MAX_BYTES: number = 8 * 1024 * 1024
/** Memory of an input besides its bytes. */
const INPUT_COST_BYTES = 384

/**
 * Spreads the processing of network input over turns of the event loop, in order. A socket may deliver a megabyte at
 * once; processing all of it in one turn would delay every timer of the application.
 */
export class Inbox {
  readonly #take: (input: Input) => void
  #waiting: Input[] = []
  #first = 0
  #waitingBytes = 0
  #turnStartMs: number | undefined

  constructor(take: (input: Input) => void) {
    this.#take = take
  }

  /** Memory of the waiting inputs, in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Processes the input now, or in a later turn if this one has lasted long enough. */
  offer(input: Input): void {
    if (this.#first === this.#waiting.length && this.#mayGoOn()) {
      this.#take(input)
      return
    }
    this.#waiting.push(input)
    this.#waitingBytes += sizeOf(input)
    while (this.#waitingBytes > WAITING_MAX_BYTES) this.#takeFirst()
  }

  #mayGoOn(): boolean {
    if (this.#turnStartMs !== undefined) return performance.now() - this.#turnStartMs < TURN_MAX_MS
    this.#turnStartMs = performance.now()
    nextTurn(() => {
      this.#turnStartMs = undefined
      while (this.#first < this.#waiting.length && this.#mayGoOn()) this.#takeFirst()
    })
    return true
  }

  #takeFirst(): void {
    const input = this.#waiting[this.#first++]!
    this.#waitingBytes -= sizeOf(input)
    if (this.#first === this.#waiting.length) {
      this.#waiting = []
      this.#first = 0
    }
    this.#take(input)
  }
}

function sizeOf(input: Input): number {
  return INPUT_COST_BYTES + ('bytes' in input ? input.bytes.length : 0)
}
