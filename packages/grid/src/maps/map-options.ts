import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { BulkOptions } from '../bulk/bulk-write.ts'
import { WRITE_OPTIONS, checkCount } from '../batches/checks.ts'
import type { WriteOptions } from '../runtime/receipt.ts'
import type { StandardSchema } from './schema.ts'

/** Ten years. */
const TTL_MAX_MS = 10 * 365 * 24 * 3_600_000

/** What a map is to be, given where it is first opened. Every peer gives the same. */
export interface MapOptions<Value> {
  /**
   * What concurrent writes of one key do. `'value'`, the default: the later one wins. `'fields'`: values are plain
   * objects, and edits of different fields both survive.
   */
  readonly merge?: 'value' | 'fields'
  /** Entries written without a `ttlMs` of their own are gone after so many milliseconds: 1 to ten years. Default never. */
  readonly ttlMs?: number
  /**
   * What values must be: a schema of a library that speaks Standard Schema version 1, such as Zod, Valibot or ArkType.
   * Stored is what the schema gives out. Entries of other peers that do not fit are kept, and hidden.
   */
  readonly schema?: StandardSchema<Value>
}

/** What a write of a map can be asked for. */
export interface SetOptions extends WriteOptions {
  /** The entry is gone after so many milliseconds, on every peer at once: 1 to ten years. Default: what the map says. */
  readonly ttlMs?: number
}

/** What `setMany` can be asked for. */
export interface BulkSetOptions extends SetOptions, BulkOptions {}

/** Which changes to hear of. */
export interface ChangesOptions {
  /** Only this key. */
  readonly key?: string
  /** Only keys that start so. */
  readonly prefix?: string
  /** Begin with the entries that are there already, as `set` changes. */
  readonly initial?: boolean
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
  /** How many changes a slow reader may be behind before some are left out. Default 65,536. */
  readonly bufferMax?: number
  /** How many bytes of keys and values may wait for it. Default 16 MiB. */
  readonly bufferMaxBytes?: number
}

/** What to iterate over. */
export interface EntriesOptions {
  readonly prefix?: string
  readonly signal?: AbortSignal
}

const MAP_OPTIONS: Known<MapOptions<never>> = { merge: true, ttlMs: true, schema: true }
/** That of a write in a batch. */
export const TTL_OPTION: Known<Pick<SetOptions, 'ttlMs'>> = { ttlMs: true }
export const SET_OPTIONS: Known<SetOptions> = { ...WRITE_OPTIONS, ttlMs: true }
export const CHANGES_OPTIONS: Known<ChangesOptions> = {
  key: true,
  prefix: true,
  initial: true,
  signal: true,
  bufferMax: true,
  bufferMaxBytes: true,
}
export const ENTRIES_OPTIONS: Known<EntriesOptions> = { prefix: true, signal: true }

/** Throws `INVALID_OPTION` for a time to live that is none. */
export function checkTtl(ttlMs: number | undefined): void {
  checkCount('ttlMs', ttlMs, 1, TTL_MAX_MS)
}

/** Throws `INVALID_OPTION`. The schema is looked at where it is first used. */
export function checkMapOptions(options: MapOptions<never>): void {
  checkKnown(options, MAP_OPTIONS)
  const { merge, ttlMs } = options
  checkTtl(ttlMs)
  if (merge === undefined || merge === 'value' || merge === 'fields') return
  throw new GridError('INVALID_OPTION', `merge is 'value' or 'fields', not '${String(merge)}'`)
}

/** Throws `COLLECTION_MISMATCH`, naming both, where a map is asked for as something else than it was opened as. */
export function checkSameMap(name: string, first: MapOptions<never>, later: MapOptions<never>): void {
  const same =
    (later.merge === undefined || later.merge === (first.merge ?? 'value')) &&
    (later.ttlMs === undefined || later.ttlMs === first.ttlMs) &&
    (later.schema === undefined || later.schema === first.schema)
  if (same) return
  const other = first.schema === undefined ? 'with a schema' : 'with another schema'
  throw new GridError(
    'COLLECTION_MISMATCH',
    `'${name}' was opened as ${describe(first, 'with a schema')}; it cannot be ${describe(later, other)} too`,
  )
}

function describe({ merge = 'value', ttlMs, schema }: MapOptions<never>, withSchema: string): string {
  return [
    `merge: '${merge}'`,
    `ttlMs: ${ttlMs ?? 'none'}`,
    schema === undefined ? 'without a schema' : withSchema,
  ].join(', ')
}
