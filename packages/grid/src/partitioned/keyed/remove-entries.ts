import type { PartitionReceipt, PartitionWriteOptions } from '../partition-options.ts'
import type { FoundEntry } from '../routed-entries.ts'
import type { RoutedWrites } from '../routed-writes.ts'

/** Rows that are written in one piece. */
const PIECE_ROWS_MAX = 500

/** Removes entries of one partition, as they were found. Undefined if nothing is there. */
export async function removeEntries(
  writes: RoutedWrites,
  found: readonly FoundEntry[],
  options: PartitionWriteOptions,
): Promise<PartitionReceipt | undefined> {
  const there = found.filter(({ content }) => content !== undefined)
  const rows = writes.current(there.flatMap((entry) => entry.rows(undefined, Infinity)))
  let receipt: Promise<PartitionReceipt> | undefined
  const receipts: Promise<PartitionReceipt>[] = []
  for (let at = 0; at < rows.length; at += PIECE_ROWS_MAX) {
    receipt = writes.write(rows.slice(at, at + PIECE_ROWS_MAX), options)
    receipts.push(receipt)
  }
  await Promise.all(receipts)
  return receipt
}
