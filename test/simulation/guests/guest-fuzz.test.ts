import { expect, test } from 'vitest'
import { fuzzGuests } from './guest-fuzz.ts'

test.each([1, 2, 3])(
  'thousands of hostile messages of guests are refused or do no harm, and others are served, seed %i',
  async (seed) => {
    const result = await fuzzGuests({ seed, inputs: 3000 })
    expect(result.finding).toBe('')
    expect(result.ended).toBeGreaterThan(100)
    expect(result.writesTaken).toBeGreaterThan(100)
    expect(result.writesRefused).toBeGreaterThan(100)
  },
)
