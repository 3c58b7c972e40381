import { GridError } from '../errors.ts'
import { HEX_CODES } from './hash.ts'

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Appends numbers, text and bytes to a buffer that grows. Varints are LEB128, exact up to 2^53. */
export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(capacityBytes: number = 1024) {
    this.#bytes = new Uint8Array(capacityBytes)
  }

  get length(): number {
    return this.#length
  }

  /** What was written so far, as a copy. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  /** What was written so far, without a copy. Do not use the writer afterwards. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets what was written and keeps the buffer. */
  clear(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest > 0x7fffffff) {
      this.#bytes[this.#length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  /** A signed varint: numbers near zero are short, negative ones too. */
  signedVarint(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  uint16(value: number): void {
    this.#reserve(2)
    this.#bytes[this.#length++] = value >>> 8
    this.#bytes[this.#length++] = value
  }

  uint32(value: number): void {
    this.#reserve(4)
    for (let shift = 24; shift >= 0; shift -= 8) this.#bytes[this.#length++] = value >>> shift
  }

  /** UTF-8 with its length in front. */
  text(text: string): void {
    const { length } = text
    this.#reserve(length * 3 + 5)
    if (length < 128 && this.#ascii(text)) return
    const target = this.#bytes.subarray(this.#length + 5)
    const { written } = encoder.encodeInto(text, target)
    this.varint(written)
    this.#bytes.copyWithin(this.#length, target.byteOffset, target.byteOffset + written)
    this.#length += written
  }

  /** Raw bytes without a length. */
  raw(source: Uint8Array, start: number = 0, end: number = source.length): void {
    const length = end - start
    this.#reserve(length)
    if (length < 64) for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = source[start + i]!
    else this.#bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.#length)
    this.#length += length
  }

  /** A replica id as 8 bytes. */
  replicaId(id: string): void {
    this.#reserve(8)
    for (let i = 0; i < 16; i += 2) {
      this.#bytes[this.#length++] = (digitOf(id.charCodeAt(i)) << 4) | digitOf(id.charCodeAt(i + 1))
    }
  }

  /** Writes short ASCII text without the encoder. Returns false, and writes nothing, if a character is not ASCII. */
  #ascii(text: string): boolean {
    const start = this.#length + 1
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) return false
      this.#bytes[start + i] = code
    }
    this.#bytes[this.#length] = text.length
    this.#length = start + text.length
    return true
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/**
 * Reads what `ByteWriter` wrote. The bytes may come from a hostile peer, so every length is checked against the bytes that
 * are left before it is used. Throws `MESSAGE_MALFORMED`.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  position: number
  readonly end: number

  constructor(bytes: Uint8Array, start: number = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.position = start
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  byte(): number {
    if (this.position >= this.end) throw truncated()
    return this.bytes[this.position++]!
  }

  varint(): number {
    let byte = this.byte()
    if (byte < 128) return byte
    let value = byte & 127
    let scale = 128
    do {
      byte = this.byte()
      value += (byte & 127) * scale
      scale *= 128
      if (scale > 2 ** 56 || value > Number.MAX_SAFE_INTEGER) throw malformed('a number does not fit')
    } while (byte > 127)
    return value
  }

  signedVarint(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A varint that counts items that follow, each of at least `bytesEach` bytes. Fails if fewer bytes are left. */
  count(bytesEach: number): number {
    const count = this.varint()
    if (count * bytesEach > this.remaining) throw truncated()
    return count
  }

  uint16(): number {
    const start = this.skip(2)
    return (this.bytes[start]! << 8) | this.bytes[start + 1]!
  }

  uint32(): number {
    const { bytes } = this
    const start = this.skip(4)
    return ((bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!) >>> 0
  }

  text(lengthMaxBytes: number): string {
    const length = this.varint()
    if (length > lengthMaxBytes) throw malformed(`text of ${length} bytes where ${lengthMaxBytes} are allowed`)
    const start = this.skip(length)
    return readText(this.bytes, start, start + length)
  }

  /** Bytes that stand behind their number. Part of the buffer, no copy. */
  piece(): Uint8Array {
    const length = this.varint()
    const start = this.skip(length)
    return this.bytes.subarray(start, start + length)
  }

  /** Moves past `length` bytes and returns where they start. */
  skip(length: number): number {
    this.#need(length)
    const start = this.position
    this.position += length
    return start
  }

  replicaId(): string {
    const start = this.skip(8)
    for (let i = 0; i < 8; i++) {
      const byte = this.bytes[start + i]!
      idCodes[2 * i] = HEX_CODES[byte >>> 4]!
      idCodes[2 * i + 1] = HEX_CODES[byte & 15]!
    }
    return String.fromCharCode(...idCodes)
  }

  #need(length: number): void {
    if (length > this.remaining) throw truncated()
  }
}

/** The value of a hexadecimal digit. */
function digitOf(code: number): number {
  return (code & 15) + (code > 57 ? 9 : 0)
}

/** Character codes of a replica id. Reused for each id, which takes a tenth of the time of `toString(16)`. */
const idCodes: number[] = Array.from({ length: 16 }, () => 0)
/** Character codes of a short text, one array for each length. Reused for each text. */
const shortCodes: readonly number[][] = Array.from({ length: 65 }, (_, length) => Array.from({ length }, () => 0))

/**
 * Most keys are short ASCII. Building them from character codes takes a sixth of the decoder's time. A plain array of
 * codes takes a quarter of the time of a typed one.
 */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  const codes = shortCodes[end - start]
  if (codes !== undefined) {
    let ascii = 0
    for (let i = 0; i < codes.length; i++) ascii |= codes[i] = bytes[start + i]!
    if (ascii < 128) return String.fromCharCode(...codes)
  }
  try {
    return strictDecoder.decode(bytes.subarray(start, end))
  } catch (cause) {
    throw new GridError('MESSAGE_MALFORMED', 'text is not UTF-8', { cause })
  }
}

function truncated(): GridError {
  return malformed('truncated')
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed bytes: ${what}`)
}
