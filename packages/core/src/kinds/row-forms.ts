import { decodeValue } from '../bytes/cbor.ts'
import { splitKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import { checkExpiry } from '../entries/expiry.ts'
import { COUNTER_ROW_MAX_BYTES } from '../limits.ts'

/** The slot id that a peer draws each time it opens, so that it never shares a row with another peer. */
const SLOT_PATTERN = /^[0-9a-f]{16}$/
const CBOR_TRUE = 0xf5

/** The value of a set's row: the element is there. */
export const PRESENT: Uint8Array = Uint8Array.of(CBOR_TRUE)

/** A row of a map, whole values or fields: any value, which may expire. */
export function checkExpiringRow({ bytes, start, end }: Readonly<Row>): void {
  if (bytes !== undefined) checkExpiry(bytes, start, end)
}

/** A row of a set: an element and the slot id of the peer that added it, without a value of its own. */
export function checkSetRow(row: Readonly<Row>): void {
  const { main, sub } = splitKey(row.key)
  if (sub === undefined || main === '' || !SLOT_PATTERN.test(sub)) throw malformed("a set's row without a slot")
  if (row.bytes !== undefined && !isPresent(row)) throw malformed("a set's row with a value")
}

function isPresent({ bytes, start, end }: Readonly<Row>): boolean {
  return end - start === 1 && bytes![start] === CBOR_TRUE
}

/** A row of a counter: a slot id, and two whole numbers: what was added and what was taken away there. */
export function checkCounterRow({ key, bytes, start, end }: Readonly<Row>): void {
  if (!SLOT_PATTERN.test(key)) throw malformed("a counter's row without a slot")
  const pair =
    bytes === undefined || end - start > COUNTER_ROW_MAX_BYTES ? undefined : decodeValue(bytes.subarray(start, end))
  if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isAmount)) {
    throw malformed("a counter's row that is no pair of whole numbers")
  }
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed block: ${what}`)
}
