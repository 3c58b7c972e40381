import { GridError, KEY_MAX_BYTES, decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import { SLOT_BYTES } from './element-rows.ts'

/** Limit for an element, encoded as text in UTF-8. */
const TEXT_MAX_BYTES: number = KEY_MAX_BYTES - SLOT_BYTES
/** Text follows its mark as it is. Everything else, and text with U+0000, is encoded as base64 of CBOR. */
const TEXT_MARK = 't'
const CBOR_MARK = 'c'

/**
 * Encodes an element as text, for keys. Equal elements have the same text. Throws `INVALID_VALUE` for values that cannot be
 * elements, and for elements that are too long.
 */
export function encodeElement(element: unknown): string {
  if (typeof element !== 'string' || element.includes('\u0000')) return checkLength(CBOR_MARK + encodeOther(element))
  if (!element.isWellFormed()) throw new GridError('INVALID_VALUE', 'the element has half a surrogate pair')
  return checkLength(TEXT_MARK + element)
}

/** Decodes the text of an element. Undefined for text that `encodeElement` does not make. */
export function decodeElement(text: string): unknown {
  if (text.startsWith(TEXT_MARK)) return text.slice(1)
  if (!text.startsWith(CBOR_MARK)) return undefined
  try {
    const bytes = Uint8Array.from(atob(text.slice(1)), (character) => character.charCodeAt(0))
    scanCbor(bytes)
    const element = decodeValue(bytes)
    return encodeElement(element) === text ? element : undefined
  } catch {
    return undefined
  }
}

/** True if `decodeElement` returns an element. Fast for text, which most elements are. */
export function isElementText(text: string): boolean {
  return text.startsWith(TEXT_MARK) || decodeElement(text) !== undefined
}

function encodeOther(element: unknown): string {
  if (typeof element !== 'object') return base64(encodeShort(element))
  // Sorts a decoded copy, since getters of the element may return something else the second time.
  return base64(encodeShort(sorted(decodeValue(encodeShort(element)))))
}

function encodeShort(value: unknown): Uint8Array {
  if (typeof value === 'number') checkFinite(value)
  try {
    return encodeValue(value, TEXT_MAX_BYTES)
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'VALUE_TOO_LARGE') throw error
    throw tooLong(`more than ${TEXT_MAX_BYTES}`)
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** The same value with the keys of objects sorted, so that equal values have equal encodings. */
function sorted(value: unknown): unknown {
  if (typeof value === 'number') checkFinite(value)
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || value instanceof Date) return value
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]))
}

function checkFinite(value: number): void {
  if (!Number.isFinite(value)) throw new GridError('INVALID_VALUE', `${value} cannot be in a set: take a finite number`)
}

function checkLength(text: string): string {
  // A UTF-16 code unit takes at most three bytes of UTF-8.
  if (text.length * 3 <= TEXT_MAX_BYTES) return text
  const sizeBytes = new TextEncoder().encode(text).length
  if (sizeBytes <= TEXT_MAX_BYTES) return text
  throw tooLong(String(sizeBytes))
}

function tooLong(size: string): GridError {
  const advice = 'keep it in a map, and its key in the set'
  return new GridError(
    'INVALID_VALUE',
    `an element that takes ${size} bytes in a key, but ${TEXT_MAX_BYTES} are allowed: ${advice}`,
  )
}
