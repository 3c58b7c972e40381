import type { ImageBlob, StorageOperation } from '@gossipgrid/core'
import { levelStorage } from '@gossipgrid/storage'

const BATCH_MAX_BYTES: number = 4 * 1024 * 1024

/**
 * Makes a data directory of the blobs of a backup. The peer that opens it has another identity, and what the peer of the backup had:
 * in a grid that lives on, it is a peer that returns with an old copy. Rejects with `STORAGE_FORMAT` for a directory with other
 * files, and with errors of the store.
 */
export async function restoreBlobs(
  blobs: AsyncIterable<Pick<ImageBlob, 'key' | 'bytes'>>,
  directory: string,
): Promise<void> {
  const storage = await levelStorage({ directory })
  try {
    let batch: StorageOperation[] = []
    let sizeBytes = 0
    for await (const { key, bytes } of blobs) {
      batch.push({ type: 'put', key, bytes })
      sizeBytes += bytes.length
      if (sizeBytes < BATCH_MAX_BYTES) continue
      await storage.write(batch, { durable: true })
      batch = []
      sizeBytes = 0
    }
    await storage.write(batch, { durable: true })
  } finally {
    await storage.close()
  }
}
