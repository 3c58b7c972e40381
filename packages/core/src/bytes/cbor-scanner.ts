import { GridError } from '../errors.ts'

/** How deep arrays and maps may be nested. Bounds the recursion here and in the decoder. */
export const cborDepthMax = 64

/** Up to this many keys are compared pairwise, which allocates nothing. Above it, a set of strings keeps the time linear. */
const keysComparedPairwiseMax = 16

/**
 * The keys so far of the maps that are being scanned, `keysComparedPairwiseMax` for each level: where each key begins, and
 * its mark. A mark combines length, first and last byte in one number: keys with different marks differ.
 */
const keyStarts = new Int32Array(cborDepthMax * keysComparedPairwiseMax)
const keyMarks = new Int32Array(cborDepthMax * keysComparedPairwiseMax)

/** How many keys a map may have in the item that is being scanned. */
let keysAllowed = Infinity

/** The heads of the texts that begin with a byte order mark; undefined while no caller asks for them. */
let markedHeads: number[] | undefined

/** Epoch time, what cbor-x writes for a `Date`. */
const dateTag = 0xc1

const protoKey = new TextEncoder().encode('__proto__')

/**
 * Checks that `[start, end)` of `bytes` is exactly one item of the plain CBOR that gossipgrid speaks. It takes linear time,
 * and allocates only for maps of more than 16 keys. This check makes cbor-x safe for bytes from a peer: without it, cbor-x
 * builds RegExps and cycles from tags, takes seconds for a bignum, and lets one message change how later ones are read.
 *
 * Plain means: integers of up to 64 bits, floats, booleans, null and undefined (but not as the whole item, where it
 * would read as "missing"), byte strings, well-formed text, arrays, maps with distinct text keys other than
 * `__proto__`, and dates (tag 1 around a number of at most 32 bits or a float). Nothing else: no other tag, so no
 * bignum, record, shared reference, `Map`, `Set` or typed array; no indefinite length; no other simple value.
 *
 * `keysMax` bounds the keys of one map: objects with thousands of keys take long to build.
 *
 * @throws GridError `MESSAGE_MALFORMED`, naming the first offending byte
 */
export function scanCbor(bytes: Uint8Array, start = 0, end: number = bytes.length, keysMax: number = Infinity): void {
  if (!(start >= 0 && end <= bytes.length)) throw malformed(start, 'the range lies outside the bytes')
  if (bytes[start] === 0xf7) throw malformed(start, 'undefined cannot be the whole item')
  keysAllowed = keysMax
  const next = scanItem(bytes, start, end, 0)
  if (next !== end) throw malformed(next, 'trailing bytes')
}

/**
 * Returns the positions of the heads of all texts, keys included, that begin with a byte order mark (U+FEFF). The item must
 * pass `scanCbor`.
 */
export function findMarkedTexts(bytes: Uint8Array): readonly number[] {
  const heads: number[] = []
  markedHeads = heads
  try {
    scanCbor(bytes)
  } finally {
    markedHeads = undefined
  }
  return heads
}

/**
 * By initial byte, the length of the item's head: the byte itself and its argument. Numbers and simple values are only a
 * head. 0 means refused: a 64-bit length (no honest item is so long), an indefinite length, and all reserved values.
 */
const headLengths = Uint8Array.from({ length: 256 }, (_, initial) => {
  const major = initial >> 5
  const additional = initial & 0x1f
  const argumentLength = additional < 24 ? 0 : 1 << (additional - 24)
  if (major <= 1) return additional <= 27 ? 1 + argumentLength : 0
  if (major <= 5) return additional <= 26 ? 1 + argumentLength : 0
  if (major === 6) return initial === dateTag ? 1 : 0
  return additional >= 20 && additional <= 27 && additional !== 24 ? 1 + argumentLength : 0
})

/** Checks the item at `at` and returns where the next one begins. */
function scanItem(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end) throw truncated(at)
  const initial = bytes[at]!
  const headLength = headLengths[initial]!
  if (headLength === 0) throw refused(initial, at)
  const next = at + headLength
  if (next > end) throw truncated(at)
  const major = initial >> 5
  if (major <= 1 || major === 7) return next
  if (major === 6) return scanDate(bytes, next, end)

  const count = readArgument(bytes, at, headLength)
  if (count > end - next) throw truncated(at)
  if (major === 2) return next + count
  if (major === 3) {
    if (markedHeads !== undefined) recordMark(bytes, at, next)
    return scanText(bytes, next, next + count)
  }
  if (depth === cborDepthMax) throw malformed(at, `nested deeper than ${cborDepthMax} levels`)
  return major === 4 ? scanArray(bytes, next, end, count, depth) : scanMap(bytes, next, end, count, depth)
}

/** Records a text that begins with a byte order mark. `from` is where the text begins, after its head. */
function recordMark(bytes: Uint8Array, head: number, from: number): void {
  if (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) markedHeads!.push(head)
}

/** Reads the head of a text at `at`: how many bytes the text has, and where they begin. */
export function readHead(bytes: Uint8Array, at: number): { readonly count: number; readonly start: number } {
  const headLength = headLengths[bytes[at]!]!
  return { count: readArgument(bytes, at, headLength), start: at + headLength }
}

function readArgument(bytes: Uint8Array, at: number, headLength: number): number {
  if (headLength === 1) return bytes[at]! & 0x1f
  if (headLength === 2) return bytes[at + 1]!
  if (headLength === 3) return (bytes[at + 1]! << 8) | bytes[at + 2]!
  return bytes[at + 1]! * 0x1000000 + ((bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!)
}

/** The content of a date. A 64-bit integer is refused: it decodes as a bigint, from which the decoder cannot make a date. */
function scanDate(bytes: Uint8Array, at: number, end: number): number {
  const initial = at < end ? bytes[at]! : 0
  const isNumber = initial <= 0x1a || (initial >= 0x20 && initial <= 0x3a) || (initial >= 0xf9 && initial <= 0xfb)
  if (!isNumber) throw malformed(at, 'a date that is not a number')
  return scanItem(bytes, at, end, 0)
}

function scanArray(bytes: Uint8Array, at: number, end: number, count: number, depth: number): number {
  let next = at
  for (let i = 0; i < count; i++) next = scanItem(bytes, next, end, depth + 1)
  return next
}

function scanMap(bytes: Uint8Array, at: number, end: number, count: number, depth: number): number {
  if (count > keysAllowed) throw malformed(at, 'a map with too many keys')
  const distinct = count > keysComparedPairwiseMax ? new Set<string>() : undefined
  const first = depth * keysComparedPairwiseMax
  let next = at
  for (let i = 0; i < count; i++) {
    const head = next
    if (head >= end) throw truncated(head)
    const initial = bytes[head]!
    const headLength = headLengths[initial]!
    if (initial >> 5 !== 3 || headLength === 0) throw malformed(head, 'a map key that is not text')
    const from = head + headLength
    if (from > end) throw truncated(head)
    const to = from + readArgument(bytes, head, headLength)
    if (to > end) throw truncated(head)
    scanText(bytes, from, to)
    if (markedHeads !== undefined) recordMark(bytes, head, from)
    if (isProto(bytes, from, to)) throw malformed(from, 'the map key __proto__')
    if (distinct === undefined) checkDistinct(bytes, from, to, first, first + i)
    else if (distinct.size === distinct.add(utf8.decode(bytes.subarray(from, to))).size) throw repeated(from)
    next = scanItem(bytes, to, end, depth + 1)
  }
  return next
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Compares a key with the earlier keys of its map, which are at `[first, noted)` of the tables, and adds it at `noted`. */
function checkDistinct(bytes: Uint8Array, from: number, to: number, first: number, noted: number): void {
  const length = to - from
  const mark = length === 0 ? 0 : (length << 16) ^ (bytes[from]! << 8) ^ bytes[to - 1]!
  for (let other = first; other < noted; other++) {
    if (keyMarks[other] === mark && sameBytes(bytes, from, keyStarts[other]!, length)) throw repeated(from)
  }
  keyStarts[noted] = from
  keyMarks[noted] = mark
}

function sameBytes(bytes: Uint8Array, from: number, otherFrom: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[from + i] !== bytes[otherFrom + i]) return false
  return true
}

/** Length and first byte already differ for nearly every other key. */
function isProto(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== protoKey.length || bytes[from] !== protoKey[0]) return false
  return protoKey.every((byte, i) => bytes[from + i] === byte)
}

/** Checks `[at, end)` for well-formed UTF-8 and returns `end`. ASCII, the common case, goes four bytes at a time. */
export function scanText(bytes: Uint8Array, at: number, end: number): number {
  let next = at
  for (; next + 4 <= end; next += 4) {
    if ((bytes[next]! | bytes[next + 1]! | bytes[next + 2]! | bytes[next + 3]!) > 0x7f)
      return scanUtf8(bytes, next, end)
  }
  for (; next < end; next++) if (bytes[next]! > 0x7f) return scanUtf8(bytes, next, end)
  return end
}

/** The well-formed sequences of the Unicode standard, table 3-7: shortest forms, no surrogates, up to U+10FFFF. */
function scanUtf8(bytes: Uint8Array, at: number, end: number): number {
  let next = at
  while (next < end) {
    const lead = bytes[next]!
    if (lead <= 0x7f) {
      next++
      continue
    }
    const length =
      lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
    if (length === 0 || next + length > end) throw malformed(next, 'text that is not UTF-8')
    const second = bytes[next + 1]!
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (second < least || second > most) throw malformed(next, 'text that is not UTF-8')
    for (let i = 2; i < length; i++) {
      if ((bytes[next + i]! & 0xc0) !== 0x80) throw malformed(next, 'text that is not UTF-8')
    }
    next += length
  }
  return end
}

function refused(initial: number, at: number): GridError {
  if (initial >> 5 === 6) return malformed(at, 'a tag other than that of a date')
  return malformed(
    at,
    initial >> 5 === 7 ? 'an unassigned simple value' : 'a length that is indefinite or out of bounds',
  )
}

function truncated(at: number): GridError {
  return malformed(at, 'a length that goes past the last byte')
}

function repeated(at: number): GridError {
  return malformed(at, 'a repeated map key')
}

function malformed(at: number, found: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `Not plain CBOR: ${found}, at byte ${at}`)
}
