import { Decoder, Encoder } from 'cbor-x/index-no-eval'
import { cborDepthMax, findMarkedTexts, readHead, scanCbor } from './cbor-scanner.ts'
import { GridError } from '../errors.ts'
import { foreignKind, inThisRealm } from '../realms.ts'

// This build of cbor-x does without `new Function`, which a page's content security policy may forbid, and without the
// native string reader: the code is the same on every runtime, and one parser fewer sees bytes from other peers.
const codec = { useRecords: false, variableMapSize: true, tagUint8Array: false, copyBuffers: true }
const encoder = new Encoder(codec)
const decoder = new Decoder(codec)

/** U+FEFF in UTF-8. */
const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf)
/** cbor-x reads longer text with a TextDecoder, which drops a byte order mark from the start. */
const MARK_KEPT_MAX_BYTES = 64
/** The initial byte of a text whose length is in the next four bytes, and the length of that head. */
const LONG_TEXT = 0x7a
const LONG_HEAD_BYTES = 5

/**
 * Encodes a value of an application as plain CBOR (see `scanCbor`), which every peer accepts. Plain values are null, booleans, numbers, strings, `Uint8Array` (a `Buffer` comes back as one), valid `Date`s,
 * bigints within 64 bits, and arrays and plain objects of these, at most 64 levels deep; undefined only inside them. Values
 * may come from another realm, such as a frame or a `vm` context.
 * `decodeValue` gives back an equal value, with two exceptions: -0 becomes 0 and a hole in an array becomes undefined.
 *
 * The bytes belong to the caller: later calls do not change them. They may share a larger buffer with other bytes.
 *
 * @throws GridError `INVALID_VALUE`, naming what cannot be encoded and where; `VALUE_TOO_LARGE`, naming both sizes
 */
export function encodeValue(value: unknown, sizeMaxBytes: number): Uint8Array {
  if (value === undefined) throw invalid('undefined stands for a missing value')
  const check = new ValueCheck(sizeMaxBytes)
  let bytes: Uint8Array | undefined
  try {
    if (check.accepts(value, 0)) bytes = encodePlain(check.hasForeign ? inThisRealm(value) : value)
  } catch (cause) {
    // Getters and proxies may throw, or give the check and the encoder different values.
    throw new GridError('INVALID_VALUE', 'The value cannot be encoded: it fails or changes while it is read', { cause })
  }
  if (bytes === undefined) throw check.refusal(value)
  if (bytes.length > sizeMaxBytes) throw tooLarge(`${bytes.length}`, sizeMaxBytes)
  return bytes
}

/**
 * Decodes bytes that passed `scanCbor`. Other bytes may decode to anything. The result shares no memory with `bytes`.
 */
export function decodeValue(bytes: Uint8Array): unknown {
  const marked = bytes.includes(BYTE_ORDER_MARK[0]!) ? findMarkedTexts(bytes) : []
  const read = marked.length === 0 ? bytes : withSecondMarks(bytes, marked)
  // A new view: cbor-x attaches a DataView to the array that it reads, and copies parts of a Buffer as Buffers.
  return decoder.decode(new Uint8Array(read.buffer, read.byteOffset, read.byteLength)) as unknown
}

/** Doubles the byte order mark of long texts, because cbor-x drops the first one. `heads`: positions of the texts' heads. */
function withSecondMarks(bytes: Uint8Array, heads: readonly number[]): Uint8Array {
  const longer = new Uint8Array(bytes.length + heads.length * (LONG_HEAD_BYTES + BYTE_ORDER_MARK.length))
  const view = new DataView(longer.buffer)
  let from = 0
  let to = 0
  for (const head of heads) {
    const { start, count } = readHead(bytes, head)
    if (count <= MARK_KEPT_MAX_BYTES) continue
    longer.set(bytes.subarray(from, head), to)
    to += head - from
    view.setUint8(to, LONG_TEXT)
    view.setUint32(to + 1, count + BYTE_ORDER_MARK.length)
    longer.set(BYTE_ORDER_MARK, to + LONG_HEAD_BYTES)
    to += LONG_HEAD_BYTES + BYTE_ORDER_MARK.length
    from = start
  }
  longer.set(bytes.subarray(from), to)
  return longer.subarray(0, to + bytes.length - from)
}

function encodePlain(value: unknown): Uint8Array {
  const bytes = encoder.encode(value)
  scanCbor(bytes) // what leaves passes what every peer will ask of it, whatever a getter made of the check
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Looks at a value before it is encoded: is it plain, and can it fit? */
class ValueCheck {
  /** Some part is of another realm: the encoder would not recognise it. */
  hasForeign = false
  private readonly sizeMaxBytes: number
  /** A lower bound of the encoded size. Stops the walk through a huge array, or through an object that is shared 2^60 times. */
  private sizeBytes = 0
  private reason = ''
  /** Keys from the refused value up to the root. Filled on the way out, so that accepted values cost nothing. */
  private readonly path: (string | number)[] = []

  constructor(sizeMaxBytes: number) {
    this.sizeMaxBytes = sizeMaxBytes
  }

  accepts(value: unknown, depth: number): boolean {
    if (++this.sizeBytes > this.sizeMaxBytes) return false
    switch (typeof value) {
      case 'string':
        return this.acceptsText(value)
      case 'number':
      case 'boolean':
      case 'undefined':
        return true
      case 'object':
        return value === null || this.acceptsObject(value, depth)
      case 'bigint':
        return (value <= bigintMax && value >= -bigintMax) || this.no('is a bigint of more than 64 bits')
      default:
        return this.no(`is a ${typeof value}`)
    }
  }

  refusal(root: unknown): GridError {
    if (this.reason === '') return tooLarge(`at least ${this.sizeBytes}`, this.sizeMaxBytes)
    this.path.reverse()
    const reason = this.reason === tooDeep && containsItself(root, this.path) ? 'contains itself' : this.reason
    return invalid(`${describePath(this.path)} ${reason}`)
  }

  private acceptsText(text: string): boolean {
    this.sizeBytes += text.length
    if (this.sizeBytes > this.sizeMaxBytes) return false
    return text.isWellFormed() || this.no('has half a surrogate pair, which UTF-8 cannot express')
  }

  private acceptsObject(value: object, depth: number): boolean {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.acceptsPlainObject(value, depth)
    if (prototype === Array.prototype && Array.isArray(value)) return this.acceptsArray(value, depth)
    if (value instanceof Uint8Array) return this.acceptsBytes(value)
    if (prototype === Date.prototype) return this.acceptsDate(value as Date)
    return this.acceptsForeign(value, depth) ?? this.no(`is an instance of ${className(prototype)}; ${advice(value)}`)
  }

  private acceptsForeign(value: object, depth: number): boolean | undefined {
    const kind = foreignKind(value)
    if (kind === undefined) return undefined
    this.hasForeign = true
    if (kind === 'object') return this.acceptsPlainObject(value, depth)
    if (kind === 'array') return this.acceptsArray(value as readonly unknown[], depth)
    return kind === 'bytes' ? this.acceptsBytes(value as Uint8Array) : this.acceptsDate(value as Date)
  }

  private acceptsBytes(bytes: Uint8Array): boolean {
    this.sizeBytes += bytes.length
    return this.sizeBytes <= this.sizeMaxBytes
  }

  private acceptsPlainObject(value: object, depth: number): boolean {
    if (depth >= cborDepthMax) return this.no(tooDeep)
    for (const key in value) {
      if (!hasOwn.call(value, key)) continue
      if (key === '__proto__') return this.no('has an own key __proto__')
      if (this.acceptsText(key) && this.accepts((value as Record<string, unknown>)[key], depth + 1)) continue
      this.path.push(key)
      return false
    }
    return Object.getOwnPropertySymbols(value).length === 0 || this.no('has a symbol as a key')
  }

  private acceptsArray(value: readonly unknown[], depth: number): boolean {
    if (depth >= cborDepthMax) return this.no(tooDeep)
    for (let i = 0; i < value.length; i++) {
      if (this.accepts(value[i], depth + 1)) continue
      this.path.push(i)
      return false
    }
    return true
  }

  /** CBOR counts seconds as a float: past the year 70,000 it loses milliseconds. */
  private acceptsDate(date: Date): boolean {
    const epochMs = date.getTime()
    return Math.round((epochMs / 1000) * 1000) === epochMs || this.no('is an invalid or too distant Date')
  }

  private no(reason: string): false {
    this.reason = reason
    return false
  }
}

const { hasOwnProperty: hasOwn } = Object.prototype
const bigintMax = 2n ** 64n - 1n
const tooDeep = `is nested deeper than ${cborDepthMax} levels`

function containsItself(root: unknown, path: readonly (string | number)[]): boolean {
  const seen = new Set<unknown>([root])
  let value = root
  for (const key of path) {
    value = (value as Record<string | number, unknown>)[key]
    if (seen.has(value)) return true
    seen.add(value)
  }
  return false
}

/** `value.address.lines[2]`, shortened where a cycle made it long. */
function describePath(path: readonly (string | number)[]): string {
  const shown = path.slice(0, 8).map((key) => (typeof key === 'number' ? `[${key}]` : `.${key.slice(0, 40)}`))
  return `value${shown.join('')}${path.length > shown.length ? '...' : ''}`
}

function className(prototype: unknown): string {
  const { constructor } = prototype as { readonly constructor?: unknown }
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class'
}

function advice(value: object): string {
  // The tag also works for objects of another realm.
  const tag = Object.prototype.toString.call(value)
  if (tag === '[object Map]') return 'store an object or an array of pairs'
  if (tag === '[object Set]') return 'store an array'
  if (ArrayBuffer.isView(value) || tag === '[object ArrayBuffer]') return 'store a Uint8Array of its bytes'
  return 'store a plain object'
}

function invalid(reason: string): GridError {
  return new GridError('INVALID_VALUE', `The value cannot be encoded: ${reason}`)
}

function tooLarge(size: string, sizeMaxBytes: number): GridError {
  return new GridError('VALUE_TOO_LARGE', `The value takes ${size} bytes, and ${sizeMaxBytes} are allowed`)
}
