import { decodeValue, encodeValue, hashText, shown } from '@gossipgrid/core'
import type { Path } from '../ordering/paths.ts'
import { BYTES, DATE, NUMBER, TEXT, compareSortKeys } from '../ordering/value-order.ts'
import type { Payload, SortKey } from '../ordering/value-order.ts'
import { fromBase64Url, toBase64Url } from '../receipts/base64url.ts'
import { invalidQuery } from './checks/invalid-query.ts'

const POSITION_VERSION = 1
const POSITION_MAX_BYTES: number = 32 * 1024
const RANKS = 10

/** A field to order by. */
export interface OrderPart {
  readonly name: string
  readonly path: Path
  readonly descending: boolean
}

/** In which order rows come. */
export interface RowOrder {
  readonly parts: readonly OrderPart[]
  /** Whether rows with equal fields come in descending order of their keys. */
  readonly keysDescend: boolean
}

/**
 * A place in the order of rows. It stands for the values and not for a row or a peer: it is good at every peer, also when the
 * row is gone.
 */
export interface Position {
  readonly sort: readonly SortKey[]
  readonly key: string
}

/** Below 0 if the first one comes first. */
export function comparePositions({ parts, keysDescend }: RowOrder, one: Position, other: Position): number {
  for (let i = 0; i < parts.length; i++) {
    const order = compareSortKeys(one.sort[i]!, other.sort[i]!)
    if (order !== 0) return parts[i]!.descending ? -order : order
  }
  if (one.key === other.key) return 0
  return one.key < other.key === keysDescend ? 1 : -1
}

/** A position as text: the `next` of a page. */
export function positionText(order: RowOrder, { sort, key }: Position): string {
  const plain = [
    POSITION_VERSION,
    orderHash(order),
    key,
    ...sort.flatMap(({ rank, payload }) => [rank, plainOf(payload)]),
  ]
  return toBase64Url(encodeValue(plain, POSITION_MAX_BYTES))
}

/** Throws `INVALID_QUERY` for text that is no position in this order. */
export function readPosition(text: unknown, order: RowOrder): Position {
  if (typeof text !== 'string') throw invalidQuery('after', `the next of a page, not ${shown(text)}`)
  const fault = 'not the next of a page of a query with this orderBy'
  let plain: readonly unknown[]
  try {
    // Encoded again, it has to be the same: so nothing else than plain CBOR passes.
    plain = decodeValue(fromBase64Url(text.slice(0, 2 * POSITION_MAX_BYTES))) as readonly unknown[]
    if (toBase64Url(encodeValue(plain, POSITION_MAX_BYTES)) !== text) throw new TypeError('other bytes')
  } catch (error) {
    throw invalidQuery('after', fault, error)
  }
  const sort = order.parts.map((_, i) => readSortKey(plain[3 + 2 * i], plain[4 + 2 * i]))
  const isWhole = Array.isArray(plain) && plain.length === 3 + 2 * order.parts.length
  const isThis = isWhole && plain[0] === POSITION_VERSION && plain[1] === orderHash(order)
  if (!isThis || typeof plain[2] !== 'string' || sort.includes(undefined)) throw invalidQuery('after', fault)
  return { sort: sort as SortKey[], key: plain[2] }
}

function readSortKey(rank: unknown, plain: unknown): SortKey | undefined {
  if (!Number.isInteger(rank) || (rank as number) < 0 || (rank as number) >= RANKS) return undefined
  const payload = plain instanceof Uint8Array ? textOfUnits(plain) : plain
  const isText = rank === TEXT || rank === BYTES
  if (isText ? typeof payload !== 'string' : typeof payload !== 'number' && typeof payload !== 'bigint')
    return undefined
  const isNumber = rank === NUMBER || rank === DATE
  return { rank: rank as number, payload: isText || isNumber ? (payload as Payload) : Number(payload) }
}

/** A cut may go through a surrogate pair. Such text is no value, but its code units are. */
function plainOf(payload: Payload): Payload | Uint8Array {
  if (typeof payload !== 'string' || payload.isWellFormed()) return payload
  const units = new Uint8Array(2 * payload.length)
  for (let i = 0; i < payload.length; i++) {
    units[2 * i] = payload.charCodeAt(i) >> 8
    units[2 * i + 1] = payload.charCodeAt(i) & 0xff
  }
  return units
}

function textOfUnits(units: Uint8Array): string {
  let text = ''
  for (let i = 0; i + 1 < units.length; i += 2) text += String.fromCharCode(units[i]! * 256 + units[i + 1]!)
  return text
}

function orderHash({ parts, keysDescend }: RowOrder): number {
  const named = parts.map(({ name, descending }) => (descending ? '-' : '+') + name)
  return hashText([...named, keysDescend ? '-' : '+'].join('\0'), 0) >>> 0
}
