import type { Input } from '@gossipgrid/core'
import { nextTurn } from '../flow/next-turn.ts'

/** How long inputs are processed in one turn of the event loop. Then timers and sockets get their turn. */
const TURN_MAX_MS = 8
/** If more than this waits, inputs are processed as they arrive, which stops reading from sockets meanwhile. */
const WAITING_MAX_BYTES: number = 8 * 1024 * 1024
/** Memory of an input besides its bytes. */
const INPUT_COST_BYTES = 384

/**
 * Spreads the processing of network input over turns of the event loop. A socket may deliver a megabyte at once;
 * processing all of it in one turn would delay every timer of the application.
 *
 * Frames and what else is broadcast go before the messages of streams, which may be chunks of a large session: so an edit of
 * another peer shows here after the chunk that is being applied, not after all that have arrived. Those travel on ways of
 * their own, on which no order between them and messages is promised; each kind keeps its own order, and none overtakes the
 * begin or the end of a connection. Each turn takes one message at least, so that frames without end do not hold up sessions.
 */
export class Inbox {
  readonly #take: (input: Input) => void
  readonly #live = new Waiting()
  readonly #messages = new Waiting()
  /** Connections and their ends among what waits: nothing goes before them. */
  #barriers = 0
  #turnStartMs: number | undefined

  constructor(take: (input: Input) => void) {
    this.#take = take
  }

  /** Memory of the waiting inputs, in bytes. */
  get waitingBytes(): number {
    return this.#live.bytes + this.#messages.bytes
  }

  /** Processes the input now, or in a later turn if this one has lasted long enough. */
  offer(input: Input): void {
    const goesFirst = isLive(input) && this.#barriers === 0
    if (this.#live.isEmpty && (goesFirst || this.#messages.isEmpty) && this.#mayGoOn()) {
      this.#take(input)
      return
    }
    if (isBarrier(input)) this.#barriers += 1
    const waiting = goesFirst ? this.#live : this.#messages
    waiting.push(input)
    while (this.waitingBytes > WAITING_MAX_BYTES) this.#takeFrom(this.#live.isEmpty ? this.#messages : this.#live)
  }

  get #isEmpty(): boolean {
    return this.#live.isEmpty && this.#messages.isEmpty
  }

  #mayGoOn(): boolean {
    if (this.#turnStartMs !== undefined) return performance.now() - this.#turnStartMs < TURN_MAX_MS
    this.#turnStartMs = performance.now()
    nextTurn(() => {
      this.#turnStartMs = undefined
      if (!this.#isEmpty) this.#takeTurn()
    })
    return true
  }

  #takeTurn(): void {
    let messages = 0
    while (!this.#isEmpty && this.#mayGoOn()) {
      if (!this.#live.isEmpty) this.#takeFrom(this.#live)
      else {
        messages += 1
        this.#takeFrom(this.#messages)
      }
    }
    if (messages === 0 && !this.#messages.isEmpty) this.#takeFrom(this.#messages)
  }

  #takeFrom(waiting: Waiting): void {
    const input = waiting.take()
    if (waiting === this.#messages && isBarrier(input)) this.#barriers -= 1
    this.#take(input)
  }
}

/** Inputs in their order. */
class Waiting {
  #inputs: Input[] = []
  #first = 0
  bytes = 0

  get isEmpty(): boolean {
    return this.#first === this.#inputs.length
  }

  push(input: Input): void {
    this.#inputs.push(input)
    this.bytes += sizeOf(input)
  }

  take(): Input {
    const input = this.#inputs[this.#first++]!
    this.bytes -= sizeOf(input)
    if (this.isEmpty) {
      this.#inputs = []
      this.#first = 0
    }
    return input
  }
}

function isLive({ type }: Input): boolean {
  return type === 'direct' || type === 'broadcast'
}

function isBarrier(input: Input): boolean {
  return input.type !== 'message' && !isLive(input)
}

function sizeOf(input: Input): number {
  return INPUT_COST_BYTES + ('bytes' in input ? input.bytes.length : 0)
}
