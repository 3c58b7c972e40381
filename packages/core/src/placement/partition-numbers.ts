import { PARTITIONS_MAX, PARTITIONS_MIN } from '../limits.ts'

/**
 * The number that stands for a partition on the wire and in the store: the count of partitions plus the index, so that
 * partitions of collections with different counts never meet. A replicated collection has one partition, number 0.
 */
export function partitionNumber(count: number, index: number): number {
  return count === 1 ? index : count + index
}

/** How many partitions a collection has in which a partition has this number. */
export function partitionCountOf(number: number): number {
  return number < PARTITIONS_MIN ? 1 : 2 ** Math.floor(Math.log2(number))
}

/** Whether a partitioned collection can have so many partitions: a power of two whose numbers fit a message. */
export function isPartitionCount(count: number): boolean {
  return Number.isInteger(Math.log2(count)) && count >= PARTITIONS_MIN && 2 * count <= PARTITIONS_MAX
}
