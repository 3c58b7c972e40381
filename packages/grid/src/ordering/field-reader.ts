import { decodeValue } from '@gossipgrid/core'
import type { Path } from './paths.ts'
import {
  BOOLEAN,
  BYTES,
  MISSING,
  NULL,
  NUMBER,
  OBJECT,
  ORDERED_UNITS_MAX,
  TEXT,
  sortKeyOf,
  textOfBytes,
} from './value-order.ts'
import type { Payload, SortKey } from './value-order.ts'

const MAJOR_NUMBER = 0
const MAJOR_NEGATIVE = 1
const MAJOR_BYTES = 2
const MAJOR_TEXT = 3
const MAJOR_ARRAY = 4
const MAJOR_MAP = 5
const MAJOR_TAG = 6
const MAJOR_SIMPLE = 7
const FALSE = 0xf4
const TRUE = 0xf5
const NONE = 0xf6
const UNDEFINED = 0xf7
const FLOAT_64 = 0xfb
/** Text of so many bytes is read character by character, as long as it is ASCII. A TextDecoder costs more. */
const SHORT_TEXT_BYTES = 64
/** A UTF-16 code unit takes at most three bytes of UTF-8. */
const TEXT_READ_BYTES: number = 3 * (ORDERED_UNITS_MAX + 1)

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const float = new DataView(new ArrayBuffer(8))

/** The argument of the head that was read last, and where what follows the head begins. */
let argument = 0
let next = 0

/**
 * Reads one path of a stored value, without decoding the rest of it: a scan of many entries and the upkeep of an index would
 * otherwise spend most of their time on fields that they do not need. The bytes must have passed `scanCbor`.
 */
export class FieldReader implements SortKey {
  /** What the last `read` found. */
  rank: number = MISSING
  payload: Payload = 0
  readonly #names: readonly Uint8Array[]

  constructor(path: Path) {
    this.#names = path.map((name) => encoder.encode(name))
  }

  /** Returns false at an array: then only the decoded value says what the path leads to. */
  read(bytes: Uint8Array, start: number): boolean {
    let at = start
    for (const name of this.#names) {
      const major = bytes[at]! >> 5
      if (major === MAJOR_ARRAY) return false
      const found = major === MAJOR_MAP ? valueIn(bytes, at, name) : -1
      if (found < 0) return this.#is(MISSING, 0)
      at = found
    }
    return this.#readScalar(bytes, at)
  }

  #readScalar(bytes: Uint8Array, at: number): boolean {
    const initial = bytes[at]!
    const major = initial >> 5
    if (major === MAJOR_ARRAY) return false
    if (major === MAJOR_MAP) return this.#is(OBJECT, 0)
    if (major === MAJOR_TEXT) return this.#is(TEXT, textAt(bytes, at))
    if (major === MAJOR_BYTES) return this.#is(BYTES, bytesAt(bytes, at))
    if (major <= MAJOR_NEGATIVE && (initial & 0x1f) < 27) {
      readHead(bytes, at)
      return this.#is(NUMBER, major === MAJOR_NUMBER ? argument : -1 - argument)
    }
    if (initial === NONE) return this.#is(NULL, 0)
    if (initial === UNDEFINED) return this.#is(MISSING, 0)
    if (initial === TRUE || initial === FALSE) return this.#is(BOOLEAN, initial - FALSE)
    const value = initial === FLOAT_64 ? float64At(bytes, at + 1) : decodeValue(bytes.subarray(at, endOf(bytes, at)))
    const { rank, payload } = sortKeyOf(value)
    return this.#is(rank, payload)
  }

  #is(rank: number, payload: Payload): true {
    this.rank = rank
    this.payload = payload
    return true
  }
}

/** Where the value of a name begins in the map at `at`. -1 if the map has no such name. */
function valueIn(bytes: Uint8Array, at: number, name: Uint8Array): number {
  readHead(bytes, at)
  let place = next
  for (let left = argument; left > 0; left--) {
    readHead(bytes, place)
    const [start, length] = [next, argument]
    place = start + length
    if (length === name.length && isName(bytes, start, name)) return place
    place = endOf(bytes, place)
  }
  return -1
}

function isName(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false
  return true
}

/** Where the item at `at` ends. */
function endOf(bytes: Uint8Array, at: number): number {
  let place = at
  for (let left = 1; left > 0; left--) {
    const major = bytes[place]! >> 5
    readHead(bytes, place)
    place = next
    if (major === MAJOR_BYTES || major === MAJOR_TEXT) place += argument
    else if (major === MAJOR_ARRAY) left += argument
    else if (major === MAJOR_MAP) left += 2 * argument
    else if (major === MAJOR_TAG) left += 1
  }
  return place
}

function readHead(bytes: Uint8Array, at: number): void {
  const additional = bytes[at]! & 0x1f
  if (additional < 24 || bytes[at]! >> 5 === MAJOR_SIMPLE) {
    argument = additional
    next = at + 1 + (additional < 24 ? 0 : 1 << (additional - 24))
    return
  }
  const size = 1 << (additional - 24)
  argument = 0
  for (let i = 1; i <= size; i++) argument = argument * 256 + bytes[at + i]!
  next = at + 1 + size
}

function textAt(bytes: Uint8Array, at: number): string {
  readHead(bytes, at)
  const [start, end] = [next, next + argument]
  if (argument <= SHORT_TEXT_BYTES) {
    let text = ''
    let i = start
    for (; i < end && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
    if (i === end) return text
  }
  const text = decoder.decode(bytes.subarray(start, Math.min(end, start + TEXT_READ_BYTES)))
  return text.length > ORDERED_UNITS_MAX ? text.slice(0, ORDERED_UNITS_MAX) : text
}

function bytesAt(bytes: Uint8Array, at: number): string {
  readHead(bytes, at)
  return textOfBytes(bytes, next, next + Math.min(argument, ORDERED_UNITS_MAX))
}

function float64At(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) float.setUint8(i, bytes[at + i]!)
  return float.getFloat64(0)
}
