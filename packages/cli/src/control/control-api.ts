import { ROW_MAX_BYTES } from '../formats/json/row.ts'
import type { CollectionStatus, DurableMember, GridMember, GridStatus, Receipt } from 'gossipgrid'

/**
 * The API of a peer's local socket: HTTP with JSON bodies, values as tagged JSON. Streams are NDJSON and end with
 * `{"end": <lines>}`; a stream without that line was cut off.
 */
export interface PeerStatus extends GridStatus {
  readonly collections: readonly ListedCollection[]
  readonly pid: number
  readonly version: string
  readonly uptimeMs: number
  /** The data directory, or '' in memory. */
  readonly directory: string
  readonly socket: string
  readonly metrics: string
  readonly wallTime: string
}

export interface MembersAnswer {
  readonly members: readonly GridMember[]
  /** Durable peers, including those that have been away for long. */
  readonly registered: readonly DurableMember[]
}

export interface ForgetAnswer {
  readonly peerId: string
  /** It is running, and will register again. */
  readonly alive: boolean
}

export interface CollectionsAnswer {
  readonly collections: readonly ListedCollection[]
}

export interface ListedCollection extends CollectionStatus {
  /** Of a map with fields, whose `entries` are the fields of all objects: how many objects it has. */
  readonly objects?: number
}

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
}

/** One line of a stream of changes. */
export type ChangeLine =
  | { readonly type: 'set'; readonly key: string; readonly value: unknown }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'lagged'; readonly missed: number }

export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly advice?: string }
}

/** A larger body is refused. The longest row fits, with its key and options. */
export const BODY_MAX_BYTES: number = ROW_MAX_BYTES + 64 * 1024
