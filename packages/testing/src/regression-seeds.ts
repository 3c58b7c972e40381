import { SIMULATED_KINDS } from './simulated-collection.ts'
import type { SimulationOptions } from './simulator.ts'

/** A simulation that failed once. */
export interface RegressionSeed extends SimulationOptions {
  /** What was wrong. */
  readonly why: string
}

const SMALL = { peers: 5, minutes: 1 } as const

/**
 * Every test run runs them. After a change of the simulator a seed gives another simulation; it is kept as one more.
 */
export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
  { seed: 1, ...SMALL, why: 'a peer that wanted a session while another was under way never slept' },
  { seed: 8, ...SMALL, why: 'a peer without a disk wanted to cut its log, and never slept' },
  { seed: 3, ...SMALL, why: 'a session sent own writes before they were durable; a crash gave their dots out again' },
  { seed: 32, ...SMALL, why: 'the first checkpoint after a restart cut a log whose entries were in no segment' },
  { seed: 119, ...SMALL, why: 'a damaged part blob was never removed: each opening forgot all vectors' },
  { seed: 30, ...SMALL, why: 'a damaged segment without remaining entries stayed damaged' },
  {
    seed: 101490,
    peers: 4,
    minutes: 1,
    why: 'entries read from an unfinished checkpoint were not written by the next',
  },
  { seed: 100781, peers: 4, minutes: 1, why: 'a session sent two rows that shared a dot for ever' },
  { seed: 41180, peers: 4, minutes: 1, why: 'two starts of a peer in one millisecond had one incarnation' },
  {
    seed: 3724905169,
    kinds: SIMULATED_KINDS,
    why: 'a running incarnation that looked older, after a lost disk and a clock set back, was never believed',
  },
  {
    seed: 775957565,
    kinds: SIMULATED_KINDS,
    minutes: 1,
    why: 'the simulator confused a write that a crash had undone with the one that got its version',
  },
  {
    seed: 50858,
    kinds: SIMULATED_KINDS,
    minutes: 2,
    why: 'the simulator confused a write that a restored disk had undone with the one that got its version',
  },
  {
    seed: 50620,
    kinds: SIMULATED_KINDS,
    why: 'the simulator thought that overwritten writes on a damaged disk had never reached it',
  },
  {
    seed: 18,
    peers: 4,
    minutes: 0.1933,
    why: 'a peer without a disk that said goodbye while the simulator healed everything was never started again',
  },
  {
    seed: 347,
    peers: 4,
    minutes: 0.2,
    why: 'the simulator mistook the first registration of a peer for rows sent between equal peers',
  },
  { seed: 449, why: 'after the clock of a peer was set back, others believed the record of its former incarnation' },
]
