import { Histogram } from './histogram.ts'

/** Turns that are measured separately. Past that, writes share the start of the last turn. */
const TURNS_MAX = 1024

interface Turn {
  /** Ids of the writes of this turn that are not durable yet. */
  firstWriteId: number
  lastWriteId: number
  readonly startMs: number
}

/**
 * Measures how long writes take to become durable. Writes of one turn of the event loop share one start time, so that
 * measuring costs one comparison a write.
 */
export class DurableTimer {
  readonly histogram: Histogram = new Histogram(0.0001, 18)
  #turns: Turn[] = []

  /** Starts a turn with its first write. Write ids are consecutive. */
  begin(writeId: number, nowMs: number): void {
    this.#endTurn(writeId - 1)
    if (this.#turns.length < TURNS_MAX) {
      this.#turns.push({ firstWriteId: writeId, lastWriteId: Infinity, startMs: nowMs })
    } else this.#turns.at(-1)!.lastWriteId = Infinity
  }

  /** All writes up to this one are durable. */
  durable(writeId: number, nowMs: number): void {
    let done = 0
    for (const turn of this.#turns) {
      if (turn.firstWriteId > writeId) break
      const last = Math.min(turn.lastWriteId, writeId)
      this.histogram.observe((nowMs - turn.startMs) / 1000, last - turn.firstWriteId + 1)
      turn.firstWriteId = last + 1
      // Writes become durable in a later turn, so a turn whose writes are all durable is over.
      if (turn.firstWriteId > turn.lastWriteId) done += 1
    }
    if (done > 0) this.#turns.splice(0, done)
  }

  /** Ends the last turn with this write. */
  #endTurn(lastWriteId: number): void {
    const turn = this.#turns.at(-1)
    if (turn !== undefined && turn.lastWriteId === Infinity) turn.lastWriteId = lastWriteId
  }
}
