import { checkKind } from '../../batches/checks.ts'
import { checkChanges, checkWatch } from '../changes/partition-changes.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionFeed,
  PartitionWatchOptions,
  PartitionWatched,
} from '../changes/partition-changes.ts'
import { checkPartitionWrite } from '../partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionReceipt,
  PartitionWalk,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from '../partition-options.ts'
import { PartitionedFace } from './partitioned-face.ts'
import type { RoutedCounters } from './routed-counters.ts'

/**
 * Counters under keys that are spread over the peers: each is on a few of them, its owners. Every peer counts and reads all of them, so
 * all methods wait for other peers, and a count that is not known is an error and never `undefined`. Every increment counts exactly
 * once. From `grid.counters(name, { mode: 'partitioned' })`.
 *
 * Reads reject as those of `PartitionedMap` do, and with `COUNTER_RANGE` for a count beyond 2^53 - 1.
 */
export class PartitionedCounters extends PartitionedFace<RoutedCounters> {
  /**
   * The count under `key`: what an owner knows, with all that this peer has counted. Undefined if nothing was counted there.
   *
   * @example
   * ```ts
   * const visits = grid.counters('page visits', { mode: 'partitioned' })
   * await visits.increment('/home', 2)
   * console.log(await visits.get('/home')) // 2
   * ```
   */
  async get(key: string, options: OwnerReadOptions = {}): Promise<number | undefined> {
    return (await this.reading(options)).get(key, options)
  }

  /** Whether something was counted under `key`. */
  async has(key: string, options: OwnerReadOptions = {}): Promise<boolean> {
    return (await this.reading(options)).has(key, options)
  }

  /**
   * Adds a whole number, 0 to 2^53 - 1. Needs no owner in reach, and resolves as `PartitionedMap.set` does. Increments of one key in one
   * turn of the event loop are written together, unless `copies` are asked for.
   *
   * Nothing is counted if it rejects with `INVALID_KEY`, `INVALID_VALUE`, `INVALID_OPTION`, `COUNTER_RANGE` (this peer alone has counted
   * beyond 2^53 - 1), `BACKLOG_FULL`, `COLLECTION_MISMATCH`, `COLLECTION_DROPPED` or `CLOSED`. With `COPIES_TIMEOUT`, `ABORTED`,
   * `OWNERS_UNREACHABLE`, `STORAGE_FULL` and `STORAGE_FAILED` it counts, or may still do: do not count it again.
   */
  async increment(key: string, by: number = 1, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    checkPartitionWrite(options, {})
    return (await this.working()).count(key, by, true, options)
  }

  /** Subtracts a whole number, as `increment` adds one. A counter may go below zero. */
  async decrement(key: string, by: number = 1, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    checkPartitionWrite(options, {})
    return (await this.working()).count(key, by, false, options)
  }

  /**
   * Deletes the counter under `key`: all that an owner and this peer have seen of it. Increments that they had not seen stay, each of
   * them once, and so do later ones. Resolves to undefined if nothing is there. Rejects as `increment` does, and with
   * `OWNERS_UNREACHABLE`, without writing anything, if no owner says what is there.
   */
  async delete(key: string, options: PartitionWriteOptions = {}): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    return (await this.working()).delete(key, options)
  }

  /** Deletes the counters under all keys that owners have at this time, as `PartitionedMap.clear` does. */
  async clear(options: PartitionBulkOptions = {}): Promise<Coverage & { readonly deleted: number }> {
    checkPartitionWrite(options, { onProgress: true })
    checkKind('onProgress', options.onProgress, 'function')
    return (await this.working()).clear(options)
  }

  /** The number of keys, as the owners count them. `complete` is false if a partition was not answered for. */
  async size(options: OwnerReadOptions = {}): Promise<Coverage & { readonly size: number }> {
    return (await this.reading(options)).size(options)
  }

  /** The keys, in the order and with the end of `PartitionedMap.keys`. */
  keys(options: PartitionWalkOptions = {}): PartitionWalk<string> {
    return this.walk(options, (routed, covered) => routed.keys(options, covered))
  }

  /** As `keys`, with the count under each key. Throws `COUNTER_RANGE` at one that is out of range. */
  entries(options: PartitionWalkOptions = {}): PartitionWalk<[string, number]> {
    return this.walk(options, (routed, covered) => routed.walk(options, covered))
  }

  /**
   * Every change of a count from the first `next` on, as `PartitionedMap.changes` gives those of values: `value` is the count after it.
   * Many increments may be one change.
   */
  changes(options: PartitionChangesOptions = {}): PartitionFeed<PartitionChange<number>> {
    checkChanges(options)
    return this.feed((routed, begun) => routed.changes(options, begun))
  }

  /** The current counts and then every change, each with a `cursor`, as `PartitionedMap.watch`. */
  watch(options: PartitionWatchOptions = {}): PartitionFeed<PartitionChange<number> & PartitionWatched> {
    checkWatch(options)
    return this.feed((routed, begun) => routed.changes({ ...options, initial: true }, begun))
  }
}
