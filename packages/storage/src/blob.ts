import { crc32 } from 'node:zlib'
import { GridError } from '@gossipgrid/core'

const CHECKSUM_SIZE_BYTES = 4

/**
 * The stored form of a blob: a CRC-32 over key and bytes, then a copy of the bytes. LevelDB checks its blocks only
 * during
 * compaction, so without the checksum a flipped bit would be read as a value. The checksum includes the key, so that
 * bytes
 * that turn up under another key fail the check too.
 */
export function encodeBlob(key: string, bytes: Uint8Array): Uint8Array {
  const stored = new Uint8Array(CHECKSUM_SIZE_BYTES + bytes.length)
  new DataView(stored.buffer).setUint32(0, checksum(key, bytes))
  stored.set(bytes, CHECKSUM_SIZE_BYTES)
  return stored
}

/**
 * A copy of the bytes inside `stored`. Throws `STORAGE_DAMAGED` when they are not the bytes that were written under
 * `key`.
 */
export function decodeBlob(key: string, stored: Uint8Array): Uint8Array {
  if (stored.length >= CHECKSUM_SIZE_BYTES) {
    const bytes = new Uint8Array(stored.subarray(CHECKSUM_SIZE_BYTES))
    if (checksum(key, bytes) === new DataView(stored.buffer, stored.byteOffset).getUint32(0)) return bytes
  }
  throw new GridError(
    'STORAGE_DAMAGED',
    `The blob '${key}' is damaged: its checksum does not match. Delete it and fetch its content from other peers; ` +
      'if this repeats, check the disk.',
  )
}

function checksum(key: string, bytes: Uint8Array): number {
  return crc32(bytes, crc32(key))
}
