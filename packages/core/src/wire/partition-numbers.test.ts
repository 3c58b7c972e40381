import { expect, test } from 'vitest'
import { PARTITIONS_MAX, PARTITION_NUMBERS_MAX } from '../limits.ts'
import { isPartitionCount, isReplicated, partitionCountOf, partitionNumber } from './partition-numbers.ts'

test('the number of a partition says how many there are', () => {
  for (const count of [1, 16, 32, 256, 2048, 4096]) {
    for (const index of [0, count >> 1, count - 1]) expect(partitionCountOf(partitionNumber(count, index))).toBe(count)
  }
})

test('the only partition of a replicated collection has a number of its own', () => {
  expect(isReplicated({ partition: partitionNumber(1, 0) })).toBe(true)
  for (const count of [16, PARTITIONS_MAX]) expect(isReplicated({ partition: partitionNumber(count, 0) })).toBe(false)
})

test('partitions of collections with different counts never have one number', () => {
  const counts = [1, 16, 32, 64, 2048, PARTITIONS_MAX]
  const numbers = counts.flatMap((count) => Array.from({ length: count }, (_, index) => partitionNumber(count, index)))
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(Math.max(...numbers)).toBe(PARTITION_NUMBERS_MAX - 1)
})

test('a count is a power of two from 16 to 4096', () => {
  expect([16, 256, 2048, 4096].map(isPartitionCount)).toEqual([true, true, true, true])
  const wrong = [0, 1, 2, 8, 17, 100, 4095, 8192, 2 ** 31, 2 ** 32, 2 ** 40, -16, 16.5, NaN, Infinity]
  expect(wrong.filter(isPartitionCount)).toEqual([])
})
