import {
  GridError,
  OWNERS_MAX,
  PARTITIONS_MAX,
  PARTITIONS_MIN,
  checkKnown,
  isPartitionCount,
  shown,
} from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import type { Coverage } from './changes/partition-changes.ts'
import { WRITE_OPTIONS, checkKind, checkWriteOptions, misfit } from '../batches/checks.ts'
import type { Aggregate, AggregateResult } from '../queries/aggregate.ts'
import type { Query, QueryPlan, QueryResult, Where } from '../queries/query.ts'
import type { BulkProgress } from '../bulk/bulk-error.ts'
import type { ExpiryOptions, MapOptions } from '../maps/map-options.ts'
import { REACHED_OPTIONS, checkReadOptions } from '../reads/after-token.ts'
import type { ReachedOptions } from '../reads/after-token.ts'
import type { Version } from '../receipts/receipt.ts'

export const OWNERS_DEFAULT = 3
export const PARTITIONS_DEFAULT = 256

/** Options of a partitioned collection. Pass them the first time you open it, and pass the same ones on every peer. */
export interface PartitionedOptions {
  /** Each key is on a few peers, its owners, and not on all. */
  readonly mode: 'partitioned'
  /** Peers that have each partition: 1 to 16, by default 3. Where there are fewer, all of them. */
  readonly owners?: number
  /** Slices of the collection: a power of two from 16 to 4,096, by default 256. It cannot be changed later. */
  readonly partitions?: number
}

/** Options of a partitioned map. Pass them the first time you open it, and pass the same ones on every peer. */
export interface PartitionedMapOptions<Value> extends Omit<MapOptions<Value>, 'mode'>, PartitionedOptions {}

/** How safe a write to a partitioned map is when its promise resolves. */
export interface PartitionReceipt {
  /** The write's place in the order of all writes to its key. */
  readonly version: Version
  /** The write is synced to this peer's disk: it survives a crash and a power cut. False on a memory-only peer. */
  readonly durable: boolean
  /** This peer has no whole copy of the partition: it keeps the write until the owners have confirmed it. */
  readonly hinted: boolean
  /** Owners that are known to have the write: this peer if it is one, and others by their own words, where `copies` asked for them. */
  readonly copies: number
}

/** What the promise of a write to a partitioned map waits for. */
export interface PartitionWriteOptions {
  /**
   * Resolve when this many owners have the write durably, and each other peer in reach that has a copy has it too: 1 to 64.
   * `'all'`: all owners. Without it the promise waits for this peer alone; on a peer without a directory that has no copy, for
   * the first peer that takes the write.
   */
  readonly copies?: number | 'all'
  /** How long to wait for other peers, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
  /** Ends the waiting, not the write: rejects with `ABORTED`. If aborted before the call, nothing is written. */
  readonly signal?: AbortSignal
}

/** Options of a write to a partitioned map that can expire. */
export interface PartitionSetOptions extends PartitionWriteOptions, ExpiryOptions {}

/** Options of `setMany` and `clear` of a partitioned map. */
export interface PartitionBulkOptions extends PartitionWriteOptions {
  /** Called after each slice of entries that has become durable. */
  readonly onProgress?: (progress: BulkProgress) => void
}

/** Options of `setMany` of a partitioned map. */
export interface PartitionBulkSetOptions extends PartitionBulkOptions, ExpiryOptions {}

/** How long a read waits for the owners: by default 10 s. Then it rejects with `OWNERS_UNREACHABLE`. */
export type OwnerReadOptions = ReachedOptions

/** How to read one entry of a partitioned map. */
export interface PartitionGetOptions extends OwnerReadOptions {
  /**
   * `'all'`: asks all owners in reach and not only the next one, takes the latest version, and sends owners that are behind what they
   * lack. An owner that does not answer within a second is passed over. By default one owner answers.
   */
  readonly from?: 'all' | undefined
}

/** Which entries of a partitioned map to walk through. */
export interface PartitionWalkOptions extends OwnerReadOptions {
  /** Only keys that start with this text. One that has a whole tag, as `{42}`, is looked for in one partition only. */
  readonly prefix?: string
  /** At the end, do not throw for partitions that no owner has answered for: `complete` and `unanswered` say so. */
  readonly partial?: boolean
}

/** The values of several keys. */
export interface PartitionValues<Value> extends ReadonlyMap<string, Value> {
  /** Every key was answered for: one that is not in here does not exist. */
  readonly complete: boolean
  /** The keys that no owner answered for in time. */
  readonly unanswered: readonly string[]
}

/** A walk through keys or entries. `complete` and `unanswered` are for after its end. */
export interface PartitionWalk<Shown> extends AsyncIterableIterator<Shown, void, undefined>, Coverage {}

/** What `setMany` of a partitioned map has done. */
export interface PartitionBulkResult {
  /** Entries that were written. */
  readonly written: number
  /** Those of them that are not with their owners yet: this peer keeps them until they are. */
  readonly hinted: number
}

/** The rows of a query of a partitioned map, or one page of them. */
export interface PartitionQueryResult<Value> extends QueryResult<Value>, Coverage {}

/** The groups of an aggregate of a partitioned map. */
export interface PartitionAggregateResult extends AggregateResult, Coverage {}

/** The number of entries of a partitioned map that match. */
export interface PartitionCount extends Coverage {
  /** How many there are in the partitions that were answered for. */
  readonly count: number
}

/** How one peer answers a query. */
export interface PeerQueryPlan extends Pick<QueryPlan, 'index' | 'ordered' | 'looked'> {
  /** The peer. */
  readonly peerId: string
  /** How many partitions it answered for. */
  readonly partitions: number
}

/** How a query of a partitioned map is answered. */
export interface PartitionQueryPlan extends QueryPlan, Coverage {
  /** How each peer answered that was asked, this one included. */
  readonly peers: readonly PeerQueryPlan[]
}

/** An index of a partitioned map, which its owners keep. From `map.index()`. */
export interface PartitionIndexHandle {
  /** The fields that it is on, in order. */
  readonly names: readonly string[]
  /** Ends it at all owners. Resolves to false if it was dropped before. */
  drop(): Promise<boolean>
}

/** What the queries of a partitioned map do. `PartitionedMap` says what each promises. */
export interface PartitionQueries<Value> {
  query<Shown>(query: unknown, options: OwnerReadOptions): Promise<PartitionQueryResult<Shown>>
  count(where: Where<Value> | undefined, options: OwnerReadOptions): Promise<PartitionCount>
  aggregate(aggregate: Aggregate<Value>, options: OwnerReadOptions): Promise<PartitionAggregateResult>
  explain(query: Query<Value>, options: OwnerReadOptions): Promise<PartitionQueryPlan>
  index(names: unknown, options: OwnerReadOptions): Promise<PartitionIndexHandle>
  indexes(): readonly PartitionIndexHandle[]
}

export const PARTITIONED_OPTIONS: Known<PartitionedOptions> = { mode: true, owners: true, partitions: true }
const PARTITIONED_MAP_OPTIONS: Known<PartitionedMapOptions<never>> = {
  ...PARTITIONED_OPTIONS,
  merge: true,
  ttlMs: true,
  schema: true,
}
const GET_OPTIONS: Known<PartitionGetOptions> = { ...REACHED_OPTIONS, from: true }
const WALK_OPTIONS: Known<PartitionWalkOptions> = { ...REACHED_OPTIONS, prefix: true, partial: true }

/** Throws `PARTITIONS_INVALID`, and `INVALID_OPTION` for options that there are not. */
export function checkPartitionOptions(options: PartitionedMapOptions<never>): void {
  checkKnown(options, PARTITIONED_MAP_OPTIONS)
  checkShape(options)
}

/** Throws `PARTITIONS_INVALID`. */
export function checkShape(options: PartitionedOptions): void {
  const { owners, partitions } = options
  if (owners !== undefined && !(Number.isInteger(owners) && owners >= 1 && owners <= OWNERS_MAX))
    throw invalid(`owners is a whole number from 1 to ${OWNERS_MAX}, not ${shown(owners)}`)
  if (partitions !== undefined && !isPartitionCount(partitions))
    throw invalid(`partitions is a power of two from ${PARTITIONS_MIN} to ${PARTITIONS_MAX}, not ${shown(partitions)}`)
}

function invalid(reason: string): GridError {
  return new GridError('PARTITIONS_INVALID', reason)
}

/** Throws `INVALID_OPTION`, `ABORTED`. */
export function checkPartitionWrite<Options extends PartitionWriteOptions>(
  options: Options | undefined,
  more: Omit<Known<Options>, keyof PartitionWriteOptions>,
): void {
  checkWriteOptions(options, { ...WRITE_OPTIONS, ...more } as unknown as Known<Options>)
  if (typeof options?.copies === 'object') throw misfit('copies', "a number of owners, or 'all'", options.copies)
}

/** Throws `INVALID_OPTION`. */
export function checkGet(options: PartitionGetOptions): void {
  checkReadOptions(options, GET_OPTIONS)
  const { from } = options
  if (from !== undefined && from !== 'all') throw misfit('from', "'all', or nothing for one owner", from)
}

/** Throws `INVALID_OPTION`. */
export function checkWalk(options: PartitionWalkOptions): void {
  checkReadOptions(options, WALK_OPTIONS)
  checkKind('prefix', options.prefix, 'text')
  checkKind('partial', options.partial, 'boolean')
}

/** What the options of a write say of the read before it. */
export function readOptions({ timeoutMs, signal }: PartitionWriteOptions): OwnerReadOptions {
  return { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal === undefined ? {} : { signal }) }
}
