/**
 * A reading of both clocks of a machine. Wall time dates writes, and may jump. Monotonic time drives every wait, so that a
 * wall clock that jumps or stands still delays nothing.
 */
export interface Instant {
  /** Milliseconds since 1970, by the machine's clock. */
  readonly wallMs: number
  /** Milliseconds since some fixed moment; never goes back. */
  readonly monotonicMs: number
}

/** The only source of random numbers in core. It is injected, so that a seed repeats a run. */
export interface RandomSource {
  /** A uniform integer in [0, 2^32). */
  uint32(): number
}
