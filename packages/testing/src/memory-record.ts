/** Bytes in use, sampled at moments of simulated time. */
export class MemoryRecord {
  readonly #measure: () => number
  readonly samples: { readonly minute: number; readonly bytes: number }[] = []

  /** `measure` has to collect garbage first: without that its samples are chance. */
  constructor(measure: () => number) {
    this.#measure = measure
  }

  sample(minute: number): void {
    this.samples.push({ minute, bytes: this.#measure() })
  }

  /**
   * How far the median of the last third lies above that of the middle third: 0.05 is 5 % more. Undefined for fewer
   * than nine samples.
   */
  get growth(): number | undefined {
    const third = Math.floor(this.samples.length / 3)
    if (third < 3) return undefined
    return median(this.samples.slice(-third)) / median(this.samples.slice(-2 * third, -third)) - 1
  }
}

function median(samples: readonly { readonly bytes: number }[]): number {
  const sorted = samples.map(({ bytes }) => bytes).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}
