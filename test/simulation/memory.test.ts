import { simulate } from '@gossipgrid/testing/simulation'
import { bytesInUse } from '@gossipgrid/testing/sim-command'
import { expect, test } from 'vitest'
import { DocumentApplication } from './document-application.ts'

/**
 * Code that is compiled meanwhile takes some memory; a simulation whose peers or documents are not freed takes
 * megabytes.
 */
const STAYS_PER_SEED_MAX_BYTES = 400_000
/** Each of these runs compacts documents, which closes them. */
const SEEDS = [2054, 4218, 4212]

function run(seed: number): void {
  const application = new DocumentApplication()
  simulate({ seed, peers: 4, minutes: 0.5, kinds: ['map'], more: () => [application] })
  expect(application.compactions).toBeGreaterThan(0)
}

// All in one turn of the event loop, like the seeds of `npm run sim`: neither the simulator nor the product may leave a
// job queued.
test('nothing of a finished simulation stays in memory', () => {
  for (const seed of SEEDS) run(seed)
  const before = bytesInUse()
  for (const seed of SEEDS) run(seed)
  const perSeedBytes = (bytesInUse() - before) / SEEDS.length
  expect(perSeedBytes).toBeLessThan(STAYS_PER_SEED_MAX_BYTES)
})
