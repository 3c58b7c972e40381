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
  readonly #bounds: Float64Array
  readonly #counts: Float64Array
  #count = 0
  #sum = 0

  /** `buckets` bounded ones, the first up to `firstSeconds`. */
  constructor(firstSeconds: number, buckets: number) {
    // Rounded, so that bounds are the numbers they look like: they become labels.
    this.#bounds = Float64Array.from({ length: buckets }, (_, i) => Number((firstSeconds * 2 ** i).toPrecision(6)))
    this.#counts = new Float64Array(buckets + 1)
  }

  /** `times` durations of the same length. */
  observe(seconds: number, times = 1): void {
    let low = 0
    let high = this.#bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (seconds <= this.#bounds[middle]!) high = middle
      else low = middle + 1
    }
    this.#counts[low]! += times
    this.#count += times
    this.#sum += seconds * times
  }

  snapshot(): HistogramSnapshot {
    return { bounds: [...this.#bounds], counts: [...this.#counts], count: this.#count, sum: this.#sum }
  }
}
