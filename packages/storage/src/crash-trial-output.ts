import { writeSync } from 'node:fs'

const FULL_PIPE_PAUSE_MS = 1

/**
 * Prints a line at once: a line that a killed program has not handed to the system yet is lost. Waits while the pipe is
 * full.
 */
export function printNow(line: string): void {
  let left = Buffer.from(`${line}\n`)
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_PAUSE_MS)
    }
  }
}
