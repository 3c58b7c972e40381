/**
 * Hybrid logical clock (Kulkarni and others, 2014) whose reading is one exact number: 41 bits of milliseconds since
 * 2025-01-01 and 12 bits of counter. It compares with `<`, fits a float64 column, and lasts until 2094.
 */

const EPOCH_MS = 1_735_689_600_000
const COUNTER_SPAN = 4096

/** The largest reading. A larger one from a peer is malformed. */
export const HLC_MAX: number = Number.MAX_SAFE_INTEGER

/** The HLC reading at the start of a wall millisecond. */
export function hlcFromWall(wallMs: number): number {
  return Math.max(0, Math.floor(wallMs) - EPOCH_MS) * COUNTER_SPAN
}

/** The milliseconds since 1970 of an HLC reading, such as the `hlc` of a version. */
export function wallFromHlc(hlc: number): number {
  return Math.floor(hlc / COUNTER_SPAN) + EPOCH_MS
}

/** One peer's clock. Each reading is larger than the one before, also when the wall clock stands still or jumps back. */
export class HybridClock {
  #last = 0

  get last(): number {
    return this.#last
  }

  /** A new reading for a local write: not behind the wall clock, and larger than every reading that this peer has seen. */
  tick(wallMs: number): number {
    // When the counter overflows, the milliseconds grow by one: both are parts of one number.
    this.#last = Math.max(this.#last + 1, hlcFromWall(wallMs))
    return this.#last
  }

  /** Forgets every reading. From now on only the wall clock counts. */
  reset(): void {
    this.#last = 0
  }

  /** Goes back to an earlier reading, because later ones turned out to be in the future. */
  setBack(hlc: number): void {
    this.#last = Math.min(this.#last, hlc)
  }

  /** Moves past a reading of another peer, so that a later local write wins over it. */
  observe(hlc: number): void {
    if (hlc > this.#last) this.#last = hlc
  }
}
