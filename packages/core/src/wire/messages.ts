import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { scanCbor } from '../bytes/cbor-scanner.ts'
import { decodeValue, encodeValue } from '../bytes/cbor.ts'
import { GridError } from '../errors.ts'
import { Fields } from './fields.ts'
import { MAP_CODE } from '../kinds/kinds.ts'
import {
  HEADER_KEYS_MAX,
  MEMBERS_MAX,
  MESSAGE_HEADER_MAX_BYTES,
  MESSAGE_MAX_BYTES,
  MESSAGE_PARTS_MAX,
} from '../limits.ts'
import { readMemberRecord } from './member-record.ts'
import type { MemberRecord } from './member-record.ts'
import { readPresence } from './presence-record.ts'
import type { PresenceRecord } from './presence-record.ts'
import { readTopicMessages } from './topic-message.ts'
import type { TopicMessage } from './topic-message.ts'

/**
 * The highest wire version that this build reads. Every message names the lowest version that can read it, so that a grid can
 * be updated peer by peer. Types that version 1 knew are sent as version 1; they may have new optional fields, which version
 * 1 ignores. New types are sent as version 2. A peer refuses a message that it does not know with `MESSAGE_VERSION`, which
 * is no offence of the sender.
 */
export const WIRE_VERSION = 2

const EMPTY: Uint8Array = new Uint8Array(0)

/** What a peer reports of one partition when vectors are compared. */
export interface PartDigest {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  /** Sixteen hexadecimal digits, equal if two peers have the same entries. */
  readonly fingerprint: string
  /** In the encoding of `encodeVector`. Dots below the purge floor are left out. */
  readonly vector: Uint8Array
  /** The hash of the purge floor that the vector stands on; left out if there is none. */
  readonly floorHash?: string
  /** The floor, in the encoding of `Floor.encode`; sent if the two peers stand on different floors. */
  readonly floor?: Uint8Array
}

/**
 * All messages between peers. `frame`, `announce`, `publish` and `presence` are broadcast, the others travel on a stream.
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
  /** The first message on a new connection. */
  | {
      readonly type: 'hello'
      readonly members: readonly MemberRecord[]
      readonly presence?: PresenceRecord
      /** The sender reads frames that are sent straight to it; left out by a peer that does not. */
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
    }
  /** Answers a digest: the peers have the same. */
  | { readonly type: 'equal'; readonly session: number }
  /** Answers a digest that differs, and then the vectors of the other peer: a request for what the sender lacks. */
  | {
      readonly type: 'vectors'
      readonly session: number
      /** True in the answer to a digest, which asks for the vectors of the other peer. */
      readonly ask: boolean
      /** Codes of the kinds that the sender knows. Version 1 knows only maps, and leaves this out. */
      readonly kinds?: readonly number[]
      readonly parts: readonly PartDigest[]
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
  /** What the broadcasting peer has published lately. */
  | { readonly type: 'publish'; readonly messages: readonly TopicMessage[] }
  /** The broadcasting peer's presence has changed. */
  | { readonly type: 'presence'; readonly presence: PresenceRecord }

export type MessageType = Message['type']

/** The lowest version that reads each type. */
const VERSIONS: Readonly<Record<MessageType, number>> = {
  frame: 1,
  announce: 1,
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
  publish: 2,
  presence: 2,
}

export function encodeMessage(message: Message): Uint8Array {
  const { type, ...fields } = message
  let body: Uint8Array = EMPTY
  const header: Record<string, unknown> = { t: type, ...fields }
  if (message.type === 'frame' || message.type === 'chunk') {
    body = message.block
    delete header['block']
  }
  if ('parts' in message && message.parts !== undefined) Object.assign(header, partsHeader(message.parts))
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
  }
  if (body.length > 0) throw new GridError('MESSAGE_MALFORMED', `${body.length} bytes behind a ${type} message`)
  switch (type) {
    case 'announce':
      return {
        type,
        member: readMemberRecord(fields.nested('member')),
        root: fields.hash('root'),
        bulk: fields.flag('bulk'),
        ...(fields.has('wallMs') ? { wallMs: fields.count('wallMs') } : {}),
        parts: fields.has('parts') ? readParts(fields) : undefined,
        ...presenceOf(fields),
      }
    case 'hello':
      return readHello(fields)
    case 'goodbye':
      return { type, left: fields.flag('left') }
    case 'digest':
      return {
        type,
        ...sessionOf(fields),
        root: fields.hash('root'),
        ...(fields.has('floors') ? { floors: fields.hash('floors') } : {}),
      }
    case 'equal':
      return { type, ...sessionOf(fields) }
    case 'vectors':
      return {
        type,
        ...sessionOf(fields),
        ask: fields.flag('ask'),
        ...(fields.has('kinds') ? { kinds: fields.counts('kinds') } : {}),
        parts: readParts(fields),
      }
    case 'chunk-ack':
      return { type, ...sessionOf(fields), index: fields.count('index') }
    case 'stop':
      return { type, ...sessionOf(fields), reason: fields.text('reason', 200) }
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
    case 'publish':
      return { type, messages: readTopicMessages(fields) }
    case 'presence':
      return { type, presence: readPresence(fields.nested('presence')) }
    default:
      throw new Error(`a type without a reader: ${type}`)
  }
}

function presenceOf(fields: Fields): { presence?: PresenceRecord } {
  return fields.has('presence') ? { presence: readPresence(fields.nested('presence')) } : {}
}

function sessionOf(fields: Fields): { session: number } {
  return { session: fields.count('session') }
}

/**
 * Version 1 would take vectors of kinds that it does not know for writes that it lacks. So these are in a list of their own,
 * which version 1 ignores. If that list is full, the rest goes with the maps, because no version reads longer lists.
 */
function partsHeader(parts: readonly PartDigest[]): { parts: readonly PartDigest[]; others?: readonly PartDigest[] } {
  const others = parts.filter(({ kind }) => kind !== MAP_CODE)
  if (others.length === 0) return { parts }
  const maps = parts.filter(({ kind }) => kind === MAP_CODE)
  return { parts: [...maps, ...others.slice(MESSAGE_PARTS_MAX)], others: others.slice(0, MESSAGE_PARTS_MAX) }
}

function readParts(fields: Fields): PartDigest[] {
  const others = fields.has('others') ? fields.list('others', MESSAGE_PARTS_MAX) : []
  return [...fields.list('parts', MESSAGE_PARTS_MAX), ...others].map((part) => ({
    collection: part.text('collection', 128),
    kind: part.count('kind'),
    partition: part.count('partition'),
    fingerprint: part.hash('fingerprint'),
    vector: part.bytes('vector'),
    ...(part.has('floorHash') ? { floorHash: part.hash('floorHash') } : {}),
    ...(part.has('floor') ? { floor: part.bytes('floor') } : {}),
  }))
}
