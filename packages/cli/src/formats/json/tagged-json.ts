import { parseJson } from './json-fault.ts'

/**
 * JSON for every value that a grid can hold, without loss. What JSON has no word for is an object with one tagged key:
 *
 *     {"$bytes": "AAEC"}  {"$date": "2026-01-31T12:00:00.000Z"}  {"$bigint": "12"}  {"$number": "NaN"}  {"$undefined": true}
 *
 * An object of an application that looks like one of these gets one more `$`: `{"$$bytes": ...}` stands for
 * `{"$bytes": ...}`, and so on.
 */

const TAG = /^\$+(bytes|date|bigint|number|undefined)$/
/** A time as ISO 8601 writes one: a day, or a moment with its offset and no parts below a millisecond. */
const TIME = /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3}0*)?)?(?:Z|[+-]\d\d:\d\d))?$/
const NUMBERS: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity }

/** A value as one line of JSON, or indented. */
export function stringifyTagged(value: unknown, indent?: number): string {
  return JSON.stringify(toTagged(value), undefined, indent)
}

/**
 * The value of a JSON text. Throws `SyntaxError` for what is no JSON, for a malformed tag, and for a whole number that a
 * double cannot hold exactly.
 */
export function parseTagged(text: string): unknown {
  return fromTagged(parseExact(text))
}

/** Something in a JSON text that would be changed. `path` leads to it. */
export class TaggedJsonError extends SyntaxError {
  readonly path: readonly string[]

  constructor(message: string, path: readonly string[] = []) {
    super(message)
    this.name = 'TaggedJsonError'
    this.path = path
  }
}

/** What a JSON text says, tags left as they are. Throws `SyntaxError` for a number that would lose digits as well. */
export function parseExact(text: string): unknown {
  // Looking at the source of every number costs more than parsing, and few texts have 16 digits in a row, or such a power.
  if (!/\d[\d.]{15}|\de[+-]?\d{3}/i.test(text)) return parseJson(text)
  const changed: ChangedNumber[] = []
  const parsed = parseJson(text, (_key, value, context) => {
    const complaint = typeof value === 'number' ? lossOf(value, context?.source) : undefined
    if (complaint === undefined) return value
    const found = new ChangedNumber(complaint)
    changed.push(found)
    return found
  })
  const [first] = changed
  if (first !== undefined) throw new TaggedJsonError(first.complaint, pathTo(first, parsed))
  return parsed
}

/** Stands in a parsed value for a number that a double does not hold. */
class ChangedNumber {
  readonly complaint: string

  constructor(complaint: string) {
    this.complaint = complaint
  }
}

/** Where in a value another one is. */
function pathTo(wanted: object, value: unknown): string[] | undefined {
  if (value === wanted) return []
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, part] of Object.entries(value)) {
    const path = pathTo(wanted, part)
    if (path !== undefined) return [key, ...path]
  }
  return undefined
}

/** True for an object's only key that makes it a tagged value, or an object that looks like one. */
export function looksTagged(key: string): boolean {
  return TAG.test(key)
}

/**
 * True for a date of ISO 8601 that exists. `Date.parse` takes much more for a date: "1", "tomorrow 5", 30 February, and
 * times without an offset, which mean another moment on each machine.
 */
export function isTime(text: string): boolean {
  const [, year, month, day] = TIME.exec(text) ?? []
  if (year === undefined || year === '-000000' || Number.isNaN(Date.parse(text))) return false
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

/** Throws `TaggedJsonError` for a malformed tag, with the way to it. Changes nothing. */
export function checkTags(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const keys = Object.keys(value)
  const object = value as Record<string, unknown>
  const only = keys.length === 1 && !Array.isArray(value) ? keys[0]! : ''
  if (TAG.test(only) && !only.startsWith('$$')) {
    untagged(only, object[only])
    return
  }
  for (const key of keys) {
    if (key === '__proto__') throw new TaggedJsonError('a key must not be __proto__')
    const part = object[key]
    if (typeof part !== 'object' || part === null) continue
    try {
      checkTags(part)
    } catch (error) {
      throw error instanceof TaggedJsonError ? new TaggedJsonError(error.message, [key, ...error.path]) : error
    }
  }
}

/** The value with tags for what JSON cannot say. Parts that need none are shared with `value`. */
export function toTagged(value: unknown): unknown {
  switch (typeof value) {
    case 'undefined':
      return { $undefined: true }
    case 'bigint':
      return { $bigint: String(value) }
    case 'number':
      return Number.isFinite(value) ? value : { $number: String(value) }
    case 'object':
      return value === null ? null : taggedObject(value)
    default:
      return value
  }
}

/** Takes tags away, in place where it can. Throws `SyntaxError` for a malformed one. */
export function fromTagged(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = fromTagged(value[i])
    return value
  }
  const object = value as Record<string, unknown>
  const keys = Object.keys(object)
  const only = keys.length === 1 ? keys[0]! : ''
  if (TAG.test(only)) {
    if (!only.startsWith('$$')) return untagged(only, object[only])
    return { [only.slice(1)]: fromTagged(object[only]) }
  }
  for (const key of keys) {
    if (key === '__proto__') throw new SyntaxError('a key must not be __proto__')
    object[key] = fromTagged(object[key])
  }
  return object
}

function taggedObject(value: object): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  // An invalid date can only come from a hostile peer. It is shown, and cannot be read back.
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (Array.isArray(value)) {
    const items = value.map(toTagged)
    return items.every((item, i) => item === value[i]) ? value : items
  }
  const entries = Object.entries(value)
  const only = entries.length === 1 ? entries[0]![0] : ''
  if (TAG.test(only)) return { [`$${only}`]: toTagged(entries[0]![1]) }
  let changed = false
  for (const entry of entries) {
    const tagged = toTagged(entry[1])
    if (tagged !== entry[1]) changed = true
    entry[1] = tagged
  }
  return changed ? Object.fromEntries(entries) : value
}

function untagged(tag: string, content: unknown): unknown {
  if (tag === '$undefined' && content === true) return undefined
  if (typeof content === 'string') {
    if (tag === '$bytes') {
      const bytes = bytesOf(content)
      if (bytes !== undefined) return bytes
    }
    if (tag === '$bigint' && /^-?\d+$/.test(content)) return BigInt(content)
    if (tag === '$number' && Object.hasOwn(NUMBERS, content)) return NUMBERS[content]
    if (tag === '$date' && isTime(content)) return new Date(content)
  }
  throw new TaggedJsonError(
    `${JSON.stringify({ [tag]: content }).slice(0, 80)} is no tagged value; an object that really looks so is written with $${tag}`,
  )
}

/** Undefined for what is no base64, in its usual alphabet or that of URLs. */
function bytesOf(base64: string): Uint8Array | undefined {
  if (base64.endsWith('=') && base64.length % 4 !== 0) return undefined
  const bytes = Buffer.from(base64, 'base64')
  const plain = base64
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '')
  return bytes.toString('base64').replace(/={1,2}$/, '') === plain ? new Uint8Array(bytes) : undefined
}

/** Why a number is not the one that was written; undefined if it is. */
function lossOf(value: number, source: string | undefined): string | undefined {
  if (source === undefined) return undefined
  if (!Number.isFinite(value)) return `the number ${source} is larger than any that can be stored`
  if (Number.isSafeInteger(value) && /^-?\d+$/.test(source)) return undefined
  if (String(value) === source) return undefined
  if (/^-?\d+$/.test(source))
    return `the number ${source} would lose digits; write {"$bigint": "${source}"} or quote it`
  const digits = digitsOf(source)
  if (digits === '') return undefined
  const isSame = digits.length <= PRECISION_MAX_DIGITS && digitsOf(value.toPrecision(digits.length)) === digits
  return isSame ? undefined : `the number ${source} would lose digits; quote it`
}

/** The most that `toPrecision` shows. */
const PRECISION_MAX_DIGITS = 100

/** The significant digits of a number. */
function digitsOf(source: string): string {
  return source
    .replace(/e.*$/i, '')
    .replaceAll(/[-.]/g, '')
    .replace(/^0+|0+$/g, '')
}
