import { closeSync, openSync, readSync } from 'node:fs'

/**
 * The bytes of a file. Throws `RangeError` where it has more than `sizeMaxBytes`: some, such as /dev/zero, never end.
 */
export function readAtMost(path: string, sizeMaxBytes: number): Buffer {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(sizeMaxBytes + 1)
    let sizeBytes = 0
    while (sizeBytes <= sizeMaxBytes) {
      const readBytes = readSync(descriptor, bytes, sizeBytes, bytes.length - sizeBytes, null)
      if (readBytes === 0) return bytes.subarray(0, sizeBytes)
      sizeBytes += readBytes
    }
    throw new RangeError(`it is longer than ${sizeMaxBytes} bytes`)
  } finally {
    closeSync(descriptor)
  }
}
