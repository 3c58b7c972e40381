import { GridError } from '../errors.ts'

/**
 * A value that expires is the CBOR array ['\0ttl', wall milliseconds as a 64-bit float, value]. It travels, is logged and is
 * scanned like any other value. When it expires, it is swept: `undefined` takes the place of the value in the array, and the
 * rest is the tombstone of the same version.
 */
const MARK = [0x83, 0x64, 0x00, 0x74, 0x74, 0x6c, 0xfb] as const
const HEADER_BYTES = MARK.length + 8
const CBOR_UNDEFINED = 0xf7
/** Bytes of a value that expired and was swept. */
export const SWEPT_BYTES: number = HEADER_BYTES + 1

const float = new DataView(new ArrayBuffer(8))

/** Wraps an encoded value so that it expires. `Infinity` means never. */
export function expiring(value: Uint8Array, expiresAtMs: number): Uint8Array {
  const wrapped = new Uint8Array(HEADER_BYTES + value.length)
  wrapped.set(MARK)
  float.setFloat64(0, expiresAtMs)
  for (let i = 0; i < 8; i++) wrapped[MARK.length + i] = float.getUint8(i)
  wrapped.set(value, HEADER_BYTES)
  return wrapped
}

/** An encoded value that never expires. One that looks like a value that expires is wrapped, with the date `Infinity`. */
export function lasting(value: Uint8Array): Uint8Array {
  return isExpiring(value, 0, value.length) ? expiring(value, Infinity) : value
}

/** The bytes of a value that expired at this time and was swept. */
export function sweptForm(expiresAtMs: number): Uint8Array {
  return expiring(Uint8Array.of(CBOR_UNDEFINED), expiresAtMs)
}

export function isExpiring(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false
  // The first byte already differs for nearly every value that does not expire.
  for (let i = 0; i < MARK.length; i++) if (bytes[start + i] !== MARK[i]) return false
  return true
}

/** Wall milliseconds at which a stored value expires; Infinity if it does not. */
export function expiryOf(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  if (!isExpiring(bytes, start, end)) return Infinity
  for (let i = 0; i < 8; i++) float.setUint8(i, bytes[start + MARK.length + i]!)
  return float.getFloat64(0)
}

/** The value without its date of expiry. */
export function payloadOf(bytes: Uint8Array): Uint8Array {
  return isExpiring(bytes, 0, bytes.length) ? bytes.subarray(HEADER_BYTES) : bytes
}

/** Whether the value expired and was swept, so that only its date is left. */
export function isSwept(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === SWEPT_BYTES && bytes[end - 1] === CBOR_UNDEFINED && isExpiring(bytes, start, end)
}

/** Where the part ends that is the same before and after sweeping: for a value that expires, the end of its date. */
export function lastingEnd(bytes: Uint8Array, start: number, end: number): number {
  return isExpiring(bytes, start, end) ? start + HEADER_BYTES : end
}

/** Throws `MESSAGE_MALFORMED` if the date of expiry is not a date. */
export function checkExpiry(bytes: Uint8Array, start: number, end: number): void {
  if (!isExpiring(bytes, start, end)) return
  if (expiryOf(bytes, start, end) >= 0 && end - start > HEADER_BYTES) return
  throw new GridError('MESSAGE_MALFORMED', 'malformed block: an expiry that is no date')
}
