import { expect, test } from 'vitest'
import { MUTANTS, withMutant } from './mutants.ts'
import type { MutantName } from './mutants.ts'
import { simulate } from './simulator.ts'
import type { SimulationOptions } from './simulator.ts'

/**
 * Seeds that have caught each mutant. Whatever changes the course of a simulation may let one of them slip, hence
 * several; when all do, look for new ones with `npm run sim -- --seeds 200 --peers 5 --minutes 1 --mutant NAME`.
 */
const CAUGHT_BY: Readonly<Record<MutantName, readonly number[]>> = {
  'no-tie-break': [6, 8, 11, 9, 2, 5],
  'sequence-reuse': [3, 11, 5, 8, 6, 2],
  'vector-before-rows': [3, 5, 4, 6, 7, 8],
  'early-purge': [3, 11, 5, 6, 15, 14],
  'early-acknowledgement': [3, 20, 22, 27, 23, 9, 17],
  'early-frame': [3, 53, 20, 27, 58, 23, 17],
  'kept-vector': [119, 172, 50, 10, 57, 146, 30],
  'early-voids': [9, 8, 6, 10, 17, 30, 31],
}

test.each(Object.keys(MUTANTS) as MutantName[])('the simulator finds the planted bug %s', (name) => {
  const options = (seed: number): SimulationOptions => ({ seed, peers: 5, minutes: 1 })
  const catches = (seed: number): boolean => withMutant(name, () => simulate(options(seed))).violations.length > 0
  const caughtBy = CAUGHT_BY[name].find(catches)
  expect(caughtBy, `none of the seeds catches ${name} any more`).toBeDefined()
  expect(simulate(options(caughtBy!)).violations).toEqual([])
})
