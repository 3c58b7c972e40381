import { decodeValue } from '../bytes/cbor.ts'
import { ELEMENT_SEPARATOR, splitKey } from '../bytes/composite-key.ts'
import type { Row } from '../entries/entry-table.ts'
import { malformedBlock as malformed } from '../errors.ts'
import { checkExpiry } from '../entries/value-header.ts'
import { COUNTER_ROW_MAX_BYTES } from '../limits.ts'

/** The slot id that a peer draws each time it opens, so that it never shares a row with another peer. */
const SLOT_PATTERN = /^[0-9a-f]{16}$/
/**
 * Rows of a counter under a key: the count of a slot; and how much of it a delete had seen, at the slot of the deleter. To
 * the slot id of its peer a slot adds a number of its own, for a peer that counts again after a delete.
 */
const COUNT_PATTERN = /^[0-9a-f]{16,24}(?:-[0-9a-f]{16})?$/
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
  checkPresent(row)
}

/** A row of a set under a key: the key and the element, and the slot id of the peer that added it. */
export function checkSetsRow(row: Readonly<Row>): void {
  const { main, sub } = splitKey(row.key)
  const at = main.indexOf(ELEMENT_SEPARATOR)
  if (at < 1 || at === main.length - 1) throw malformed("a set's row without a key and an element")
  if (sub === undefined || !SLOT_PATTERN.test(sub)) throw malformed("a set's row without a slot")
  checkPresent(row)
}

function checkPresent(row: Readonly<Row>): void {
  if (row.bytes !== undefined && !isPresent(row)) throw malformed("a set's row with a value")
}

function isPresent({ bytes, start, end }: Readonly<Row>): boolean {
  return end - start === 1 && bytes![start] === CBOR_TRUE
}

/** A row of a counter: a slot id, and two whole numbers: what was added and what was taken away there. */
export function checkCounterRow(row: Readonly<Row>): void {
  if (!SLOT_PATTERN.test(row.key)) throw malformed("a counter's row without a slot")
  checkAmounts(row)
}

/** A row of a counter under a key: the key and a slot, with the numbers of a counter's row; or a delete of it. */
export function checkCountersRow(row: Readonly<Row>): void {
  const { main, sub } = splitKey(row.key)
  if (sub === undefined || main === '' || !COUNT_PATTERN.test(sub)) throw malformed("a counter's row without a slot")
  if (row.bytes !== undefined) checkAmounts(row)
}

function checkAmounts({ bytes, start, end }: Readonly<Row>): void {
  const pair =
    bytes === undefined || end - start > COUNTER_ROW_MAX_BYTES ? undefined : decodeValue(bytes.subarray(start, end))
  if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isAmount)) {
    throw malformed("a counter's row that is no pair of whole numbers")
  }
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
