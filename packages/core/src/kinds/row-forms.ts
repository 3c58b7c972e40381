import { decodeValue } from '../bytes/cbor.ts'
import { splitKey } from '../bytes/composite-key.ts'
import { checkDocumentRow } from './document-row.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import { checkExpiry } from '../entries/expiry.ts'
import { kindOf } from './kinds.ts'

/** What a peer draws at every opening to keep its own rows apart. */
const SLOT_PATTERN = /^[0-9a-f]{16}$/
const CBOR_TRUE = 0xf5
const COUNTER_MAX_BYTES = 32

/** The value of a row that only says that something is there. */
export const PRESENT: Uint8Array = Uint8Array.of(CBOR_TRUE)

/**
 * Throws `MESSAGE_MALFORMED` for a row that no peer of its kind writes, `replicaId` being that of its dot. Rows of later
 * kinds pass.
 */
export function checkRowForm(kind: number, row: Readonly<Row>, replicaId: string): void {
  switch (kindOf(kind)) {
    case 'counter':
      return checkCounterRow(row)
    case 'set': {
      const { main, sub } = splitKey(row.key)
      if (sub === undefined || main === '' || !SLOT_PATTERN.test(sub)) throw malformed("a set's row without a slot")
      if (row.bytes !== undefined && !isPresent(row)) throw malformed("a set's row with a value")
      return
    }
    case 'fields':
      if (row.bytes === undefined) return
      checkExpiry(row.bytes, row.start, row.end)
      return
    case 'map':
      if (row.bytes !== undefined) checkExpiry(row.bytes, row.start, row.end)
      return
    case 'document':
      return checkDocumentRow(row, replicaId)
    case 'registry':
    case undefined:
      return
  }
}

function isPresent({ bytes, start, end }: Readonly<Row>): boolean {
  return end - start === 1 && bytes![start] === CBOR_TRUE
}

/** A slot id, and two whole numbers: what was added and what was taken away there. */
function checkCounterRow({ key, bytes, start, end }: Readonly<Row>): void {
  if (!SLOT_PATTERN.test(key)) throw malformed("a counter's row without a slot")
  const pair =
    bytes === undefined || end - start > COUNTER_MAX_BYTES ? undefined : decodeValue(bytes.subarray(start, end))
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
