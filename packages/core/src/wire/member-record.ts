import { GridError } from '../errors.ts'
import type { Fields } from './fields.ts'
import { ADDRESSES_MAX, ADDRESS_MAX_BYTES, INCARNATION_MAX } from '../limits.ts'
import type { PeerId } from '../ports.ts'

/** What a peer is for: `storage` peers hold data durably and count as copies; nobody counts on `light` peers. */
export type Role = 'storage' | 'light'

/** What a peer says of itself. The record with the larger (incarnation, revision) supersedes the other. */
export interface MemberRecord {
  readonly peerId: PeerId
  /** Wall milliseconds at which the peer was opened; each start is a new incarnation. */
  readonly incarnation: number
  /** Counts the changes of this record within an incarnation. */
  readonly revision: number
  readonly role: Role
  /** Relative capacity, for placement. */
  readonly weight: number
  /** Failure domain, '' when not told. */
  readonly zone: string
  readonly addresses: readonly string[]
  /** Name and version of the software. */
  readonly software: string
  readonly replicaId: string
  /** The peer has left the grid for good. */
  readonly left: boolean
  /** The peer says that it may be silent for long: a browser tab that nobody looks at. */
  readonly asleep?: true
}

/** Above 0 when `a` supersedes `b`. */
export function compareRecords(a: MemberRecord, b: MemberRecord): number {
  return a.incarnation - b.incarnation || a.revision - b.revision
}

/** Reads a record from anybody. Throws `MESSAGE_MALFORMED`. */
export function readMemberRecord(fields: Fields): MemberRecord {
  const incarnation = fields.count('incarnation')
  if (incarnation > INCARNATION_MAX) throw new GridError('MESSAGE_MALFORMED', `incarnation ${incarnation}`)
  return {
    peerId: fields.text('peerId', 128),
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
