import { scanCbor } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'
import type { Fields } from './fields.ts'
import { PRESENCE_MAX_BYTES } from '../limits.ts'

/** A peer's presence. Of two records, the one with the larger (incarnation, revision) is newer. */
export interface PresenceRecord {
  /** The incarnation of the peer's member record. */
  readonly incarnation: number
  /** Number of changes since the peer was opened. */
  readonly revision: number
  /** The state as CBOR; undefined after it was cleared. */
  readonly value: Uint8Array | undefined
}

/** Reads a record, also of a hostile peer. Throws `MESSAGE_MALFORMED`. */
export function readPresence(fields: Fields): PresenceRecord {
  const value = fields.has('value') ? fields.bytes('value') : undefined
  if (value !== undefined) {
    if (value.length > PRESENCE_MAX_BYTES) {
      throw new GridError('MESSAGE_MALFORMED', `a presence of ${value.length} bytes`)
    }
    scanCbor(value)
  }
  return { incarnation: fields.count('incarnation'), revision: fields.count('revision'), value }
}
