import { expect, test } from 'vitest'
import { PARTITIONS_MAX } from '../limits.ts'
import { isPartitionCount, partitionCountOf, partitionNumber } from './partition-numbers.ts'

test('the number of a partition says how many there are', () => {
  for (const count of [1, 16, 32, 256, 2048]) {
    for (const index of [0, count >> 1, count - 1]) expect(partitionCountOf(partitionNumber(count, index))).toBe(count)
  }
})

test('partitions of collections with different counts never have one number', () => {
  const counts = [1, 16, 32, 64, 2048]
  const numbers = counts.flatMap((count) => Array.from({ length: count }, (_, index) => partitionNumber(count, index)))
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(Math.max(...numbers)).toBeLessThan(PARTITIONS_MAX)
})

test('a count is a power of two whose numbers fit a message', () => {
  expect([16, 256, 2048].map(isPartitionCount)).toEqual([true, true, true])
  expect([0, 1, 2, 8, 17, 100, 4096, -16, 16.5, NaN, Infinity].some(isPartitionCount)).toBe(false)
})
