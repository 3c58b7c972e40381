import { Cost, ExcessError } from './allowance.ts'
import type { Allowance } from './allowance.ts'

/** Enough for lengths up to 32 GiB; each reader has a lower limit. libp2p's readers do not limit the bytes of a length. */
const LENGTH_MAX_BYTES = 5
/** Protocols whose messages all have their length in front. Other protocols are not watched once they are agreed on. */
const FRAMED = /^\/(ipfs\/id|meshsub|webrtc-signaling|gossipgrid\/meet)\//
/** Protocols whose first message only has its length in front. Then bytes of two other peers follow. */
const FRAMED_ONCE = /^\/libp2p\/circuit\//

/** Watches the lengths in front of the messages of one stream, starting with the agreement on its protocol. */
export class LengthWatch {
  readonly #allowance: Allowance
  #over = false
  #length = 0
  #lengthBytes = 0
  #remainingBytes = 0

  constructor(allowance: Allowance) {
    this.#allowance = allowance
  }

  /**
   * `protocol` is empty until it is agreed on. Throws `ExcessError` for a length that does not end, and for more messages than the
   * allowance covers.
   */
  read(bytes: Uint8Array, protocol: string): void {
    if (protocol !== '' && !FRAMED.test(protocol) && !FRAMED_ONCE.test(protocol)) this.#over = true
    let at = 0
    while (at < bytes.length && !this.#over) {
      const skipped = Math.min(this.#remainingBytes, bytes.length - at)
      at += skipped
      this.#remainingBytes -= skipped
      if (at < bytes.length) this.#readLength(bytes[at++] as number)
      if (FRAMED_ONCE.test(protocol) && this.#lengthBytes === 0) this.#over = true
    }
  }

  #readLength(byte: number): void {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes)
    this.#lengthBytes += 1
    if (byte >= 0x80) {
      if (this.#lengthBytes === LENGTH_MAX_BYTES) throw new ExcessError('the length of a message does not end')
      return
    }
    this.#allowance.charge(Cost.message)
    this.#remainingBytes = this.#length
    this.#length = 0
    this.#lengthBytes = 0
  }
}
