import { expiryOf, payloadOf } from '@gossipgrid/core'
import type { EntryTable, Partition } from '@gossipgrid/core'
import type { RowWrite } from '../runtime/row-write.ts'

const CBOR_UNDEFINED = 0xf7

/** Returns the grid's wall time in milliseconds. Called only for entries that expire: most do not. */
export type WallClock = () => number

/** Rows, as a layout reads them: those of a copy of this peer, or those that a read has found. */
export type RowTable = Pick<
  EntryTable,
  'deleted' | 'expiresAtMs' | 'isFree' | 'key' | 'liveCount' | 'liveness' | 'slotOf' | 'slots' | 'slotsOf' | 'value'
>

/** Where the rows of entries are. */
export interface Laid {
  readonly replica: { readonly table: RowTable }
}

/**
 * How the entries of a map are stored in the rows of its partition. The content of an entry is its value as plain CBOR,
 * whatever the rows look like.
 */
export interface Layout<Place = Partition> {
  /** True if an entry consists of several rows. Then a change of an entry is reported after all its rows have changed. */
  readonly gathers: boolean
  /** Number of entries, including those that have expired and are not swept yet. */
  readonly count: number
  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string
  /** Throws `INVALID_VALUE`, `VALUE_TOO_LARGE`. */
  encode(value: unknown): Uint8Array
  /** The content that readers see. Undefined if there is none. */
  content(key: string, wallMs: WallClock): Uint8Array | undefined
  /** The content of one field that readers see, or of the whole entry in a map without fields. */
  fieldContent(key: string, field: string | undefined, wallMs: WallClock): Uint8Array | undefined
  /** The wall time in milliseconds at which the entry expires. Infinity: never. 0: there is no entry. */
  expiresAtMs(key: string, wallMs: WallClock): number
  /**
   * The keys of the entries that exist at the first step, in no particular order. Skips entries that are gone when the walk
   * reaches them, unless `gone` is true.
   */
  keys(wallMs: WallClock, gone?: boolean): Iterable<string>
  /** The slots of all rows of the entry, tombstones included. */
  slotsOf(key: string): readonly number[]
  /** The rows that set the entry to `content`, or that delete it. Throws `VALUE_TOO_LARGE`, `INVALID_VALUE`. */
  rows(key: string, content: Uint8Array | undefined, expiresAtMs: number): RowWrite<Place>[]
  /** To be called when a row has changed. `previous` is its stored value before. */
  changed(slot: number, previous: Uint8Array | undefined): void
  /** The entry that a row belongs to, and its field, if the row is one. */
  place(rowKey: string): { readonly key: string; readonly field: string | undefined }
  /** The content of the entry before this row changed, even if it had expired. */
  before(slot: number, previous: Uint8Array | undefined): Uint8Array | undefined
  /** True if a row of the entry is there that is not swept. */
  isUnswept(key: string): boolean
}

/** The content of stored bytes, even if they have expired. Undefined for a tombstone and for a swept row. */
export function storedContent(stored: Uint8Array | undefined): Uint8Array | undefined {
  if (stored === undefined) return undefined
  const payload = payloadOf(stored)
  const swept = payload !== stored && payload.length === 1 && payload[0] === CBOR_UNDEFINED
  return swept ? undefined : payload
}

/** The content of stored bytes that readers see. Undefined if they have expired. */
export function visibleContent(stored: Uint8Array | undefined, wallMs: WallClock): Uint8Array | undefined {
  if (stored === undefined) return undefined
  const expiresAtMs = expiryOf(stored)
  return expiresAtMs === Infinity || expiresAtMs > wallMs() ? payloadOf(stored) : undefined
}

/** True if both contents are equal, or both are undefined. */
export function sameContent(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.length === other.length && one.every((byte, i) => byte === other[i])
}
