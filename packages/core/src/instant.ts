/**
 * A reading of both clocks of one machine. Wall time dates writes and may jump; monotonic time drives every wait,
 * so that a wall clock that jumps or stands still delays nothing.
 */
export interface Instant {
  /** Milliseconds since 1970 as the machine believes them. */
  readonly wallMs: number
  /** Milliseconds since some fixed moment; never goes back. */
  readonly monotonicMs: number
}

/** The only source of chance in core, injected so that a run can be repeated. */
export interface RandomSource {
  /** A uniform integer in [0, 2^32). */
  uint32(): number
}
