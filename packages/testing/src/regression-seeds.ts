import { SIMULATED_KINDS } from './simulated-collection.ts'
import type { SimulationOptions } from './simulator.ts'

/** A simulation that failed once. */
export interface RegressionSeed extends SimulationOptions {
  /** What was wrong. */
  readonly why: string
}

const SMALL = { peers: 5, minutes: 1 } as const

/** They run in every test run. A seed means another simulation after a change of the simulator: then it is one more. */
export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
  { seed: 1, ...SMALL, why: 'a session wanted with a neighbour while another was under way kept the peer awake' },
  { seed: 8, ...SMALL, why: 'a peer without a disk wanted to cut its log, and was kept awake by it' },
  { seed: 3, ...SMALL, why: 'a session sent own writes before they were durable; a crash gave their dots out again' },
  { seed: 32, ...SMALL, why: 'the first checkpoint after a restart cut a log whose entries were in no segment' },
  { seed: 119, ...SMALL, why: 'a damaged part blob was never removed: each opening forgot all vectors' },
  { seed: 30, ...SMALL, why: 'a damaged segment that no entry was left of stayed damaged' },
  {
    seed: 101490,
    peers: 4,
    minutes: 1,
    why: 'entries read from an unfinished checkpoint were not written by the next',
  },
  { seed: 100781, peers: 4, minutes: 1, why: 'a session sent two rows that shared a dot for ever' },
  { seed: 41180, peers: 4, minutes: 1, why: 'two lives of a peer in one millisecond were taken for one' },
  {
    seed: 3724905169,
    kinds: SIMULATED_KINDS,
    why: 'a life that a lost disk and a clock set back made look older was never taken for the one that runs',
  },
  {
    seed: 775957565,
    kinds: SIMULATED_KINDS,
    minutes: 1,
    why: 'the simulator took a write that a crash had undone for the one that got its version',
  },
  {
    seed: 50858,
    kinds: SIMULATED_KINDS,
    minutes: 2,
    why: 'the simulator took a write that a disk set back had undone for the one that got its version',
  },
  {
    seed: 50620,
    kinds: SIMULATED_KINDS,
    why: 'the simulator took writes on a damaged disk, which were overwritten since, for writes that never reached it',
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
    why: 'the simulator took the first registration of a peer for rows that travel between equal peers',
  },
  { seed: 449, why: 'after its clock was set back, others went by the record of a former life of a peer' },
]
