import { GridError } from '../errors.ts'

/**
 * A value that expires is the CBOR array ['\0ttl', wall milliseconds as a 64-bit float, value], so that it travels, is
 * logged and is scanned as any other. Once its time has come the value in it gives way to `undefined`: what is left is the
 * tombstone of the same version.
 */
const MARK = [0x83, 0x64, 0x00, 0x74, 0x74, 0x6c, 0xfb] as const
const HEADER_BYTES = MARK.length + 8
const CBOR_UNDEFINED = 0xf7
/** Bytes of a value that has expired and was swept. */
export const SWEPT_BYTES: number = HEADER_BYTES + 1

const float = new DataView(new ArrayBuffer(8))

/** Wraps an encoded value so that it expires; `Infinity` never does. */
export function expiring(value: Uint8Array, expiresAtMs: number): Uint8Array {
  const wrapped = new Uint8Array(HEADER_BYTES + value.length)
  wrapped.set(MARK)
  float.setFloat64(0, expiresAtMs)
  for (let i = 0; i < 8; i++) wrapped[MARK.length + i] = float.getUint8(i)
  wrapped.set(value, HEADER_BYTES)
  return wrapped
}

/** An encoded value as it may be stored: one that only looks as if it expired is wrapped to never do so. */
export function lasting(value: Uint8Array): Uint8Array {
  return isExpiring(value, 0, value.length) ? expiring(value, Infinity) : value
}

/** The bytes that the value leaves behind once it has expired. */
export function sweptForm(expiresAtMs: number): Uint8Array {
  return expiring(Uint8Array.of(CBOR_UNDEFINED), expiresAtMs)
}

export function isExpiring(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false
  // Nearly every value that does not expire differs in its first byte.
  for (let i = 0; i < MARK.length; i++) if (bytes[start + i] !== MARK[i]) return false
  return true
}

/** Wall milliseconds from which on a stored value is gone; Infinity for one that stays. */
export function expiryOf(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  if (!isExpiring(bytes, start, end)) return Infinity
  for (let i = 0; i < 8; i++) float.setUint8(i, bytes[start + MARK.length + i]!)
  return float.getFloat64(0)
}

/** The value itself, without its date. */
export function payloadOf(bytes: Uint8Array): Uint8Array {
  return isExpiring(bytes, 0, bytes.length) ? bytes.subarray(HEADER_BYTES) : bytes
}

/** Whether the value has gone and only its date is left. */
export function isSwept(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === SWEPT_BYTES && bytes[end - 1] === CBOR_UNDEFINED && isExpiring(bytes, start, end)
}

/** End of what an equal version has in common, expired or not: only the date of a value that expires. */
export function lastingEnd(bytes: Uint8Array, start: number, end: number): number {
  return isExpiring(bytes, start, end) ? start + HEADER_BYTES : end
}

/** Throws `MESSAGE_MALFORMED` for a date that is none. */
export function checkExpiry(bytes: Uint8Array, start: number, end: number): void {
  if (!isExpiring(bytes, start, end)) return
  if (expiryOf(bytes, start, end) >= 0 && end - start > HEADER_BYTES) return
  throw new GridError('MESSAGE_MALFORMED', 'malformed block: a value that expires at no time')
}
