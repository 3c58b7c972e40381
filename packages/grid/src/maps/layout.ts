import { expiryOf, payloadOf } from '@gossipgrid/core'
import type { RowWrite } from '../runtime/row-write.ts'

const CBOR_UNDEFINED = 0xf7

/** Tells the grid's wall milliseconds. Asked only where something expires: most entries do not. */
export type WallClock = () => number

/**
 * How the entries of a map lie in the rows of its partition. The content of an entry is its value as plain CBOR,
 * whatever the rows look like.
 */
export interface Layout {
  /** Whether several rows make up an entry: then a change of an entry is told once all of them are there. */
  readonly gathers: boolean
  /** Entries that are there, or have expired and were not swept yet. */
  readonly count: number
  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string
  /** Throws `INVALID_VALUE`, `VALUE_TOO_LARGE`. */
  encode(value: unknown): Uint8Array
  /** What a reader may see; undefined for nothing. */
  content(key: string, wallMs: WallClock): Uint8Array | undefined
  /** What a reader may see of one field; of the whole entry where there are none. */
  fieldContent(key: string, field: string | undefined, wallMs: WallClock): Uint8Array | undefined
  /** Wall milliseconds at which the entry is gone; Infinity for never, 0 when there is none. */
  expiresAtMs(key: string, wallMs: WallClock): number
  /**
   * Keys of the entries that are there at the first step, in no particular order: those that a reader may see when the
   * walk comes to them. With `gone` also the others, which are gone by then.
   */
  keys(wallMs: WallClock, gone?: boolean): Iterable<string>
  /** The slots of all rows of the entry, those of tombstones as well. */
  slotsOf(key: string): readonly number[]
  /** The rows that make the entry hold `content`, or nothing. Throws `VALUE_TOO_LARGE`, `INVALID_VALUE`. */
  rows(key: string, content: Uint8Array | undefined, expiresAtMs: number): RowWrite[]
  /** A row has changed: `previous` is what it was, as it is stored. Called for every change where the layout counts. */
  changed(slot: number, previous: Uint8Array | undefined): void
  /** Which entry a row belongs to, and which field of it, if it is one. */
  place(rowKey: string): { readonly key: string; readonly field: string | undefined }
  /** What the entry held before this row of it changed, no matter whether its time had come. */
  before(slot: number, previous: Uint8Array | undefined): Uint8Array | undefined
  /** Whether anything of the entry is there that has not been swept. */
  lingers(key: string): boolean
}

/** What stored bytes hold, no matter whether their time has come; undefined for a tombstone and for what was swept. */
export function heldIn(stored: Uint8Array | undefined): Uint8Array | undefined {
  if (stored === undefined) return undefined
  const payload = payloadOf(stored)
  const swept = payload !== stored && payload.length === 1 && payload[0] === CBOR_UNDEFINED
  return swept ? undefined : payload
}

/** What a reader may see of stored bytes. */
export function visibleIn(stored: Uint8Array | undefined, wallMs: WallClock): Uint8Array | undefined {
  if (stored === undefined) return undefined
  const expiresAtMs = expiryOf(stored)
  return expiresAtMs === Infinity || expiresAtMs > wallMs() ? payloadOf(stored) : undefined
}

/** Whether two contents, or two absences, are the same. */
export function sameContent(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return one.length === other.length && one.every((byte, i) => byte === other[i])
}
