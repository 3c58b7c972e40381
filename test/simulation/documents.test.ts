import { simulate } from '@gossipgrid/testing'
import { expect, test } from 'vitest'
import { documentApplications } from './document-application.ts'

const SEEDS = [1, 2, 4] as const

test.each(SEEDS)('documents keep what is typed and not deleted, under all faults of seed %i', (seed) => {
  const { violations, writes } = simulate({ seed, minutes: 1, kinds: [], more: documentApplications })
  expect(violations).toEqual([])
  expect(writes).toBeGreaterThan(10)
})
