import { simulate } from '@gossipgrid/testing'
import { bytesInUse } from '@gossipgrid/testing/sim-command'
import { expect, test } from 'vitest'
import { DocumentApplication } from './document-application.ts'

/** Code that is compiled on the way takes some; a simulation whose peers or documents stay takes megabytes. */
const STAYS_PER_SEED_MAX_BYTES = 400_000
/** In each of these runs documents are compacted, and closed by it. */
const SEEDS = [2054, 4218, 4212]

function run(seed: number): void {
  const application = new DocumentApplication()
  simulate({ seed, peers: 4, minutes: 0.5, kinds: ['map'], more: () => [application] })
  expect(application.begunAnew).toBeGreaterThan(0)
}

// In one turn of the event loop, as `npm run sim` runs its seeds: neither the simulator nor the product may leave a job behind.
test('nothing stays of simulations that have ended', () => {
  for (const seed of SEEDS) run(seed)
  const before = bytesInUse()
  for (const seed of SEEDS) run(seed)
  const perSeedBytes = (bytesInUse() - before) / SEEDS.length
  expect(perSeedBytes).toBeLessThan(STAYS_PER_SEED_MAX_BYTES)
})
