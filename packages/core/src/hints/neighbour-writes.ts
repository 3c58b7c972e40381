import {
  WRITES_UNDER_WAY_MAX_BYTES,
  WRITE_PATIENCE_MS,
  WRITE_PAUSE_MAX_MS,
  WRITE_PAUSE_MS,
  WRITE_RETRY_MS,
} from '../limits.ts'
import type { Hint } from './hints.ts'

/** A message that the neighbour has not answered. */
export interface Sent {
  readonly hints: readonly Hint[]
  readonly bytes: number
  readonly sentAtMs: number
}

/** The rows that are for one neighbour, and the messages with rows that it has not answered. */
export class NeighbourWrites {
  readonly #waiting = new Set<Hint>()
  /** When each row was last sent. It stays here until the neighbour has it for good. */
  readonly #askedAtMs = new Map<Hint, number>()
  readonly #underWay = new Map<number, Sent>()
  #bytes = 0
  #pausedUntilMs = -Infinity
  #pauseMs = WRITE_PAUSE_MS

  /** Something may be sent now. */
  isReady(nowMs: number): boolean {
    return this.#waiting.size > 0 && this.#bytes < WRITES_UNDER_WAY_MAX_BYTES && nowMs >= this.#pausedUntilMs
  }

  /** Whether it is to have a row, or was sent it. */
  has(hint: Hint): boolean {
    return this.#waiting.has(hint) || this.#askedAtMs.has(hint)
  }

  /** It is to have a row, unless it was sent that already. */
  want(hint: Hint): void {
    if (!this.#askedAtMs.has(hint)) this.#waiting.add(hint)
  }

  /** The rows that wait, in the order in which they came. */
  get waiting(): Iterable<Hint> {
    return this.#waiting
  }

  sent(request: number, sent: Sent): void {
    this.#underWay.set(request, sent)
    this.#bytes += sent.bytes
    for (const hint of sent.hints) {
      this.#waiting.delete(hint)
      this.#askedAtMs.set(hint, sent.sentAtMs)
    }
  }

  /** What was asked for in a request that is answered now; undefined if it is not one of them. */
  take(request: number): Sent | undefined {
    const sent = this.#underWay.get(request)
    if (sent === undefined) return undefined
    this.#underWay.delete(request)
    this.#bytes -= sent.bytes
    return sent
  }

  /** Nothing more is to be done about a row. */
  forget(hint: Hint): void {
    this.#waiting.delete(hint)
    this.#askedAtMs.delete(hint)
  }

  /** The neighbour has no room: it is left alone for a while, longer each time. */
  pause(nowMs: number): void {
    this.#pausedUntilMs = nowMs + this.#pauseMs
    this.#pauseMs = Math.min(2 * this.#pauseMs, WRITE_PAUSE_MAX_MS)
  }

  /** The neighbour takes rows again. */
  resume(): void {
    this.#pauseMs = WRITE_PAUSE_MS
  }

  /**
   * Rows that were sent long ago and are not taken for good wait again, or are given up if the neighbour has had its turn. Those that were
   * sent lately are not looked at: they may be very many.
   */
  look(isWanted: (hint: Hint) => boolean, hadItsTurn: boolean, nowMs: number): void {
    for (const [request, { sentAtMs }] of this.#underWay) {
      if (nowMs - sentAtMs >= WRITE_PATIENCE_MS) this.take(request)
    }
    let underWay: Set<Hint> | undefined
    // In the order in which they were sent.
    for (const [hint, askedAtMs] of this.#askedAtMs) {
      if (nowMs - askedAtMs < WRITE_RETRY_MS) break
      underWay ??= new Set([...this.#underWay.values()].flatMap(({ hints }) => hints))
      const wanted = isWanted(hint)
      if (wanted && underWay.has(hint)) continue
      this.#askedAtMs.delete(hint)
      if (wanted && !hadItsTurn) this.#waiting.add(hint)
    }
  }
}
