/** The counts of a histogram: plain numbers, fit for JSON. */
export interface HistogramSnapshot {
  /** Upper bounds of the buckets in seconds, ascending and inclusive. One more bucket has no upper bound. */
  readonly bounds: readonly number[]
  /** Durations in each bucket, not cumulative: one more number than there are bounds. */
  readonly counts: readonly number[]
  /** How many observations there are. */
  readonly count: number
  /** Sum of all durations, in seconds. */
  readonly sum: number
}

/** Counts durations in fixed buckets, each twice as wide as the previous one. Observing allocates nothing. */
export class Histogram {
  readonly #firstSeconds: number
  readonly #bounds: Float64Array
  readonly #counts: Float64Array
  #count = 0
  #sum = 0

  /** With `buckets` bounded buckets; the first one ends at `firstSeconds`. */
  constructor(firstSeconds: number, buckets: number) {
    this.#firstSeconds = firstSeconds
    // Rounded, because the bounds become labels.
    this.#bounds = Float64Array.from({ length: buckets }, (_, i) => Number((firstSeconds * 2 ** i).toPrecision(6)))
    this.#counts = new Float64Array(buckets + 1)
  }

  /** Adds `times` durations of the same length. */
  observe(seconds: number, times = 1): void {
    // The bucket's index is the number of times that the first bound must be doubled to reach the duration.
    const ratio = Math.min(Math.ceil(seconds / this.#firstSeconds), 2 ** 31)
    const bucket = ratio <= 1 ? 0 : Math.min(32 - Math.clz32(ratio - 1), this.#bounds.length)
    this.#counts[bucket]! += times
    this.#count += times
    this.#sum += seconds * times
  }

  snapshot(): HistogramSnapshot {
    return { bounds: [...this.#bounds], counts: [...this.#counts], count: this.#count, sum: this.#sum }
  }
}
