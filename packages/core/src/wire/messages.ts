import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { scanCbor } from '../bytes/cbor-scanner.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { GridError } from '../errors.ts'
import { Fields, PEER_ID_LENGTH_MAX } from './fields.ts'
import {
  HEADER_KEYS_MAX,
  MEMBERS_MAX,
  MESSAGE_HEADER_MAX_BYTES,
  MESSAGE_MAX_BYTES,
  WRITE_AUDIENCE_MAX,
} from '../limits.ts'
import { readCopyGroups } from './copy-groups.ts'
import type { CopyGroup } from './copy-groups.ts'
import { readMemberRecord } from './member-record.ts'
import type { MemberRecord } from './member-record.ts'
import { partsHeader, readParts } from './part-digest.ts'
import type { PartDigest } from './part-digest.ts'
import { readPresence } from './presence-record.ts'
import type { PresenceRecord } from './presence-record.ts'
import { readFollow, readFollowed } from './follow-messages.ts'
import type { FollowingMessage } from './follow-messages.ts'
import { readAnswer, readQuestion } from './read-messages.ts'
import type { RoutingMessage } from './read-messages.ts'
import { readTopicMessages } from './topic-message.ts'
import type { TopicMessage } from './topic-message.ts'

/**
 * The highest wire version that this build reads. Every message names the lowest version that can read it, so that a grid can
 * be updated peer by peer. Types that version 1 knew are sent as version 1; they may have new optional fields, which version
 * 1 ignores. New types are sent as version 2. A peer refuses a message that it does not know with `MESSAGE_VERSION`, which
 * is no offence of the sender.
 */
export const WIRE_VERSION = 2

export type { PartDigest } from './part-digest.ts'
export type { KeysOfPart } from './read-messages.ts'

const EMPTY: Uint8Array = new Uint8Array(0)

/**
 * All messages between peers. `frame`, `announce`, `publish` and `presence` are broadcast, the others travel on a stream. An
 * `announce` may also travel on a stream.
 *
 * On the wire: one byte of version, the length of a CBOR map, that map (`t` is the type), and the body, which is a
 * block for types that carry rows and empty for the others.
 */
export type Message =
  /** Durable writes of the broadcasting peer. */
  | { readonly type: 'frame'; readonly block: Uint8Array }
  /** A heartbeat, which renews the sender's lease and reports what it has. `bulk`: frames were left out, so fetch them by a session. */
  | {
      readonly type: 'announce'
      readonly member: MemberRecord
      readonly root: string
      readonly bulk: boolean
      /** The sender's time; left out by version 1, and by a peer whose clock is in doubt. */
      readonly wallMs?: number
      /** Left out if the vectors are too large for a heartbeat. */
      readonly parts: readonly PartDigest[] | undefined
      /** Left out by a peer that never had a presence. */
      readonly presence?: PresenceRecord
    }
  /** A heartbeat: nothing has changed since the sender's last `announce` on this stream. */
  | { readonly type: 'still' }
  /** The first message on a new connection. */
  | {
      readonly type: 'hello'
      readonly members: readonly MemberRecord[]
      readonly presence?: PresenceRecord
      /** The sender reads frames and heartbeats that are sent straight to it; left out by a peer that does not. */
      readonly direct?: true
    }
  /** The sender is about to close. `left`: it leaves the grid for good. */
  | { readonly type: 'goodbye'; readonly left: boolean }
  /** Opens a session, with the hash over everything that the sender has. */
  | {
      readonly type: 'digest'
      readonly session: number
      readonly root: string
      /** The hash over all purge floors; left out if there are none. */
      readonly floors?: string
      /** The sender's copies of partitions; left out if there are none. Only what both have a copy of is compared. */
      readonly copies?: readonly CopyGroup[]
    }
  /** Answers a digest: the peers have the same, of what both have a copy of. */
  | { readonly type: 'equal'; readonly session: number; readonly copies?: readonly CopyGroup[] }
  /** Answers a digest that differs, and then the vectors of the other peer: a request for what the sender lacks. */
  | {
      readonly type: 'vectors'
      readonly session: number
      /** True in the answer to a digest, which asks for the vectors of the other peer. */
      readonly ask: boolean
      /** Codes of the kinds that the sender knows. Version 1 knows only maps, and leaves this out. */
      readonly kinds?: readonly number[]
      readonly parts: readonly PartDigest[]
      readonly copies?: readonly CopyGroup[]
      /** Partitions of partitioned collections were left out for want of room. Otherwise the sender has nothing of those. */
      readonly more?: true
    }
  | {
      readonly type: 'chunk'
      readonly session: number
      /** Counts from 0. */
      readonly index: number
      /** The sender has nothing more. */
      readonly last: boolean
      readonly block: Uint8Array
    }
  /** The chunk is durable at the receiver. */
  | { readonly type: 'chunk-ack'; readonly session: number; readonly index: number }
  /** The session cannot go on. */
  | { readonly type: 'stop'; readonly session: number; readonly reason: string }
  /** Asks for a `confirmed` message once this dot is durable at the receiver. */
  | {
      readonly type: 'confirm'
      readonly request: number
      readonly collection: string
      /** Code of the kind; left out for a map. */
      readonly kind?: number
      readonly partition: number
      readonly replicaId: string
      readonly sequence: number
    }
  | { readonly type: 'confirmed'; readonly request: number }
  /**
   * Asks an owner which of these copies of the sender it has as well, with all that is in them. With `floor`, any peer with a copy is
   * asked, and whether it has seen what the sender proposes as purge floors; `fingerprint` is a hash over the peers that publish copies.
   */
  | { readonly type: 'covers'; readonly request: number; readonly floor?: true; readonly parts: readonly PartDigest[] }
  /** One bit for each part of the question, the first in the lowest bit of the first byte: the sender has it durably, and keeps it for a while. */
  | { readonly type: 'covered'; readonly request: number; readonly covered: Uint8Array }
  /** Rows for a partition of which the receiver has a copy, or which it is to pass on. Answered by `written`. */
  | {
      readonly type: 'write'
      readonly request: number
      /** What the sender's placement follows from: if it is the same as the receiver's, both see the same owners. */
      readonly view: string
      /** The receiver issues the rows under a replica id of its own: the sender has none that lasts. */
      readonly reissue?: true
      readonly block: Uint8Array
    }
  /** The rows of a `write`: what became of each is durable at the sender. */
  | {
      readonly type: 'written'
      readonly request: number
      /** One byte for each row, in the order of the block: see `RowOutcome`. */
      readonly outcomes: Uint8Array
      /** For each record of rows: the highest sequence of its replica id that the sender had seen there before. */
      readonly heads: readonly number[]
      /** Who has copies of the partitions in the sender's view; left out if the views are equal. */
      readonly audience?: readonly string[]
    }
  /** Reads of partitions, and their answers. */
  | RoutingMessage
  | FollowingMessage
  /** What the broadcasting peer has published lately. */
  | { readonly type: 'publish'; readonly messages: readonly TopicMessage[] }
  /** The broadcasting peer's presence has changed. */
  | { readonly type: 'presence'; readonly presence: PresenceRecord }

export type MessageType = Message['type']

/** The lowest version that reads each type. */
const VERSIONS: Readonly<Record<MessageType, number>> = {
  frame: 1,
  announce: 1,
  still: 2,
  hello: 1,
  goodbye: 1,
  digest: 1,
  equal: 1,
  vectors: 1,
  chunk: 1,
  'chunk-ack': 1,
  stop: 1,
  confirm: 1,
  confirmed: 1,
  covers: 2,
  covered: 2,
  write: 2,
  written: 2,
  read: 2,
  found: 2,
  scan: 2,
  page: 2,
  count: 2,
  counted: 2,
  query: 2,
  result: 2,
  follow: 2,
  followed: 2,
  publish: 2,
  presence: 2,
}

export function encodeMessage(message: Message): Uint8Array {
  const { type, ...fields } = message
  let body: Uint8Array = EMPTY
  const header: Record<string, unknown> = { t: type, ...fields }
  if ('block' in message) {
    body = message.block
    delete header['block']
  }
  if ('parts' in message && message.parts !== undefined && message.type !== 'read')
    Object.assign(header, partsHeader(message.parts))
  const headerBytes = encodeValue(header, MESSAGE_HEADER_MAX_BYTES)
  const writer = new ByteWriter(headerBytes.length + body.length + 8)
  writer.byte(VERSIONS[type])
  writer.varint(headerBytes.length)
  writer.raw(headerBytes)
  writer.raw(body)
  return writer.take()
}

/**
 * Reads a message, also of a hostile peer. Throws `MESSAGE_TOO_LARGE`, `MESSAGE_VERSION` or `MESSAGE_MALFORMED`. The block of
 * a message is not checked here but by `readBlock`.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > MESSAGE_MAX_BYTES) {
    throw new GridError('MESSAGE_TOO_LARGE', `a message of ${bytes.length} bytes; the limit is ${MESSAGE_MAX_BYTES}`)
  }
  const reader = new ByteReader(bytes)
  const version = reader.byte()
  if (version < 1 || version > WIRE_VERSION) {
    throw new GridError(
      'MESSAGE_VERSION',
      `a message of wire version ${version}; this peer reads up to ${WIRE_VERSION}`,
    )
  }
  const length = reader.varint()
  const start = reader.skip(length)
  scanCbor(bytes, start, start + length, HEADER_KEYS_MAX)
  const fields = new Fields(decodeValue(bytes.subarray(start, start + length)), 'message')
  return readMessage(fields, bytes.subarray(reader.position))
}

function readHello(fields: Fields): Message {
  return {
    type: 'hello',
    members: fields.list('members', MEMBERS_MAX + 1).map(readMemberRecord),
    ...presenceOf(fields),
    ...(fields.has('direct') && fields.flag('direct') ? { direct: true } : {}),
  }
}

function readAnnounce(fields: Fields): Message {
  return {
    type: 'announce',
    member: readMemberRecord(fields.nested('member')),
    root: fields.hash('root'),
    bulk: fields.flag('bulk'),
    ...(fields.has('wallMs') ? { wallMs: fields.count('wallMs') } : {}),
    parts: fields.has('parts') ? readParts(fields) : undefined,
    ...presenceOf(fields),
  }
}

function readMessage(fields: Fields, body: Uint8Array): Message {
  const type = fields.text('t', 32)
  if (!Object.hasOwn(VERSIONS, type)) {
    throw new GridError('MESSAGE_VERSION', `a message of type '${type}', which this version does not know`)
  }
  switch (type) {
    case 'frame':
      return { type, block: body }
    case 'chunk':
      return { type, ...sessionOf(fields), index: fields.count('index'), last: fields.flag('last'), block: body }
    case 'write':
      return {
        type,
        request: fields.count('request'),
        view: fields.hash('view'),
        ...(fields.has('reissue') && fields.flag('reissue') ? { reissue: true } : {}),
        block: body,
      }
    case 'found':
    case 'page':
    case 'result':
      return readAnswer(type, fields, body)
    case 'followed':
      return readFollowed(fields, body)
  }
  if (body.length > 0) throw new GridError('MESSAGE_MALFORMED', `${body.length} bytes behind a ${type} message`)
  switch (type) {
    case 'announce':
      return readAnnounce(fields)
    case 'still':
      return { type }
    case 'hello':
      return readHello(fields)
    case 'goodbye':
      return { type, left: fields.flag('left') }
    case 'digest':
    case 'equal':
    case 'vectors':
    case 'chunk-ack':
    case 'stop':
      return readOfSession(type, fields)
    case 'confirm':
    case 'confirmed':
    case 'covers':
    case 'covered':
    case 'written':
      return readOfCopies(type, fields)
    case 'read':
    case 'scan':
    case 'count':
    case 'counted':
    case 'query':
      return readQuestion(type, fields)
    case 'follow':
      return readFollow(fields)
    case 'publish':
      return { type, messages: readTopicMessages(fields) }
    case 'presence':
      return { type, presence: readPresence(fields.nested('presence')) }
    default:
      throw new Error(`a type without a reader: ${type}`)
  }
}

/** What peers ask and say of copies. */
function readOfCopies(type: 'confirm' | 'confirmed' | 'covers' | 'covered' | 'written', fields: Fields): Message {
  switch (type) {
    case 'confirm':
      return {
        type,
        request: fields.count('request'),
        collection: fields.text('collection', 128),
        ...(fields.has('kind') ? { kind: fields.count('kind') } : {}),
        partition: fields.count('partition'),
        replicaId: fields.hash('replicaId'),
        sequence: fields.count('sequence'),
      }
    case 'confirmed':
      return { type, request: fields.count('request') }
    case 'covers':
      return {
        type,
        request: fields.count('request'),
        ...(fields.has('floor') && fields.flag('floor') ? { floor: true } : {}),
        parts: readParts(fields),
      }
    case 'covered':
      return { type, request: fields.count('request'), covered: fields.bytes('covered') }
    case 'written':
      return {
        type,
        request: fields.count('request'),
        outcomes: fields.bytes('outcomes'),
        heads: fields.counts('heads'),
        ...(fields.has('audience')
          ? { audience: fields.texts('audience', WRITE_AUDIENCE_MAX, PEER_ID_LENGTH_MAX) }
          : {}),
      }
  }
}

function readOfSession(type: 'digest' | 'equal' | 'vectors' | 'chunk-ack' | 'stop', fields: Fields): Message {
  switch (type) {
    case 'digest':
      return {
        type,
        ...sessionOf(fields),
        root: fields.hash('root'),
        ...(fields.has('floors') ? { floors: fields.hash('floors') } : {}),
        ...copiesOf(fields),
      }
    case 'equal':
      return { type, ...sessionOf(fields), ...copiesOf(fields) }
    case 'vectors':
      return {
        type,
        ...sessionOf(fields),
        ask: fields.flag('ask'),
        ...(fields.has('kinds') ? { kinds: fields.counts('kinds') } : {}),
        parts: readParts(fields),
        ...copiesOf(fields),
        ...(fields.has('more') && fields.flag('more') ? { more: true } : {}),
      }
    case 'chunk-ack':
      return { type, ...sessionOf(fields), index: fields.count('index') }
    case 'stop':
      return { type, ...sessionOf(fields), reason: fields.text('reason', 200) }
  }
}

function presenceOf(fields: Fields): { presence?: PresenceRecord } {
  return fields.has('presence') ? { presence: readPresence(fields.nested('presence')) } : {}
}

function copiesOf(fields: Fields): { copies?: readonly CopyGroup[] } {
  return fields.has('copies') ? { copies: readCopyGroups(fields, 'copies') } : {}
}

function sessionOf(fields: Fields): { session: number } {
  return { session: fields.count('session') }
}
