/** The figures of one run. Each name has its unit, such as `putPerSec` or `healMs`. */
export type Figures = Record<string, number>

/** One benchmark by name. */
export interface Bench {
  readonly name: string
  readonly summary: string
  readonly runsDefault: number
  /** Measures everything once. Throws when an expected event did not happen. */
  readonly run: (progress: (line: string) => void) => Promise<Figures>
}
