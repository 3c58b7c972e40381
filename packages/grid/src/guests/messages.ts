import { GridError, decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import type { Grant } from './grants.ts'
import {
  GUEST_CURSOR_MAX_BYTES,
  GUEST_REQUEST_MAX_BYTES,
  GUEST_SIGNALS_MAX,
  GUEST_TOPICS_MAX,
  GUEST_WRITES_MAX,
  PASS_MAX_BYTES,
  SLOT_PROOF_BYTES,
} from './guest-limits.ts'
import { MessageFields } from './message-fields.ts'

/** A message is one value, and the network bounds its length. */
const MESSAGE_MAX_BYTES: number = 2 * 1024 * 1024
const VERSION = 1
const CURSORS_MAX = 64
const ROWS_MAX = 10_000

/** A write of a guest. `bytes` undefined deletes. */
export interface GuestWrite {
  /** Numbers of one guest ascend. */
  readonly number: number
  readonly map: string
  /** Code of the kind of the map. */
  readonly kind: number
  readonly rowKey: string
  readonly hlc: number
  /** It was sent before, on another connection, and a member may have taken it. */
  readonly again: boolean
  readonly bytes: Uint8Array | undefined
  /** For a row of a slot: shows that the slot is the guest's own (see `Slot`). */
  readonly proof?: Uint8Array | undefined
}

/** What a guest sends. `hello` asks the member to prove that it is one; then `enter` shows the pass. */
export type GuestMessage =
  | { readonly type: 'hello'; readonly key: Uint8Array; readonly nonce: Uint8Array }
  | {
      readonly type: 'enter'
      readonly pass: string
      /** Names the guest's numbers of writes. */
      readonly guest: string
      /** What members have given it to keep, by map. */
      readonly cursors: ReadonlyMap<string, Uint8Array>
    }
  | { readonly type: 'pass'; readonly pass: string }
  | { readonly type: 'writes'; readonly writes: readonly GuestWrite[] }
  /** Asks something of a partitioned map: see `MapRequest`. The member answers with a `reply` of the same number. */
  | { readonly type: 'ask'; readonly number: number; readonly request: Uint8Array }
  /** Asks what is new in a feed of a partitioned map: see `FeedRequest`. The member answers with a `followed` of the same number, when there is something. */
  | { readonly type: 'follow'; readonly number: number; readonly request: Uint8Array }
  | {
      /** Topics and presence. The member answers with `taken`. */
      readonly type: 'signals'
      /** Topics that the guest listens to from now on. */
      readonly listen: readonly string[]
      readonly messages: readonly { readonly topic: string; readonly value: Uint8Array }[]
      /** The guest's state, where it has changed. `value` undefined: it has none any more. */
      readonly presence: { readonly value: Uint8Array | undefined } | undefined
    }

/** The state of a row at a member. `bytes` undefined: there is none. */
export interface SentRow {
  readonly rowKey: string
  readonly bytes: Uint8Array | undefined
  /** Its date, in sets and counters: a remove names the add that it is of. */
  readonly hlc?: number | undefined
}

/** What became of a write, and what its row is now, as far as the pass covers it. */
export interface WriteAnswer {
  readonly number: number
  /** '' if it was taken. */
  readonly code: string
  readonly text: string
  readonly bytes: Uint8Array | undefined
  /** See `SentRow`. */
  readonly hlc?: number | undefined
}

/** A message of a topic, for a guest. */
export interface SentSignal {
  /** The peer that has published it. */
  readonly from: string
  /** The guest for which that peer has published it; undefined for its own. */
  readonly subject: string | undefined
  readonly topic: string
  readonly value: Uint8Array
}

/** A message of a guest that was not published, or its state. */
export interface RefusedSignal {
  /** '' for its state. */
  readonly topic: string
  readonly code: string
  readonly text: string
}

/** The reply to an `ask`, or to a `follow`. */
export interface MemberReply {
  /** That of the request. */
  readonly number: number
  /** '' if the request was granted. */
  readonly code: string
  readonly text: string
  readonly reply: Uint8Array | undefined
  /** What the member would date a write with now. */
  readonly hlc: number
}

/** What a member sends. */
export type MemberMessage =
  | { readonly type: 'proof'; readonly signature: Uint8Array }
  | {
      /** The pass is valid: what it says, also after another one was shown. */
      readonly type: 'welcome'
      readonly subject: string
      readonly expiresAtMs: number
      readonly grants: readonly Grant[]
      /** What the member would date a write with now. */
      readonly hlc: number
      /** Whose the guest's edits of documents are. Members without documents for guests do not say it. */
      readonly author: string | undefined
      /** Requests under way that the member takes. Members without partitioned maps for guests do not say it. */
      readonly requestsMax?: number | undefined
      /** Feeds that the member serves. Members without feeds for guests do not say it. */
      readonly feedsMax?: number | undefined
    }
  | {
      readonly type: 'rows'
      readonly map: string
      readonly kind: number
      /** What the guest has of the map is void, but for what comes from here to the last message of it. */
      readonly isReset: boolean
      readonly rows: readonly SentRow[]
      /** More of what is there now follows. */
      readonly more: boolean
      readonly cursor: Uint8Array | undefined
      /** The latest date of the rows: the guest dates its writes later than what it has read. */
      readonly hlc: number
    }
  /** The guest has all that its pass covers. */
  | { readonly type: 'caught-up' }
  | { readonly type: 'answers'; readonly answers: readonly WriteAnswer[]; readonly hlc: number }
  | {
      /** Topics and presence. */
      readonly type: 'signals'
      readonly messages: readonly SentSignal[]
      /** States of peers. `value` undefined: the peer has none. */
      readonly presences: readonly {
        readonly peerId: string
        readonly subject?: string | undefined
        readonly value?: Uint8Array | undefined
      }[]
    }
  | { readonly type: 'taken'; readonly refused: readonly RefusedSignal[] }
  | ({ readonly type: 'reply' } & MemberReply)
  | ({ readonly type: 'followed' } & MemberReply)
  /** Why the connection ends. */
  | { readonly type: 'end'; readonly code: string; readonly text: string }

export function encodeGuestMessage(message: GuestMessage): Uint8Array {
  return encoded(message)
}

export function encodeMemberMessage(message: MemberMessage): Uint8Array {
  return encoded(message)
}

/** Undefined is left out, and a map is an array of pairs. */
function encoded(message: object): Uint8Array {
  const parts = Object.entries(message).map(([name, value]) => [name, value instanceof Map ? [...value] : value])
  return encodeValue({ version: VERSION, ...Object.fromEntries(parts) }, MESSAGE_MAX_BYTES)
}

/** Throws `MESSAGE_MALFORMED`, `MESSAGE_VERSION`. */
export function decodeGuestMessage(bytes: Uint8Array): GuestMessage {
  const fields = fieldsOf(bytes)
  const type = fields.text('type', 16)
  switch (type) {
    case 'hello':
      return { type, key: fields.bytes('key', 32), nonce: fields.bytes('nonce', 32) }
    case 'enter': {
      const cursors = fields.list('cursors', CURSORS_MAX).map((pair) => {
        const [map, cursor] = MessageFields.pair(pair)
        return [MessageFields.name(map), MessageFields.bytesIn(cursor, GUEST_CURSOR_MAX_BYTES)] as const
      })
      const guest = fields.text('guest', 32)
      if (!/^[0-9a-f]{32}$/.test(guest)) throw malformed('guest')
      return { type, pass: fields.text('pass', PASS_MAX_BYTES), guest, cursors: new Map(cursors) }
    }
    case 'pass':
      return { type, pass: fields.text('pass', PASS_MAX_BYTES) }
    case 'writes':
      return { type, writes: fields.list('writes', GUEST_WRITES_MAX).map((write) => writeIn(new MessageFields(write))) }
    case 'ask':
    case 'follow':
      return {
        type,
        number: fields.count('number'),
        request: fields.bytesUpTo('request', GUEST_REQUEST_MAX_BYTES),
      }
    case 'signals':
      return { type, ...guestSignalsIn(fields) }
    default:
      throw malformed('type')
  }
}

/** Throws `MESSAGE_MALFORMED`, `MESSAGE_VERSION`. A guest trusts members; it reads no further than it needs. */
export function decodeMemberMessage(bytes: Uint8Array): MemberMessage {
  const fields = fieldsOf(bytes)
  const type = fields.text('type', 16)
  switch (type) {
    case 'proof':
      return { type, signature: fields.bytes('signature', 64) }
    case 'welcome':
      return {
        type,
        subject: fields.text('subject', 1024),
        expiresAtMs: fields.number('expiresAtMs'),
        grants: fields.list('grants', CURSORS_MAX) as readonly Grant[],
        hlc: fields.count('hlc'),
        author: fields.has('author') ? fields.text('author', 16) : undefined,
        requestsMax: fields.has('requestsMax') ? fields.count('requestsMax') : undefined,
        feedsMax: fields.has('feedsMax') ? fields.count('feedsMax') : undefined,
      }
    case 'rows':
      return {
        type,
        map: MessageFields.name(fields.text('map', 1024)),
        kind: fields.count('kind'),
        isReset: fields.flag('isReset'),
        rows: fields.list('rows', ROWS_MAX).map((row) => rowIn(new MessageFields(row))),
        more: fields.flag('more'),
        cursor: fields.has('cursor') ? fields.bytesUpTo('cursor', GUEST_CURSOR_MAX_BYTES) : undefined,
        hlc: fields.count('hlc'),
      }
    case 'caught-up':
      return { type }
    case 'answers':
      return {
        type,
        answers: fields.list('answers', ROWS_MAX).map((answer) => answerIn(new MessageFields(answer))),
        hlc: fields.count('hlc'),
      }
    case 'signals':
      return { type, ...memberSignalsIn(fields) }
    case 'taken':
      return { type, refused: fields.list('refused', GUEST_SIGNALS_MAX + 1).map((each) => each as RefusedSignal) }
    case 'reply':
    case 'followed':
      return {
        type,
        number: fields.count('number'),
        code: fields.text('code', 64),
        text: fields.text('text', 4096),
        reply: fields.has('reply') ? fields.bytesUpTo('reply', MESSAGE_MAX_BYTES) : undefined,
        hlc: fields.count('hlc'),
      }
    case 'end':
      return { type, code: fields.text('code', 64), text: fields.text('text', 4096) }
    default:
      throw malformed('type')
  }
}

function guestSignalsIn(fields: MessageFields): Omit<Extract<GuestMessage, { type: 'signals' }>, 'type'> {
  const listen = fields
    .list('listen', GUEST_TOPICS_MAX)
    .map((topic) => new MessageFields({ topic }).text('topic', 1024))
  const messages = fields.list('messages', GUEST_SIGNALS_MAX).map((message) => {
    const each = new MessageFields(message)
    return { topic: each.text('topic', 1024), value: each.bytesUpTo('value') }
  })
  return {
    listen,
    messages,
    presence: fields.has('presence') ? { value: valueIn(fields.nested('presence')) } : undefined,
  }
}

function memberSignalsIn(fields: MessageFields): Omit<Extract<MemberMessage, { type: 'signals' }>, 'type'> {
  const messages = fields.list('messages', ROWS_MAX).map((message) => {
    const each = new MessageFields(message)
    const from = each.text('from', 1024)
    return { from, subject: subjectIn(each), topic: each.text('topic', 1024), value: each.bytesUpTo('value') }
  })
  const presences = fields.list('presences', ROWS_MAX).map((state) => {
    const each = new MessageFields(state)
    return { peerId: each.text('peerId', 1024), subject: subjectIn(each), value: valueIn(each) }
  })
  return { messages, presences }
}

function subjectIn(fields: MessageFields): string | undefined {
  return fields.has('subject') ? fields.text('subject', 1024) : undefined
}

function valueIn(fields: MessageFields): Uint8Array | undefined {
  return fields.has('value') ? fields.bytesUpTo('value') : undefined
}

function writeIn(fields: MessageFields): GuestWrite {
  return {
    number: fields.count('number'),
    map: MessageFields.name(fields.text('map', 1024)),
    kind: fields.count('kind'),
    rowKey: fields.key('rowKey'),
    hlc: fields.count('hlc'),
    again: fields.flag('again'),
    bytes: bytesIn(fields),
    proof: fields.has('proof') ? fields.bytes('proof', SLOT_PROOF_BYTES) : undefined,
  }
}

function rowIn(fields: MessageFields): SentRow {
  return { rowKey: fields.key('rowKey'), bytes: bytesIn(fields), hlc: dateIn(fields) }
}

function bytesIn(fields: MessageFields): Uint8Array | undefined {
  return fields.has('bytes') ? fields.bytesUpTo('bytes') : undefined
}

function dateIn(fields: MessageFields): number | undefined {
  return fields.has('hlc') ? fields.count('hlc') : undefined
}

function answerIn(fields: MessageFields): WriteAnswer {
  return {
    number: fields.count('number'),
    code: fields.text('code', 64),
    text: fields.text('text', 4096),
    bytes: bytesIn(fields),
    hlc: dateIn(fields),
  }
}

function fieldsOf(bytes: Uint8Array): MessageFields {
  scanCbor(bytes)
  const fields = new MessageFields(decodeValue(bytes))
  const version = fields.count('version')
  if (version !== VERSION) throw new GridError('MESSAGE_VERSION', `version ${version} of the protocol of guests`)
  return fields
}

function malformed(field: string): GridError {
  return MessageFields.malformed(field)
}
