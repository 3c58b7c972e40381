/** What a histogram has counted so far. Plain numbers, fit for JSON. */
export interface HistogramSnapshot {
  /** Upper bounds of the buckets in seconds, ascending, each inclusive; above the last one there is one more bucket. */
  readonly bounds: readonly number[]
  /** How many fell into each bucket, not cumulative; one more than there are bounds. */
  readonly counts: readonly number[]
  readonly count: number
  /** Of all durations, in seconds. */
  readonly sum: number
}

/** Counts durations in fixed buckets, each twice as wide as the one before. Observing allocates nothing. */
export class Histogram {
  readonly #firstSeconds: number
  readonly #bounds: Float64Array
  readonly #counts: Float64Array
  #count = 0
  #sum = 0

  /** `buckets` bounded ones, the first up to `firstSeconds`. */
  constructor(firstSeconds: number, buckets: number) {
    this.#firstSeconds = firstSeconds
    // Rounded, so that bounds are the numbers they look like: they become labels.
    this.#bounds = Float64Array.from({ length: buckets }, (_, i) => Number((firstSeconds * 2 ** i).toPrecision(6)))
    this.#counts = new Float64Array(buckets + 1)
  }

  /** `times` durations of the same length. */
  observe(seconds: number, times = 1): void {
    // How often the first bound has to be doubled to hold it: that many buckets further.
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
