/** What one run measured: unit in each name, such as `putPerSec` or `healMs`. */
export type Figures = Record<string, number>

/** One benchmark by name. */
export interface Bench {
  readonly name: string
  readonly summary: string
  readonly runsDefault: number
  /** Measures everything once. Throws when something that should have happened did not. */
  readonly run: (progress: (line: string) => void) => Promise<Figures>
}
