import { hashBytes, hashHex, hashText, mix32 } from '@gossipgrid/core'

/** A running 64-bit hash of everything that happened. Two runs that differ anywhere differ in it. */
export class TraceHash {
  #high = 0x243f6a88
  #low = 0x85a308d3

  number(value: number): void {
    this.#fold(value % 4294967296)
    if (value >= 4294967296) this.#fold(Math.floor(value / 4294967296))
  }

  text(text: string): void {
    this.#fold(hashText(text, 1))
  }

  bytes(bytes: Uint8Array): void {
    this.#fold(hashBytes(bytes, 0, bytes.length, 1))
  }

  hex(): string {
    return hashHex({ high: this.#high, low: this.#low })
  }

  #fold(word: number): void {
    this.#low = mix32(this.#low ^ word)
    this.#high = mix32((this.#high + this.#low + word) | 0)
  }
}
