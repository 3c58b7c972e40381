import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

const BLOCK_SIZE_BYTES = 32 * 1024
/** A checksum of four bytes, two of length, one of type. */
const HEADER_SIZE_BYTES = 7
/** Types of LevelDB's records: a whole batch, or the first, a middle and the last piece of one. */
const FULL = 1
const LAST = 4

/**
 * Bytes at the end of LevelDB's newest log that belong to an unfinished batch: a crash interrupted its writing. LevelDB
 * skips them without a report when it opens, so call this before opening.
 */
export async function tornTailBytes(directory: string): Promise<number> {
  const logs = (await readdir(directory)).filter((name) => /^\d+\.log$/.test(name))
  const newest = logs.toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b)).at(-1)
  return newest === undefined ? 0 : unfinishedBytes(await readFile(join(directory, newest)))
}

/** The number of bytes after the last whole batch. */
export function unfinishedBytes(log: Uint8Array): number {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
  let at = 0
  let wholeEnd = 0
  while (at < log.length) {
    const leftInBlock = BLOCK_SIZE_BYTES - (at % BLOCK_SIZE_BYTES)
    if (leftInBlock < HEADER_SIZE_BYTES) {
      // Room that is too small for a header is filled with zeros.
      if (wholeEnd === at) wholeEnd += leftInBlock
      at += leftInBlock
      continue
    }
    if (at + HEADER_SIZE_BYTES > log.length) break
    const end = at + HEADER_SIZE_BYTES + view.getUint16(at + 4, true)
    const type = log[at + 6]!
    if (end > log.length || type < FULL || type > LAST) break
    at = end
    if (type === FULL || type === LAST) wholeEnd = end
  }
  return Math.max(0, log.length - wholeEnd)
}
