import { LOG_BLOB_MAX_BYTES, UNDURABLE_BLOCK_COST_BYTES, UNDURABLE_WRITE_COST_BYTES } from '../limits.ts'
import type { Audience } from '../placement/placement.ts'
import type { StorageOperation } from '../ports.ts'

/** Writes of this peer that became durable together and may now leave, as one block. */
export interface DurableFrame {
  readonly block: Uint8Array
  readonly writes: number
  /** Who holds the partitions written to. */
  readonly audience: Audience
  /** Number of the replica id of all its rows; undefined where there are several. */
  readonly writer: number | undefined
}

/** One thing waiting to be stored, in order. */
export interface Pending {
  /** A block for the log, or nothing when there are only operations. */
  readonly block: Uint8Array | undefined
  readonly operations: readonly StorageOperation[]
  /** Own writes in the block: 0 for what came from elsewhere. */
  readonly writes: number
  /** The block, cut by who is to have its parts. */
  readonly frames: readonly DurableFrame[]
  readonly writeIdMax: number
  readonly whenDurable: readonly (() => void)[]
}

/** Bytes of several blocks. */
function sizeOf(blocks: readonly Uint8Array[]): number {
  return blocks.reduce((sum, { length }) => sum + length, 0)
}

/** What it costs in memory besides its bytes. */
export function overheadOf({ block, writes }: Pending): number {
  if (writes > 0) return writes * UNDURABLE_WRITE_COST_BYTES
  return block === undefined ? 0 : UNDURABLE_BLOCK_COST_BYTES
}

/** Joins blocks into one. */
export function concatenate(blocks: readonly Uint8Array[]): Uint8Array {
  if (blocks.length === 1) return blocks[0]!
  const joined = new Uint8Array(sizeOf(blocks))
  let position = 0
  for (const block of blocks) {
    joined.set(block, position)
    position += block.length
  }
  return joined
}

/** Bytes that it brings to the store. */
export function storedBytesOf(item: Pending): number {
  let bytes = item.block?.length ?? 0
  for (const operation of item.operations) if (operation.type === 'put') bytes += operation.bytes.length
  return bytes
}

/** The batch that stores these, and how many blobs of the log are in it: blocks that follow each other share one. */
export function batchOf(
  items: readonly Pending[],
  logKeyOf: (number: number) => string,
): { readonly batch: readonly StorageOperation[]; readonly logBytes: number; readonly logs: number } {
  const batch: StorageOperation[] = []
  let logBytes = 0
  let logs = 0
  let blocks: Uint8Array[] = []
  let blobBytes = 0
  const closeBlob = (): void => {
    if (blocks.length === 0) return
    batch.push({ type: 'put', key: logKeyOf(logs++), bytes: concatenate(blocks) })
    blocks = []
    blobBytes = 0
  }
  for (const item of items) {
    if (item.block !== undefined) {
      blocks.push(item.block)
      blobBytes += item.block.length
      logBytes += item.block.length
      if (blobBytes >= LOG_BLOB_MAX_BYTES) closeBlob()
    }
    if (item.operations.length > 0) {
      closeBlob()
      batch.push(...item.operations)
    }
  }
  closeBlob()
  return { batch, logBytes, logs }
}
