import { simulate } from '@gossipgrid/testing'
import { expect, test } from 'vitest'
import { documentApplications } from './document-application.ts'

/** Seeds that failed once, and what was wrong; and some that never did. */
const SEEDS = [
  { seed: 1, why: 'never failed' },
  { seed: 4, why: 'never failed' },
  { seed: 2025, why: 'a row that waited for a row that waited was not shown when both could be' },
  { seed: 2054, why: 'the same' },
] as const

test.each(SEEDS)('documents keep what is typed and not deleted, under the faults of seed $seed: $why', ({ seed }) => {
  const { violations, writes } = simulate({ seed, minutes: 1, kinds: [], more: documentApplications })
  expect(violations).toEqual([])
  expect(writes).toBeGreaterThan(10)
})
