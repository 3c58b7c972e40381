import { scanCbor, scanText } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'

/**
 * What may stand before the value in a row of a map. With the value it is one CBOR array, which travels, is logged and is merged like any other
 * value. The numbers are wall milliseconds, as floats of 64 bits.
 *
 *     ['\0ttl', expiry, value]            the value expires
 *     ['\0by', subject, expiry, value]    a guest with a pass for this subject wrote it; expiry Infinity: never
 *
 * When a value expires, it is swept: `undefined` takes its place, and the header is the tombstone of the same version. A delete by a guest looks
 * the same, with the expiry 0: a tombstone without bytes has no room for a subject.
 */
const TTL = [0x83, 0x64, 0x00, 0x74, 0x74, 0x6c] as const
/** Then follow the length of the subject as one byte, the subject and the expiry. */
const BY = [0x84, 0x63, 0x00, 0x62, 0x79, 0x78] as const
const CBOR_FLOAT = 0xfb
const CBOR_UNDEFINED = 0xf7
const UNDEFINED: Uint8Array = Uint8Array.of(CBOR_UNDEFINED)
const DATE_BYTES = 9

const float = new DataView(new ArrayBuffer(8))
const textEncoder = new TextEncoder()
const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Wraps an encoded value so that it expires. `Infinity` means never. */
export function expiring(value: Uint8Array, expiresAtMs: number): Uint8Array {
  return joined(TTL, [], expiresAtMs, value)
}

/** An encoded value that never expires. One that looks as if it had a header gets one, with the date `Infinity`. */
export function lasting(value: Uint8Array): Uint8Array {
  return hasHeader(value, 0, value.length) ? expiring(value, Infinity) : value
}

/** Stored bytes as a guest with a pass for `subject` wrote them, whatever they say of that themselves. Undefined: a delete. */
export function writtenBy(subject: string, bytes: Uint8Array | undefined): Uint8Array {
  const text = textEncoder.encode(subject)
  const isDelete = bytes === undefined || isSwept(bytes, 0, bytes.length)
  const [value, expiresAtMs] = isDelete ? [UNDEFINED, 0] : [payloadOf(bytes), expiryOf(bytes)]
  return joined(BY, [text.length, ...text], expiresAtMs, value)
}

/** The subject of the guest that wrote stored bytes; undefined for a member. */
export function subjectOf(bytes: Uint8Array): string | undefined {
  const end = hasHeader(bytes, 0, bytes.length) && bytes[0] === BY[0] ? BY.length + 1 + bytes[BY.length]! : 0
  return end === 0 ? undefined : textDecoder.decode(bytes.subarray(BY.length + 1, end))
}

/** Stored bytes of a value as a member would write them. */
export function withoutSubject(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== BY[0] || !hasHeader(bytes, 0, bytes.length)) return bytes
  const expiresAtMs = expiryOf(bytes)
  return expiresAtMs === Infinity ? lasting(payloadOf(bytes)) : expiring(payloadOf(bytes), expiresAtMs)
}

/** The bytes of a value that has expired and was swept. */
export function sweptForm(bytes: Uint8Array): Uint8Array {
  const length = headerBytes(bytes, 0, bytes.length)
  const swept = bytes.slice(0, length + 1)
  swept[length] = CBOR_UNDEFINED
  return swept
}

export function hasHeader(bytes: Uint8Array, start: number, end: number): boolean {
  return headerBytes(bytes, start, end) > 0
}

/** Wall milliseconds at which a stored value expires; Infinity if it does not. */
export function expiryOf(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const length = headerBytes(bytes, start, end)
  if (length === 0) return Infinity
  for (let i = 0; i < 8; i++) float.setUint8(i, bytes[start + length - 8 + i]!)
  return float.getFloat64(0)
}

/** The value without its header. */
export function payloadOf(bytes: Uint8Array): Uint8Array {
  const length = headerBytes(bytes, 0, bytes.length)
  return length === 0 ? bytes : bytes.subarray(length)
}

/** Whether the value expired and was swept, so that only its header is left. Also a delete by a guest. */
export function isSwept(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[end - 1] === CBOR_UNDEFINED && headerBytes(bytes, start, end) === end - start - 1
}

/** Whether stored bytes are a delete by a guest. */
export function isDelete(bytes: Uint8Array): boolean {
  return isSwept(bytes, 0, bytes.length) && expiryOf(bytes) === 0
}

/** Where the part ends that is the same before and after sweeping: for a value with a header, the end of that. */
export function lastingEnd(bytes: Uint8Array, start: number, end: number): number {
  const length = headerBytes(bytes, start, end)
  return length === 0 ? end : start + length
}

/** Throws `MESSAGE_MALFORMED` if the date of expiry is not a date. */
export function checkExpiry(bytes: Uint8Array, start: number, end: number): void {
  if (expiryOf(bytes, start, end) >= 0) return
  throw new GridError('MESSAGE_MALFORMED', 'malformed block: an expiry that is no date')
}

/** As `scanCbor`, for stored bytes: the levels of a value count without its header. Throws `MESSAGE_MALFORMED`. */
export function scanStored(bytes: Uint8Array, start: number, end: number): void {
  const length = headerBytes(bytes, start, end)
  if (length > 0 && bytes[start] === BY[0]) scanText(bytes, start + BY.length + 1, start + length - DATE_BYTES)
  if (length === 0 || bytes[start + length] !== CBOR_UNDEFINED || start + length + 1 !== end)
    scanCbor(bytes, start + length, end)
}

/** 0 if there is none. */
function headerBytes(bytes: Uint8Array, start: number, end: number): number {
  // The first byte already differs for nearly every value without a header.
  const mark = bytes[start] === TTL[0] ? TTL : bytes[start] === BY[0] ? BY : undefined
  if (mark === undefined) return 0
  for (let i = 1; i < mark.length; i++) if (bytes[start + i] !== mark[i]) return 0
  const dateAt = mark.length + (mark === TTL ? 0 : 1 + (bytes[start + mark.length] ?? 0))
  return bytes[start + dateAt] === CBOR_FLOAT && dateAt + DATE_BYTES < end - start ? dateAt + DATE_BYTES : 0
}

function joined(
  mark: readonly number[],
  subject: readonly number[],
  expiresAtMs: number,
  value: Uint8Array,
): Uint8Array {
  float.setFloat64(0, expiresAtMs)
  const date = new Uint8Array(float.buffer)
  const length = mark.length + subject.length + DATE_BYTES
  const bytes = new Uint8Array(length + value.length)
  bytes.set([...mark, ...subject, CBOR_FLOAT, ...date])
  bytes.set(value, length)
  return bytes
}
