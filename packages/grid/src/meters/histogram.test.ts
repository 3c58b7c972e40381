import { expect, it } from 'vitest'
import { Histogram } from './histogram.ts'

it('a duration falls into the first bucket whose bound it does not exceed', () => {
  const histogram = new Histogram(0.001, 4)
  for (const seconds of [0, 0.001, 0.0011, 0.002, 0.0079, 0.008, 0.0081, 3600]) histogram.observe(seconds)
  const { bounds, counts, count, sum } = histogram.snapshot()
  expect(bounds).toEqual([0.001, 0.002, 0.004, 0.008])
  expect(counts).toEqual([2, 2, 0, 2, 2])
  expect(count).toBe(8)
  expect(sum).toBeCloseTo(3600.0281, 6)
})

it('the longest durations fall into the last bucket', () => {
  const histogram = new Histogram(0.00001, 20)
  for (const seconds of [5.2, 5.3, 1e5, 1e9, Infinity]) histogram.observe(seconds)
  expect(histogram.snapshot().counts.slice(-2)).toEqual([1, 4])
})

it('many durations of one length count as many', () => {
  const histogram = new Histogram(1, 2)
  histogram.observe(1.5, 1000)
  expect(histogram.snapshot()).toEqual({ bounds: [1, 2], counts: [0, 1000, 0], count: 1000, sum: 1500 })
})

it('bounds are short numbers, since they become labels', () => {
  const bounds = new Histogram(0.00001, 20).snapshot().bounds.map(String)
  expect(bounds.every((bound) => bound.length <= 8)).toBe(true)
})
