/**
 * Non-cryptographic hashing in pairs of 32-bit lanes (the finalizer and rounds of MurmurHash3): fast in JavaScript,
 * where 64-bit integers are not. The seed is secret to the grid, so that outsiders cannot prepare colliding entries.
 */

/** A 64-bit hash as two unsigned 32-bit halves. */
export interface Hash64 {
  high: number
  low: number
}

/** Spreads every input bit over all output bits. */
export function mix32(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Folds one 32-bit word into a running hash. */
export function fold32(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/**
 * The same for the upper half of a 64-bit hash, with other constants: words whose effects cancel out in one half must not
 * cancel out in the other. An upper half that follows from the lower one would leave only 32 bits of strength.
 */
export function foldHigh32(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1)
  return (h << 15) | (h >>> 17)
}

/** Hash of a string's code units. */
export function hashText(text: string, seed: number): number {
  let h = seed | 0
  const length = text.length
  let i = 0
  for (; i + 1 < length; i += 2) h = fold32(h, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
  if (i < length) h = fold32(h, text.charCodeAt(i))
  return mix32(h ^ length)
}

/** Hash of `bytes[start, end)`. */
export function hashBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let h = seed | 0
  let i = start
  for (; i + 3 < end; i += 4) {
    h = fold32(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  let tail = 0
  for (let shift = 0; i < end; i++, shift += 8) tail |= bytes[i]! << shift
  return mix32(fold32(h, tail) ^ (end - start))
}

/** The sixteen hexadecimal digits of a hash. */
export function hashHex(hash: Readonly<Hash64>): string {
  let { high, low } = hash
  for (let i = 7; i >= 0; i--, high >>>= 4, low >>>= 4) {
    hexCodes[i] = HEX_CODES[high & 15]!
    hexCodes[i + 8] = HEX_CODES[low & 15]!
  }
  return String.fromCharCode(...hexCodes)
}

/** Character codes of the hexadecimal digits. */
export const HEX_CODES: readonly number[] = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** Character codes of a hash. Reused for each hash, which takes a tenth of the time of `toString(16)`. */
const hexCodes: number[] = Array.from({ length: 16 }, () => 0)

/** Adds `b` to `a` modulo 2^64. A sum of hashes does not depend on the order of its terms. */
export function addHash(a: Hash64, b: Readonly<Hash64>): void {
  const low = a.low + b.low
  a.low = low >>> 0
  a.high = (a.high + b.high + (low > 0xffffffff ? 1 : 0)) >>> 0
}

/** Subtracts `b` from the sum `a`, modulo 2^64. */
export function subtractHash(a: Hash64, b: Readonly<Hash64>): void {
  const low = a.low - b.low
  a.low = low >>> 0
  a.high = (a.high - b.high - (low < 0 ? 1 : 0)) >>> 0
}
