import { encodeValue } from '@gossipgrid/core'

/** Bytes of every encoded value that the benches write. */
const VALUE_BYTES = 100

/** Keys like those of applications: eight digits after a prefix. */
export function keyOf(index: number, prefix: string = 'user:'): string {
  return prefix + String(index).padStart(8, '0')
}

/** Text that encodes to exactly 100 bytes, different for each index, and that no store can compress. */
export function valueOf(index: number): string {
  noise ??= makeNoise(NOISE_LENGTH)
  const start = (index * 7919) % (NOISE_LENGTH - FILLING_LENGTH)
  return String(index).padStart(8, '0') + noise.slice(start, start + FILLING_LENGTH)
}

/** Besides the eight digits and the two bytes of the head. */
const FILLING_LENGTH: number = VALUE_BYTES - 2 - 8
const NOISE_LENGTH = 1_000_000
/** Made with the first value: it leaves garbage that would count as memory of an idle program. */
let noise: string | undefined

/** Made of bytes: text that grows letter by letter would leave so much garbage that its collection stops the program for long. */
function makeNoise(length: number): string {
  const letters = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
  const text = Buffer.alloc(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text[i] = letters[state >>> 26]!
  }
  return text.toString('latin1')
}

/** An object of a common shape that encodes to about 100 bytes. */
export function objectOf(index: number): unknown {
  return { id: index, name: 'Ada Lovelace', email: 'ada@example.org', active: true, score: index / 4, tags: ['a', 'b'] }
}

export function encodedValueOf(index: number): Uint8Array {
  return encodeValue(valueOf(index), 1000)
}

/** Visits 0 to count - 1 once each, out of order, so that memory is not read sequentially. */
export function scattered(count: number, visit: (index: number) => void): void {
  const step = 514_229 // prime, and no divisor of a round number
  let index = 0
  for (let i = 0; i < count; i++) {
    visit(index)
    index = (index + step) % count
  }
}
