import { expect, it } from 'vitest'
import { unfinishedBytes } from './torn-tail.ts'

const BLOCK_SIZE_BYTES = 32 * 1024

/** A log as LevelDB writes it, checksums left out: batches in pieces that never cross a block of 32 KiB. */
function logOf(...batchSizesBytes: readonly number[]): Uint8Array {
  const bytes: number[] = []
  for (const sizeBytes of batchSizesBytes) {
    let left = sizeBytes
    let first = true
    do {
      let room = BLOCK_SIZE_BYTES - (bytes.length % BLOCK_SIZE_BYTES)
      if (room < 7) {
        for (; room > 0; room--) bytes.push(0)
        room = BLOCK_SIZE_BYTES
      }
      const piece = Math.min(left, room - 7)
      const last = piece === left
      const type = first ? (last ? 1 : 2) : last ? 4 : 3
      bytes.push(0, 0, 0, 0, piece & 255, piece >> 8, type)
      for (let i = 0; i < piece; i++) bytes.push(255)
      left -= piece
      first = false
    } while (left > 0)
  }
  return Uint8Array.from(bytes)
}

it('whole batches leave no torn bytes, however they lie across blocks', () => {
  expect(unfinishedBytes(logOf())).toBe(0)
  for (const sizes of [
    [10],
    [10, 20],
    [100_000],
    [BLOCK_SIZE_BYTES - 7, 5],
    [BLOCK_SIZE_BYTES - 10, 5],
    [40_000, 0, 70_000],
  ]) {
    expect(unfinishedBytes(logOf(...sizes)), sizes.join()).toBe(0)
  }
})

it('a batch that was cut off at any byte is torn from its start', () => {
  const whole = logOf(40_000, 300)
  const log = logOf(40_000, 300, 70_000)
  for (const cut of [1, 5, 7, 8, 1000, 33_000, log.length - whole.length - 1]) {
    expect(unfinishedBytes(log.subarray(0, whole.length + cut)), `${cut} bytes of it`).toBe(cut)
  }
})

it('zeros at the end are space for a batch that was never written', () => {
  const whole = logOf(300)
  const log = new Uint8Array(whole.length + 5000)
  log.set(whole)
  expect(unfinishedBytes(log)).toBe(5000)
})
