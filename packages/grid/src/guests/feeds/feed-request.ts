import { PARTITIONS_MAX, decodeValue, encodeValue, scanCbor } from '@gossipgrid/core'
import { askedMapIn } from '../asked-map.ts'
import type { AskedMap } from '../asked-map.ts'
import { GUEST_CURSOR_MAX_BYTES, GUEST_REPLY_MAX_BYTES, GUEST_REQUEST_MAX_BYTES } from '../guest-limits.ts'
import { MessageFields } from '../message-fields.ts'

/** Where a guest stands in the changes of a partition: its number, from 0, and what members have sealed. */
export type SealedPlace = readonly [partition: number, sealed: Uint8Array]

/** Which changes of a map a guest follows. */
export interface FollowedChanges {
  /** Keys that begin with it. */
  readonly prefix: string
  /** Only the key that is equal to `prefix`. */
  readonly exact: boolean
  /** With all that is there. */
  readonly initial: boolean
  /** Where it goes on. What the guest has of a partition whose place is not good any more is void. */
  readonly since: readonly SealedPlace[]
  /** Partitions of which the guest has something and knows no place: that is void too. */
  readonly lost: readonly number[]
}

/** Which rows of a map a guest follows: those of a query. */
export interface FollowedRowsOf {
  readonly asked: Readonly<Record<string, unknown>>
}

/** What a guest asks about a feed, which it names by a number: to begin one, what is new in it, or to end it. */
export type FeedRequest = { readonly feed: number } & (
  | ({ readonly op: 'changes' } & AskedMap & FollowedChanges)
  | ({ readonly op: 'live' } & AskedMap & FollowedRowsOf)
  | { readonly op: 'more' | 'end' }
)

/** An entry that has changed. Without `bytes` there is none. */
export interface FedEntry {
  readonly key: string
  readonly bytes?: Uint8Array
  /** Wall milliseconds. Undefined if it does not expire. */
  readonly expiresAtMs?: number
  readonly hlc: number
  /** The guest that wrote it, if one did. */
  readonly subject?: string
}

/** What has changed in a partition. */
export interface FedPart {
  /** From 0. */
  readonly partition: number
  /** What the guest has of it is void. */
  readonly isReset: boolean
  readonly entries: readonly FedEntry[]
  /** Where to go on after it. Undefined: more of it follows. */
  readonly sealed?: Uint8Array
}

/** What is new in a feed of changes. */
export interface ChangesPage {
  readonly parts: readonly FedPart[]
  /** Partitions that no owner has answered for. */
  readonly unanswered: readonly number[]
  /** This is all that has come. */
  readonly isCaughtUp: boolean
}

/** What is new in a feed of rows. */
export interface RowsPage {
  /** All rows follow, from here to the page without `more`: others that the guest has are none any more. */
  readonly isFirst: boolean
  readonly more: boolean
  readonly rows: readonly (readonly [key: string, bytes: Uint8Array])[]
  readonly gone: readonly string[]
  readonly isComplete: boolean
}

/** The member follows nothing more for the guest: it is to begin again. */
export interface FeedOver {
  readonly isOver: true
}

export const OVER: FeedOver = { isOver: true }

export type FeedPage = ChangesPage | RowsPage | FeedOver

/** Throws `VALUE_TOO_LARGE`, and `INVALID_VALUE` for a query that is no plain value. */
export function encodeFeedRequest(request: FeedRequest): Uint8Array {
  return encodeValue(request, GUEST_REQUEST_MAX_BYTES)
}

/** Throws `VALUE_TOO_LARGE`. */
export function encodeFeedPage(page: object): Uint8Array {
  return encodeValue(page, GUEST_REPLY_MAX_BYTES)
}

/** Reads what any guest may have sent. Throws `MESSAGE_MALFORMED`. */
export function decodeFeedRequest(bytes: Uint8Array): FeedRequest {
  scanCbor(bytes)
  const fields = new MessageFields(decodeValue(bytes))
  const op = fields.text('op', 16)
  const feed = fields.count('feed')
  switch (op) {
    case 'more':
    case 'end':
      return { op, feed }
    case 'changes':
      return { op, feed, ...askedMapIn(fields), ...changesIn(fields) }
    case 'live':
      return { op, feed, ...askedMapIn(fields), asked: fields.object('asked') }
    default:
      throw MessageFields.malformed('op')
  }
}

function changesIn(fields: MessageFields): FollowedChanges {
  const exact = fields.flag('exact')
  const since = fields.list('since', PARTITIONS_MAX).map((pair): SealedPlace => {
    const [partition, sealed] = MessageFields.pair(pair)
    const place = new MessageFields({ partition }).count('partition')
    return [place, MessageFields.bytesIn(sealed, GUEST_CURSOR_MAX_BYTES)]
  })
  const prefix = exact ? fields.key('prefix') : fields.text('prefix', 1024)
  const lost = fields
    .list('lost', PARTITIONS_MAX)
    .map((partition) => new MessageFields({ partition }).count('partition'))
  return { prefix, exact, initial: fields.flag('initial'), since, lost }
}
