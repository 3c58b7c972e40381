import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { BulkOptions } from '../bulk/bulk-write.ts'
import { INITIAL_OPTIONS } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import { WRITE_OPTIONS, checkCount, checkKind, checkWord } from '../batches/checks.ts'
import type { WriteOptions } from '../receipts/receipt.ts'
import type { StandardSchema } from './schema.ts'

/** Ten years. */
const TTL_MAX_MS = 10 * 365 * 24 * 3_600_000

/** Options of a map. Pass them the first time you open it, and pass the same ones on every peer. */
export interface MapOptions<Value> {
  /** Every peer has all entries. For entries that are spread over the peers, see `PartitionedMapOptions`. */
  readonly mode?: 'replicated'
  /**
   * How concurrent writes of one key merge. `'value'`, the default: the later one wins. `'fields'`: values are plain objects,
   * and edits of different fields both survive.
   */
  readonly merge?: 'value' | 'fields'
  /** Entries written without a `ttlMs` of their own expire after this many milliseconds: 1 to ten years. Default: never. */
  readonly ttlMs?: number
  /**
   * Validates values: a schema of a library that implements Standard Schema version 1, such as Zod, Valibot or ArkType. The
   * output of the schema is stored. Entries of other peers that are not valid are kept, but hidden.
   */
  readonly schema?: StandardSchema<Value>
}

/** Options of a write to a map. */
export interface SetOptions extends WriteOptions {
  /** The entry expires after this many milliseconds, on every peer at once: 1 to ten years. Default: that of the map. */
  readonly ttlMs?: number
  /** The entry expires at this time, to the millisecond. Instead of `ttlMs`; later than now, and within ten years. */
  readonly expiresAt?: Date
}

/** When an entry expires. */
export type ExpiryOptions = Pick<SetOptions, 'ttlMs' | 'expiresAt'>

/** Options of `setMany`. */
export interface BulkSetOptions extends SetOptions, BulkOptions {}

/** Which changes of a map to follow, and how. */
export interface ChangesOptions extends FeedOptions {
  /** Only this key. */
  readonly key?: string
  /** Only keys that start with this text. */
  readonly prefix?: string
  /** Start with the current entries, as `set` changes. */
  readonly initial?: boolean
  /** Bytes of keys and values that may wait for a slow reader before changes are left out. Default 16 MiB. */
  readonly bufferMaxBytes?: number
}

/** Which entries to read at once. */
export interface PrefixOption {
  /** Only keys that start with this text. */
  readonly prefix?: string
}

const MAP_OPTIONS: Known<MapOptions<never>> = { mode: true, merge: true, ttlMs: true, schema: true }
/** Options of a write in a batch. */
export const EXPIRY_OPTIONS: Known<ExpiryOptions> = { ttlMs: true, expiresAt: true }
export const SET_OPTIONS: Known<SetOptions> = { ...WRITE_OPTIONS, ...EXPIRY_OPTIONS }
export const CHANGES_OPTIONS: Known<ChangesOptions> = {
  ...INITIAL_OPTIONS,
  key: true,
  prefix: true,
  bufferMaxBytes: true,
}

const PREFIX_OPTION: Known<PrefixOption> = { prefix: true }

/** The prefix. Throws `INVALID_OPTION`. */
export function checkPrefix(options: PrefixOption): string {
  checkKnown(options, PREFIX_OPTION)
  checkKind('prefix', options.prefix, 'text')
  return options.prefix ?? ''
}

/** Throws `INVALID_OPTION` if the time to live is out of range. */
export function checkTtl(ttlMs: number | undefined): void {
  checkCount('ttlMs', ttlMs, 1, TTL_MAX_MS)
}

/** Throws `INVALID_OPTION` if an entry cannot expire so. */
export function checkExpiry({ ttlMs, expiresAt }: ExpiryOptions): void {
  checkTtl(ttlMs)
  if (expiresAt === undefined) return
  if (!(expiresAt instanceof Date)) throw new GridError('INVALID_OPTION', 'expiresAt has to be a Date')
  if (ttlMs !== undefined) throw new GridError('INVALID_OPTION', 'pass ttlMs or expiresAt, not both')
}

/** When an entry that is written now expires, or Infinity. Throws `INVALID_OPTION` for a date that has passed or is too far ahead. */
export function expiryMs({ ttlMs, expiresAt }: ExpiryOptions, mapTtlMs: number | undefined, nowMs: number): number {
  if (expiresAt === undefined) return nowMs + (ttlMs ?? mapTtlMs ?? Infinity)
  const atMs = expiresAt.getTime()
  if (atMs > nowMs && atMs <= nowMs + TTL_MAX_MS) return atMs
  throw new GridError('INVALID_OPTION', 'expiresAt has to be later than now, and within ten years')
}

/** Throws `INVALID_OPTION`. Does not check the schema. */
export function checkMapOptions(options: MapOptions<never>): void {
  checkKnown(options, MAP_OPTIONS)
  checkTtl(options.ttlMs)
  checkWord('mode', options.mode, ['replicated', 'partitioned'])
  checkWord('merge', options.merge, ['value', 'fields'])
}

/** Throws `COLLECTION_MISMATCH` if a map is opened again with other options. The error names the one that differs. */
export function checkSameMap(name: string, first: MapOptions<never>, later: MapOptions<never>): void {
  const { merge = 'value', ttlMs, schema } = first
  if (later.merge !== undefined && later.merge !== merge)
    throw otherOptions(name, `merge: '${merge}'`, `merge: '${later.merge}'`)
  if (later.ttlMs !== undefined && later.ttlMs !== ttlMs)
    throw otherOptions(name, ttlMs === undefined ? 'no ttlMs' : `ttlMs: ${ttlMs}`, `ttlMs: ${later.ttlMs}`)
  if (later.schema === undefined || later.schema === schema) return
  if (schema === undefined) throw otherOptions(name, 'no schema', 'one')
  throw otherOptions(name, 'a schema', 'another one')
}

/**
 * Throws `COLLECTION_MISMATCH` if a partitioned collection is opened again with other options. Those that are left out now are not
 * compared.
 */
export function checkSamePartitioned(
  name: string,
  options: readonly (readonly [name: string, opened: unknown, given: unknown])[],
): void {
  const differing = options.find(([, opened, given]) => given !== undefined && given !== opened)
  if (differing === undefined) return
  throw new GridError(
    'COLLECTION_MISMATCH',
    `'${name}' is open here with another '${differing[0]}': pass the same options each time, or none but the mode`,
  )
}

function otherOptions(name: string, opened: string, given: string): GridError {
  const text = `'${name}' is open here with ${opened}, and cannot be opened with ${given} as well`
  return new GridError('COLLECTION_MISMATCH', `${text}: pass the same options each time, or none`)
}
