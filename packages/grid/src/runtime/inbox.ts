import type { Input } from '@gossipgrid/core'
import { nextTurn } from '../flow/next-turn.ts'

/** How long what arrives may be worked on before timers and other sockets get their turn. */
const TURN_MAX_MS = 8
/** With more than this waiting, inputs are taken as they come, which stops the reading of the sockets meanwhile. */
const WAITING_MAX_BYTES: number = 8 * 1024 * 1024
/** What an input costs besides its bytes. */
const INPUT_COST_BYTES = 384

/**
 * Spreads what the network brings over turns of the event loop, in order: a megabyte may come out of a socket at once,
 * and taking it in one go would make every timer of the application wait for it.
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

  /** Memory of what waits for its turn, in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Takes the input now, or later when this turn has lasted long enough already. */
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
