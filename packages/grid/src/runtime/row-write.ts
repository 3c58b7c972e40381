import { GridError } from '@gossipgrid/core'
import type { Collection, Partition, Written } from '@gossipgrid/core'
import type { WriteReceipt } from '../receipts/receipt.ts'

/** A row to write, and where. Without bytes it is a tombstone. */
export interface RowWrite<Place = Partition> {
  readonly partition: Place
  readonly key: string
  readonly bytes: Uint8Array | undefined
  /** The date of the row, where it is not now: that of the row that a remove is of, or of one that is copied. */
  readonly dateHlc?: number
}

/** Writes that were applied, and are not durable yet. */
export interface BegunWrites {
  /** Resolves when all of them are durable. */
  readonly durable: Promise<WriteReceipt>
  /** The last write of each partition. */
  readonly parts: ReadonlyMap<Partition, Written>
}

/** The one partition of a replicated collection. Throws `NOT_HELD` where this peer does not hold it. */
export function onlyPartition({ title, partitions }: Collection): Partition {
  const only = partitions[0]
  if (only === undefined) throw new GridError('NOT_HELD', `'${title}' is stored by other peers`)
  return only
}
