import { GridError } from '../errors.ts'
import { PEER_ID_LENGTH_MAX } from './fields.ts'
import type { Fields } from './fields.ts'
import { ADDRESSES_MAX, ADDRESS_MAX_BYTES, INCARNATION_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/** The role of a peer: `storage` peers store data durably and count as copies, `light` peers do not. */
export type Role = 'storage' | 'light'

/** What a peer reports of itself. Of two records, the one with the larger (incarnation, revision) is newer. */
export interface MemberRecord {
  readonly peerId: PeerId
  /** Wall milliseconds at which the peer was opened. Each start is a new incarnation. */
  readonly incarnation: number
  /** Number of changes of this record since the peer was opened. */
  readonly revision: number
  readonly role: Role
  /** Relative capacity. */
  readonly weight: number
  /** Failure domain; '' if the peer has none. */
  readonly zone: string
  readonly addresses: readonly string[]
  /** Name and version of the software. */
  readonly software: string
  readonly replicaId: string
  /** The peer has left the grid for good. */
  readonly left: boolean
  /** The peer may be silent for long, for example because it is a browser tab in the background. */
  readonly asleep?: true
}

/** Above 0 if `a` is newer than `b`. */
export function compareRecords(a: MemberRecord, b: MemberRecord): number {
  return a.incarnation - b.incarnation || a.revision - b.revision
}

/** Reads a record, also of a hostile peer. Throws `MESSAGE_MALFORMED`. */
export function readMemberRecord(fields: Fields): MemberRecord {
  const incarnation = fields.count('incarnation')
  if (incarnation > INCARNATION_MAX) throw new GridError('MESSAGE_MALFORMED', `incarnation ${incarnation}`)
  return {
    peerId: fields.text('peerId', PEER_ID_LENGTH_MAX),
    incarnation,
    revision: fields.count('revision'),
    role: fields.text('role', 16) === 'storage' ? 'storage' : 'light',
    weight: fields.amount('weight'),
    zone: fields.text('zone', 64),
    addresses: fields.texts('addresses', ADDRESSES_MAX, ADDRESS_MAX_BYTES),
    software: fields.text('software', 64),
    replicaId: fields.hash('replicaId'),
    left: fields.flag('left'),
    ...(fields.has('asleep') && fields.flag('asleep') ? { asleep: true } : {}),
  }
}
