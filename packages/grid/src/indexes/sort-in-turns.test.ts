import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TimeSlices } from '../flow/time-slices.ts'
import { sortInTurns } from './sort-in-turns.ts'

it('sorts, keeps equal numbers in their order, and lets others have their turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 50 }), { maxLength: 700 }), async (weights) => {
      const numbers = Uint32Array.from(weights.keys())
      const byWeight = (one: number, other: number): number => weights[one]! - weights[other]!
      // Some of the numbers have equal ones.
      const coarse = Float64Array.from(weights, (weight) => Math.floor(weight / 7))
      const sorted = await sortInTurns(numbers, coarse, byWeight, new TimeSlices(() => undefined))
      expect([...sorted]).toEqual([...weights.keys()].toSorted(byWeight))
    }),
    { numRuns: 100 },
  )
})

it('takes no turn that is much longer than another, however many numbers there are', async () => {
  let turns = 0
  let compared = 0
  let most = 0
  const slices = new TimeSlices(
    () => undefined,
    async () => {
      turns += 1
      most = Math.max(most, compared)
      compared = 0
    },
  )
  // Its turns are over at once.
  slices.isOverNow = () => true
  const numbers = Uint32Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 50_000)
  const compare = (one: number, other: number): number => (compared++, one - other)
  const sorted = await sortInTurns(numbers, new Float64Array(50_000), compare, slices)
  expect(sorted).toEqual(Uint32Array.from({ length: 50_000 }, (_, i) => i))
  expect(turns).toBeGreaterThan(100)
  expect(most).toBeLessThanOrEqual(600)
})

it('gives others their turn in each pass over numbers that are in order already', async () => {
  let turns = 0
  const slices = new TimeSlices(
    () => undefined,
    async () => void (turns += 1),
  )
  slices.isOverNow = () => true
  const numbers = Uint32Array.from({ length: 50_000 }, (_, i) => i)
  const sorted = await sortInTurns(numbers, Float64Array.from(numbers), () => 0, slices)
  expect(sorted).toEqual(numbers)
  const runs = 50_000 / 16
  const passes = Math.ceil(Math.log2(runs))
  expect(turns).toBeGreaterThanOrEqual(runs + 3 * passes)
})
