import type { Figures } from './bench.ts'

function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which `share` of the values lie, interpolated between neighbours; NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

/** One figure over several runs. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Summarises each figure over all runs, in the order of the first run. */
export function summarize(runs: readonly Figures[]): Map<string, Summary> {
  const summaries = new Map<string, Summary>()
  for (const name of Object.keys(runs[0] ?? {})) {
    const values = runs.map((run) => run[name] ?? Number.NaN)
    summaries.set(name, { median: median(values), min: Math.min(...values), max: Math.max(...values) })
  }
  return summaries
}
