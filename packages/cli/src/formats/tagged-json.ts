/**
 * JSON for every value that a grid can hold, without loss. What JSON has no word for is an object with one tagged key:
 *
 *     {"$bytes": "AAEC"}  {"$date": "2026-01-31T12:00:00.000Z"}  {"$bigint": "12"}  {"$number": "NaN"}  {"$undefined": true}
 *
 * An object of an application that looks like one of these gets one more `$`: `{"$$bytes": ...}` stands for
 * `{"$bytes": ...}`, and so on.
 */

const TAG = /^\$+(bytes|date|bigint|number|undefined)$/
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

/** What a JSON text says, tags left as they are. Throws `SyntaxError` for a number that would lose digits as well. */
export function parseExact(text: string): unknown {
  // Looking at the source of every number costs more than parsing, and few texts have 16 digits in a row, or such a power.
  return /\d{16}|\de\+?\d{3}/i.test(text) ? (JSON.parse(text, exactNumbers) as unknown) : (JSON.parse(text) as unknown)
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
    if (tag === '$bytes' && /^(?:[\w+/-]{4})*(?:[\w+/-]{2,3}={0,2})?$/.test(content)) return bytesOf(content)
    if (tag === '$bigint' && /^-?\d+$/.test(content)) return BigInt(content)
    if (tag === '$number' && Object.hasOwn(NUMBERS, content)) return NUMBERS[content]
    if (tag === '$date' && !Number.isNaN(Date.parse(content))) return new Date(content)
  }
  throw new SyntaxError(
    `${JSON.stringify({ [tag]: content }).slice(0, 80)} is no tagged value; an object that really looks so is written with $${tag}`,
  )
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}

function exactNumbers(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined) return value
  if (!Number.isFinite(value)) throw new SyntaxError(`the number ${source} is larger than any that can be stored`)
  if (!/^-?\d+$/.test(source)) return value
  if (Number.isSafeInteger(value) || String(value) === source) return value
  throw new SyntaxError(`the number ${source} would lose digits; write {"$bigint": "${source}"} or quote it`)
}
