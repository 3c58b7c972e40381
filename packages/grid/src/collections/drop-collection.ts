import { DROPS, checkCollectionName } from '@gossipgrid/core'
import { WRITE_OPTIONS, checkWriteOptions } from '../batches/checks.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import { checkAborted } from '../runtime/waiting.ts'
import type { WritePath } from '../runtime/write-path.ts'

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
  const written = pump.undisturbed(() => pump.peer.housekeeping.drops!.drop(name, pump.now()))
  if (written === undefined) return undefined
  dropped()
  return writes.follow(pump.peer.collections.internal(DROPS), written, options)
}
