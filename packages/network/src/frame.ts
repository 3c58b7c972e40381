import { GridError } from '@gossipgrid/core'

/** Bytes of the length (unsigned, big-endian) in front of every message of a stream. */
const FRAME_HEADER_BYTES = 4
/** A message buffer starts no larger than this and grows with what really arrives, whatever length was announced. */
const FIRST_BUFFER_BYTES = 64 * 1024

/** One message with its length in front, in memory of its own: the caller may reuse `bytes` at once. */
export function encodeFrame(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + bytes.length)
  new DataView(frame.buffer).setUint32(0, bytes.length)
  frame.set(bytes, FRAME_HEADER_BYTES)
  return frame
}

/**
 * Cuts a byte stream back into messages. A length above `sizeMaxBytes` throws `MESSAGE_TOO_LARGE` before anything is
 * allocated for it, and memory grows with the bytes received, so that a neighbour cannot make us reserve what it only
 * announces.
 */
export class FrameDecoder {
  readonly #sizeMaxBytes: number
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerFilled = 0
  #length = 0
  #body: Uint8Array | undefined
  #bodyFilled = 0

  constructor(sizeMaxBytes: number) {
    this.#sizeMaxBytes = sizeMaxBytes
  }

  /** True while a message has begun and not ended. */
  get halfOpen(): boolean {
    return this.#headerFilled > 0
  }

  /** Every message that `chunk` completes, each in memory of its own. */
  *decode(chunk: Uint8Array): Generator<Uint8Array> {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#body === undefined) offset = this.#readHeader(chunk, offset)
      if (this.#body === undefined) return
      offset = this.#readBody(chunk, offset)
      if (this.#bodyFilled < this.#length) return
      const message = this.#body.subarray(0, this.#length)
      this.#body = undefined
      this.#headerFilled = 0
      yield message
    }
  }

  #readHeader(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(FRAME_HEADER_BYTES - this.#headerFilled, chunk.length - offset)
    this.#header.set(chunk.subarray(offset, offset + taken), this.#headerFilled)
    this.#headerFilled += taken
    if (this.#headerFilled === FRAME_HEADER_BYTES) {
      this.#length = new DataView(this.#header.buffer).getUint32(0)
      if (this.#length > this.#sizeMaxBytes) {
        throw new GridError(
          'MESSAGE_TOO_LARGE',
          `a neighbour announced a message of ${this.#length} bytes; the limit is ${this.#sizeMaxBytes}`,
        )
      }
      this.#body = new Uint8Array(Math.min(this.#length, FIRST_BUFFER_BYTES))
      this.#bodyFilled = 0
    }
    return offset + taken
  }

  #readBody(chunk: Uint8Array, offset: number): number {
    const taken = Math.min(this.#length - this.#bodyFilled, chunk.length - offset)
    const needed = this.#bodyFilled + taken
    let body = this.#body as Uint8Array
    if (needed > body.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(needed, body.length * 2)))
      grown.set(body.subarray(0, this.#bodyFilled))
      this.#body = body = grown
    }
    body.set(chunk.subarray(offset, offset + taken), this.#bodyFilled)
    this.#bodyFilled = needed
    return offset + taken
  }
}
