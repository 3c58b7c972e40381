import { spendFreely } from './spend.ts'
import type { Spend } from './spend.ts'

/**
 * The one order of all values, in queries, indexes and cursors: first by type, in the order of MongoDB, then within the type.
 * Text is ordered by UTF-16 code units, as `<` does it, and bytes one by one.
 */
export const MISSING = 0
export const NULL = 1
const NAN = 2
export const NUMBER = 3
export const TEXT = 4
export const OBJECT = 5
export const ARRAY = 6
export const BYTES = 7
export const BOOLEAN = 8
export const DATE = 9

/** Only so many code units of text, and bytes of byte strings, count for the order of rows. What is equal so far is ordered by key. */
export const ORDERED_UNITS_MAX = 1024

/** To list and look up a name of a large object takes as long as to compare so many elements of an array. */
const NAME_STEPS = 16

/** What a scalar is compared by within its type. 0 where all values of the type are equal. */
export type Payload = number | bigint | string

/** A value as the order of rows sees it. Objects are equal among themselves, and so are arrays. */
export interface SortKey {
  readonly rank: number
  readonly payload: Payload
}

/** The type of a value, as its place in the order. `undefined` is a missing value. */
export function rankOf(value: unknown): number {
  switch (typeof value) {
    case 'undefined':
      return MISSING
    case 'number':
      return Number.isNaN(value) ? NAN : NUMBER
    case 'bigint':
      return NUMBER
    case 'string':
      return TEXT
    case 'boolean':
      return BOOLEAN
    default:
      return rankOfObject(value as object | null)
  }
}

function rankOfObject(value: object | null): number {
  if (value === null) return NULL
  if (Array.isArray(value)) return ARRAY
  if (ArrayBuffer.isView(value)) return BYTES
  return Object.prototype.toString.call(value) === '[object Date]' ? DATE : OBJECT
}

/** What a value is compared by within its type. Of bytes only the first `bytesMax`. */
export function payloadOf(value: unknown, rank: number, bytesMax: number = Infinity): Payload {
  switch (rank) {
    case NUMBER:
      return payloadOfNumber(value as number | bigint)
    case TEXT:
      return value as string
    case BYTES:
      return textOfBytes(value as Uint8Array, 0, Math.min((value as Uint8Array).length, bytesMax))
    case BOOLEAN:
      return value === true ? 1 : 0
    case DATE:
      return payloadOfDate(value as Date)
    default:
      return 0
  }
}

/** The same number as a bigint and as a number is one value. */
function payloadOfNumber(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value === 0 ? 0 : value
  const number = Number(value)
  return BigInt(number) === value ? number : value
}

/** An invalid date, which only a faulty peer sends, comes before all others: NaN would be in no order. */
function payloadOfDate(date: Date): number {
  const ms = date.getTime()
  return Number.isNaN(ms) ? -Infinity : ms
}

/** Bytes as text of code units below 256: it compares as the bytes do. */
export function textOfBytes(bytes: Uint8Array, from = 0, to: number = bytes.length): string {
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

/** How the order of rows sees a value. */
export function sortKeyOf(value: unknown): SortKey {
  const rank = rankOf(value)
  return { rank, payload: cut(payloadOf(value, rank, ORDERED_UNITS_MAX)) }
}

/** Of long text only the part that counts for the order of rows. */
export function cut(payload: Payload): Payload {
  if (typeof payload !== 'string' || payload.length <= ORDERED_UNITS_MAX) return payload
  return payload.slice(0, ORDERED_UNITS_MAX)
}

/** Below 0 if the first one comes first, 0 if both are equal in the order. */
export function compareSortKeys(one: SortKey, other: SortKey): number {
  return one.rank - other.rank || comparePayloads(one.payload, other.payload)
}

/** Payloads of one rank. */
export function comparePayloads(one: Payload, other: Payload): number {
  if (one === other) return 0
  return one < other ? -1 : one > other ? 1 : 0
}

/** Whether two values are equal in a query: also arrays and objects, the latter in whichever order their names are. */
export function equalValues(one: unknown, other: unknown, spend: Spend = spendFreely): boolean {
  const rank = rankOf(one)
  if (rank !== rankOf(other)) return false
  if (rank === ARRAY) return equalArrays(one as readonly unknown[], other as readonly unknown[], spend)
  if (rank === OBJECT) return equalObjects(one as Readonly<Record<string, unknown>>, other as object, spend)
  if (rank === BYTES && (one as Uint8Array).length !== (other as Uint8Array).length) return false
  return comparePayloads(payloadOf(one, rank), payloadOf(other, rank)) === 0
}

function equalArrays(one: readonly unknown[], other: readonly unknown[], spend: Spend): boolean {
  return one.length === other.length && one.every((element, i) => equalValues(element, other[i], spend))
}

function equalObjects(one: Readonly<Record<string, unknown>>, other: object, spend: Spend): boolean {
  const namesOf = (object: object): string[] =>
    Object.keys(object).filter((name) => (object as typeof one)[name] !== undefined)
  const names = namesOf(one)
  spend(NAME_STEPS * names.length)
  if (names.length !== namesOf(other).length) return false
  return names.every((name) => Object.hasOwn(other, name) && equalValues(one[name], (other as typeof one)[name], spend))
}
