import { BlockWriter, hlcFromWall } from '@gossipgrid/core'
import type { MemberRecord, Row } from '@gossipgrid/core'
import { ReplicaIds, VersionVector, encodeMessage, encodeVector } from '@gossipgrid/core/internals'
import type { PartDigest } from '@gossipgrid/core/internals'
import type { FuzzInput, FuzzTarget } from './fuzz-target.ts'

/** Messages that once did harm. Most are too large or too well-formed for mutation to find them. */
export interface HarmfulMessages {
  readonly why: string
  inputs(target: FuzzTarget): Iterable<FuzzInput>
}

const USERS = { collection: 'users', kind: 1, partition: 0 }

type Write = (writer: BlockWriter, i: number, ids: ReplicaIds, row: Row) => void

/** A broadcast frame with many rows. */
function frame(target: FuzzTarget, records: number, write: Write): FuzzInput {
  const ids = new ReplicaIds()
  const rows = new BlockWriter(ids)
  const hlc = hlcFromWall(target.wallMs)
  for (let i = 0; i < records; i++) {
    const writer = ids.intern('0123456789abcdef')
    write(rows, i, ids, { key: 'k', hlc, writer, sequence: 1 + i, replaced: 0, bytes: undefined, start: 0, end: 0 })
  }
  return { way: 'broadcast', bytes: encodeMessage({ type: 'frame', block: rows.take() }) }
}

function part(idCount: number, change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): PartDigest {
  const ids = new ReplicaIds()
  const vector = new VersionVector()
  for (let i = 0; i < idCount; i++) vector.addRange(ids.intern((i + 2 ** 40).toString(16).padStart(16, '0')), 1, 1 + i)
  return { ...USERS, fingerprint: '0'.repeat(16), vector: change(encodeVector(vector, ids)) }
}

function member(peerId: string): MemberRecord {
  const addresses = Array.from({ length: 16 }, (_, i) => `/ip4/203.0.113.${i}/tcp/1`)
  const numbers = { incarnation: 1, revision: 1, weight: 0 }
  return {
    peerId,
    ...numbers,
    role: 'light',
    zone: '',
    addresses,
    software: '',
    replicaId: '0'.repeat(16),
    left: false,
  }
}

function announce(target: FuzzTarget, parts: readonly PartDigest[]): FuzzInput {
  const message = { type: 'announce', member: member(target.sender), root: '0'.repeat(16), bulk: false, parts } as const
  return { way: 'broadcast', bytes: encodeMessage(message) }
}

export const HARMFUL_MESSAGES: readonly HarmfulMessages[] = [
  {
    why: 'an announce whose vectors are malformed left its member record behind',
    inputs: (target) => [announce(target, [part(3, (bytes) => bytes.subarray(0, -1))])],
  },
  {
    why: 'the replica ids of a refused block kept their numbers for ever',
    *inputs(target) {
      const { way, bytes } = frame(target, 5000, (writer, i, ids, row) => {
        writer.row(USERS, { ...row, writer: ids.intern(`${i}`.padStart(16, '0')) })
      })
      yield { way, bytes: bytes.subarray(0, -1) }
    },
  },
  {
    why: 'a heartbeat gave each replica id of its vectors a number for ever',
    inputs: (target) => [announce(target, [part(1000)]), announce(target, [part(50_000)])],
  },
  {
    why: 'each row that was dated ahead caused an event of its own',
    inputs: (target) => [
      frame(target, 50_000, (writer, _, __, row) => writer.row(USERS, { ...row, hlc: row.hlc * 2 })),
      frame(target, 50_000, (writer, _, __, row) =>
        writer.row({ ...USERS, collection: 'made up' }, { ...row, hlc: row.hlc * 2 }),
      ),
    ],
  },
  {
    why: 'each row of an unknown kind of collection threw an exception',
    inputs: (target) => [
      frame(target, 50_000, (writer, i, _, row) => writer.row({ ...USERS, kind: 9 }, { ...row, sequence: 90_000 - i })),
    ],
  },
  {
    why: 'each row of one collection too many threw an exception',
    inputs: (target) => [
      frame(target, 20_000, (writer, i, _, row) => writer.row({ ...USERS, collection: `made up ${i}` }, row)),
    ],
  },
  {
    why: 'gaps in descending order were sorted into ever longer lists',
    inputs: (target) => [
      frame(target, 60_000, (writer, i, _, row) => writer.row(USERS, { ...row, sequence: 200_000 - 2 * i })),
    ],
  },
  {
    why: 'all addresses of a thousand invented members were dialled at once',
    *inputs() {
      const members = Array.from({ length: 1000 }, (_, i) => member(`made up ${i}`))
      yield { way: 'message', bytes: encodeMessage({ type: 'hello', members }) }
    },
  },
  {
    why: 'each request for another collection made all later steps slower',
    *inputs() {
      for (let i = 0; i < 3000; i++) {
        const dot = { collection: `made up ${i}`, partition: 0, replicaId: '0'.repeat(16), sequence: 1 }
        yield { way: 'message', bytes: encodeMessage({ type: 'confirm', request: i, ...dot }) }
      }
    },
  },
  {
    why: 'each claim that the own replica id is in use issued all writes again',
    *inputs(target) {
      for (let i = 0; i < 200; i++) {
        const ids = new ReplicaIds()
        const vector = new VersionVector()
        vector.addRange(ids.intern(target.victim.replicaId), 1, 0xffffffff)
        const claim = { ...USERS, fingerprint: '0'.repeat(16), vector: encodeVector(vector, ids) }
        yield announce(target, [claim])
      }
    },
  },
  {
    why: 'a forged member with a higher incarnation superseded the true one, and itself for ever',
    *inputs(target) {
      for (let i = 0; i < 200; i++) {
        const victim = { ...target.victim.membership.self, incarnation: target.victim.membership.self.incarnation + 1 }
        const forged = { ...member('honest'), incarnation: 2 ** 45 + i, left: i % 2 === 0 }
        yield { way: 'message', bytes: encodeMessage({ type: 'hello', members: [victim, forged] }) }
      }
    },
  },
  {
    why: 'thousands of rows with one dot made one chunk that fits into no message',
    *inputs(target) {
      const bytes = new Uint8Array(60_000).fill(0x20)
      bytes.set([0x59, (bytes.length - 3) >> 8, (bytes.length - 3) & 0xff])
      for (let turn = 0; turn < 4; turn++) {
        yield frame(target, 30, (writer, i, _, row) => {
          writer.row(USERS, { ...row, key: `${turn} ${i}`, sequence: 7, bytes, end: bytes.length })
        })
      }
    },
  },
]
