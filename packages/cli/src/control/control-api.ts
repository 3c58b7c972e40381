import { ROW_MAX_BYTES } from '../formats/json/row.ts'
import type { CollectionStatus, DurableMember, GridMember, GridStatus, OwnerShare, Receipt } from 'gossipgrid'

/**
 * The API of a peer's local socket: HTTP with JSON bodies, values as tagged JSON. Streams are NDJSON and end with
 * `{"end": <lines>}`; a stream without that line was cut off. Where the collection was dropped on the way, that line has
 * `"dropped": <name>` as well: some entries may be missing.
 */
export interface PeerStatus extends GridStatus {
  readonly pid: number
  readonly version: string
  readonly uptimeMs: number
  /** The data directory, or '' in memory. */
  readonly directory: string
  readonly socket: string
  readonly metrics: string
  readonly wallTime: string
}

/** The last line of a stream. */
export interface StreamEnd {
  readonly end: number
  readonly dropped?: string
}

export interface MembersAnswer {
  readonly members: readonly GridMember[]
  /** Durable peers, including those that have been away for long. */
  readonly registered: readonly DurableMember[]
  /** What the peers that are able to own have of all partitioned collections together. Empty if nothing is partitioned. */
  readonly shares: readonly OwnerShare[]
}

export interface ForgetAnswer {
  readonly peerId: string
  /** It is running, and will register again. */
  readonly alive: boolean
}

export interface CollectionsAnswer {
  readonly collections: readonly CollectionStatus[]
}

export interface DropAnswer {
  readonly collection: string
  readonly kind: string
  /** How many entries it had at this peer. */
  readonly entries: number
  readonly receipt: Receipt
}

/** The first line of a backup. */
export interface BackupStart {
  readonly grid: string
  readonly peerId: string
  readonly storeFormat: number
  readonly software: string
  readonly entries: number
}

/** A blob of a backup. */
export interface BackupBlob {
  readonly key: string
  readonly entries: number
  /** Base64. */
  readonly bytes: string
}

/** One line of a backup. The last one says whether nothing has disturbed it. */
export type BackupLine = { readonly start: BackupStart } | BackupBlob | { readonly isSound: boolean }

export interface EntryAnswer {
  readonly collection: string
  readonly key: string
  /** Tagged JSON. */
  readonly value: unknown
  /** When it expires, if it does: ISO 8601. */
  readonly expiresAt?: string
}

export interface WriteAnswer {
  readonly collection: string
  readonly key: string
  readonly receipt: Receipt
}

/** A counter or a set after a change of it: without a key, one of its own. */
export interface ChangeAnswer {
  readonly collection: string
  readonly key?: string
  /** A number, or the elements as tagged values. */
  readonly value: unknown
  /** Left out if there was nothing to change. */
  readonly receipt?: Receipt
}

/** Rows to write to a map: key, tagged value, and when the entry expires, if it does (milliseconds of wall time). */
export type Batch = readonly (readonly [key: string, value: unknown, expiresAtMs?: number])[]

/** Elements to add to a set, as tagged values, or values to bring a counter to. */
export type ValueBatch = readonly unknown[]

/** A row of a batch that was not written, by its position in the batch. */
export interface RefusedRow {
  readonly index: number
  readonly code: string
  readonly message: string
}

export interface BatchAnswer {
  readonly written: number
  /** Rows that had expired, and were not written. */
  readonly expired: number
  readonly refused: readonly RefusedRow[]
  /** How many collections of that name were dropped before the one that has the rows. */
  readonly drops?: number
}

export interface DocumentsAnswer {
  readonly documents: readonly string[]
}

export interface DocumentAnswer {
  readonly document: string
  /** All that the peer has of it, as one Yjs update in base64. */
  readonly update: string
}

/** One line of a stream of changes. `cursor`: to go on after this change. `failed`: the last line, where it cannot go on. */
export type ChangeLine =
  | { readonly type: 'set'; readonly key: string; readonly value: unknown; readonly cursor?: string }
  | { readonly type: 'delete'; readonly key: string; readonly cursor?: string }
  | { readonly type: 'lagged'; readonly missed: number }
  /** Partitioned maps: what was sent of this partition is void, and all that is there follows. */
  | { readonly type: 'reset'; readonly partition: number; readonly cursor?: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly advice?: string }
}

/** A larger body is refused. The longest row fits, with its key and options. */
export const BODY_MAX_BYTES: number = ROW_MAX_BYTES + 64 * 1024
