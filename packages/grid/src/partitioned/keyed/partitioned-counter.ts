import type {
  PartitionChange,
  PartitionChangesOptions,
  PartitionFeed,
  PartitionWatchOptions,
  PartitionWatched,
} from '../changes/partition-changes.ts'
import type { OwnerReadOptions, PartitionReceipt, PartitionWriteOptions } from '../partition-options.ts'
import type { PartitionedCounters } from './partitioned-counters.ts'

/** The key of the only counter in its collection. All of it is a tag, so it is followed in one partition. Never change it. */
const KEY = '{count}'

/**
 * One counter that a few peers have, its owners, and that every peer counts and reads. Every increment counts exactly once. It is the
 * counter under the key `{count}` of the partitioned counters of its name. From `grid.counter(name, { mode: 'partitioned' })`.
 */
export class PartitionedCounter {
  readonly #counters: PartitionedCounters

  /** @internal */
  constructor(counters: PartitionedCounters) {
    this.#counters = counters
  }

  /** The name that it was opened by. */
  get name(): string {
    return this.#counters.name
  }

  /** Number of partitions of its collection. */
  get partitions(): number {
    return this.#counters.partitions
  }

  /** Peers that are to have it. */
  get owners(): number {
    return this.#counters.owners
  }

  /**
   * The count: what an owner knows, with all that this peer has counted; 0 if nothing was counted. Rejects as
   * `PartitionedCounters.get` does.
   *
   * @example
   * ```ts
   * const visitors = grid.counter('visitors', { mode: 'partitioned' })
   * await visitors.increment()
   * console.log(await visitors.get())
   * ```
   */
  async get(options: OwnerReadOptions = {}): Promise<number> {
    return (await this.#counters.get(KEY, options)) ?? 0
  }

  /** Adds a whole number, 0 to 2^53 - 1, as `PartitionedCounters.increment` does, and rejects as that does. */
  increment(by: number = 1, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    return this.#counters.increment(KEY, by, options)
  }

  /** Subtracts a whole number, as `increment` adds one. A counter may go below zero. */
  decrement(by: number = 1, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    return this.#counters.decrement(KEY, by, options)
  }

  /** Every change of the count from the first `next` on, as `PartitionedCounters.changes` gives them. */
  changes(options: Pick<PartitionChangesOptions, 'signal' | 'initial'> = {}): PartitionFeed<PartitionChange<number>> {
    return this.#counters.changes({ ...options, key: KEY })
  }

  /** The current count and then every change, each with a `cursor`, as `PartitionedMap.watch`. */
  watch(
    options: Omit<PartitionWatchOptions, 'prefix'> = {},
  ): PartitionFeed<PartitionChange<number> & PartitionWatched> {
    return this.#counters.watch({ ...options, prefix: KEY })
  }
}
