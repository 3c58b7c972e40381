import { scanCbor } from '../bytes/cbor-scanner.ts'
import { GridError } from '../errors.ts'
import type { Fields } from './fields.ts'
import { PRESENCE_MAX_BYTES } from '../limits.ts'

/** What a peer says of its own presence. The record with the larger (incarnation, revision) supersedes the other. */
export interface PresenceRecord {
  /** That of the peer's member record. */
  readonly incarnation: number
  /** Counts the changes within an incarnation. */
  readonly revision: number
  /** The state as CBOR; undefined once it has been cleared. */
  readonly value: Uint8Array | undefined
}

/** Reads a record from anybody. Throws `MESSAGE_MALFORMED`. */
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
