/** What one run measured: unit in each name, such as `putPerSec` or `healMs`. */
export type Figures = Record<string, number>

export interface BenchOptions {
  /** How many times everything is measured; the medians are reported. */
  readonly runs: number
  /** Told what is going on, line by line. */
  readonly progress: (line: string) => void
}

/** One benchmark by name. */
export interface Bench {
  readonly name: string
  readonly summary: string
  readonly runsDefault: number
  /** Measures everything once. Throws when something that should have happened did not. */
  readonly run: (progress: (line: string) => void) => Promise<Figures>
}
