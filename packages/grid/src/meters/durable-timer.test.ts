import { expect, it } from 'vitest'
import { DurableTimer } from './durable-timer.ts'

/** The counts of all buckets that have any, by the bound of the bucket in milliseconds. */
function counted(timer: DurableTimer): Record<string, number> {
  const { bounds, counts } = timer.histogram.snapshot()
  const entries = counts.map((count, i) => [String((bounds[i] ?? Infinity) * 1000), count] as const)
  return Object.fromEntries(entries.filter(([, count]) => count > 0))
}

it('writes of one turn take as long as their turn', () => {
  const timer = new DurableTimer()
  timer.begin(1, 100)
  timer.begin(11, 103)
  timer.durable(10, 105)
  expect(counted(timer)).toEqual({ '6.4': 10 })
  timer.durable(15, 105)
  expect(counted(timer)).toEqual({ '6.4': 10, '3.2': 5 })
})

it('a turn whose writes become durable bit by bit is counted bit by bit', () => {
  const timer = new DurableTimer()
  timer.begin(1, 0)
  timer.durable(3, 1)
  timer.durable(4, 100)
  timer.begin(5, 200)
  timer.durable(5, 201)
  expect(counted(timer)).toEqual({ '1.6': 4, '102.4': 1 })
})

it('while the store stands still only so many turns are kept, and no write is left out', () => {
  const timer = new DurableTimer()
  for (let turn = 0; turn < 5000; turn++) timer.begin(turn * 2 + 1, turn)
  timer.durable(10_000, 60_000)
  const { count, sum } = timer.histogram.snapshot()
  expect(count).toBe(10_000)
  // Those without a turn of their own count from the last turn there is.
  expect(sum).toBeGreaterThan(10_000 * 55)
  timer.begin(10_001, 70_000)
  timer.durable(10_001, 70_001)
  expect(timer.histogram.snapshot().count).toBe(10_001)
})
