import { PARTITIONS_MAX, PARTITIONS_MIN } from '../limits.ts'

/**
 * The number that stands for a partition on the wire and in the store: the count of partitions plus the index, so that
 * partitions of collections with different counts never meet. A replicated collection has one partition, number 0.
 */
export function partitionNumber(count: number, index: number): number {
  return count === 1 ? index : count + index
}

/** Whether a partition is that of a replicated collection, and not one of many. */
export function isReplicated({ partition }: { readonly partition: number }): boolean {
  return partition < PARTITIONS_MIN
}

/** How many partitions a collection has in which a partition has this number. */
export function partitionCountOf(number: number): number {
  return isReplicated({ partition: number }) ? 1 : 1 << (31 - Math.clz32(number))
}

/** Whether a partitioned collection can have so many partitions: a power of two from 16 to 4,096. */
export function isPartitionCount(count: number): boolean {
  return Number.isInteger(count) && count >= PARTITIONS_MIN && count <= PARTITIONS_MAX && (count & (count - 1)) === 0
}
