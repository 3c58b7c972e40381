import type { Collection, Partition, Written } from '@gossipgrid/core'
import type { Receipt } from './receipt.ts'

/** A row to write. Without bytes it is a tombstone. */
export interface RowWrite {
  readonly partition: Partition
  readonly key: string
  readonly bytes: Uint8Array | undefined
}

/** Writes that were applied, and are not durable yet. */
export interface BegunWrites {
  /** Resolves when all of them are durable. */
  readonly durable: Promise<Receipt>
  /** The last write of each partition. */
  readonly parts: ReadonlyMap<Partition, Written>
}

/** The one partition of a replicated collection. */
export function onlyPartition(collection: Collection): Partition {
  return collection.partitions[0]!
}
