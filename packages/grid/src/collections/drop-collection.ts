import { DROPS, IndexRows, checkCollectionName, kindCode } from '@gossipgrid/core'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import { checkAborted } from '../runtime/waiting.ts'
import type { Pump, WritePath } from '../runtime/write-path.ts'

/** See `Grid.dropCollection`. Calls `dropped` when the collection is gone here. */
export async function dropCollection(
  writes: WritePath,
  name: string,
  dropped: () => void,
  options?: WriteOptions,
): Promise<Receipt | undefined> {
  checkCollectionName(name)
  checkWriteOptions(options, WRITE_OPTIONS)
  const { pump } = writes
  await pump.peer.housekeeping.loadRare()
  pump.checkOpen()
  checkAborted(options?.signal)
  const forgetIndexes = indexesOf(pump, name)
  const written = pump.undisturbed(() => pump.peer.housekeeping.drops!.drop(name, pump.now()))
  if (written === undefined) return undefined
  pump.undisturbed(forgetIndexes)
  dropped()
  return writes.follow(pump.peer.collections.internal(DROPS), written, options)
}

/** The owners of a partitioned collection keep its indexes no longer once the returned function is called. */
function indexesOf({ peer }: Pump, title: string): () => void {
  const name = peer.collections.dropped.current(title)
  const descriptor = peer.partitions.registered(name)
  if (descriptor === undefined) return () => undefined
  const kind = kindCode(descriptor)
  const origin = peer.partitions.origin({ collection: name, kind, partition: descriptor.partitions })
  if (origin === undefined) return () => undefined
  const rows = new IndexRows(peer.housekeeping.rows)
  return () => {
    for (const fields of rows.of({ name, kind, origin })) rows.remove({ name, kind, origin }, fields)
  }
}
