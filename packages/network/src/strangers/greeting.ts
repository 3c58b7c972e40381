import { ExcessError } from './allowance.ts'

/**
 * The first bytes of a connection, the same from both sides: multistream-select, by which they agree on noise. libp2p would read
 * any other bytes one at a time, at microseconds each, for as long as they come.
 */
export const GREETING: Uint8Array = new TextEncoder().encode('\x13/multistream/1.0.0\n\x07/noise\n')

/** Compares the first bytes of a connection with the greeting. */
export class GreetingCheck {
  #readBytes = 0

  get complete(): boolean {
    return this.#readBytes === GREETING.length
  }

  /** Throws `ExcessError` at the first byte that differs. */
  read(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length && !this.complete; i += 1) {
      if (bytes[i] !== GREETING[this.#readBytes]) throw new ExcessError('it does not begin as peers do')
      this.#readBytes += 1
    }
  }
}
