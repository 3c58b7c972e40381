import type { SimulationOptions } from './simulator.ts'

/** A simulation that failed once. */
export interface RegressionSeed extends SimulationOptions {
  /** What was wrong. */
  readonly why: string
}

/** They run in every test run. A seed means another simulation after a change of the simulator: then it is one more. */
export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
  { seed: 2, why: 'a session wanted with a neighbour while another was under way kept the peer awake' },
  { seed: 20, why: 'a session sent own writes before they were durable; a crash gave their dots out again' },
  { seed: 30, why: 'the first checkpoint after a restart cut a log whose entries were in no segment' },
]
