import { GridError } from '@gossipgrid/core'
import type { Collection, Share } from '@gossipgrid/core'
import { checkBy, numberOf, outOfRange, putCount } from '../../counters/share.ts'
import { KeyTurns } from '../../flow/key-turns.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { mapChanges } from '../changes/map-changes.ts'
import type { RunningFeed } from '../changes/map-changes.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionWatchOptions,
  PartitionWatched,
} from '../changes/partition-changes.ts'
import { readOptions } from '../partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionReceipt,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from '../partition-options.ts'
import { clearEntries } from '../routed-bulk.ts'
import { walkEntries } from '../routed-walk.ts'
import { RoutedWrites } from '../routed-writes.ts'
import type { BegunPartitionWrite } from '../routed-writes.ts'
import { CountEntries, countOf } from './count-entries.ts'
import { removeEntries } from './remove-entries.ts'

/** Counts under a key that are not written yet. They share one write. */
interface Pending {
  up: number
  down: number
  waiting: PromiseWithResolvers<BegunPartitionWrite> | undefined
  /** The row with earlier counts is on its way to disk. */
  writing: boolean
}

/** What partitioned counters do. A tab loads it with the first call. `PartitionedCounters` says what each method promises. */
export class RoutedCounters {
  readonly #entries: CountEntries
  readonly #writes: RoutedWrites
  readonly #turns = new KeyTurns()
  readonly #pending = new Map<string, Pending>()

  constructor(writes: WritePath, collection: Collection) {
    this.#entries = new CountEntries(writes, collection)
    this.#writes = new RoutedWrites(writes)
  }

  async get(key: string, options: OwnerReadOptions): Promise<number | undefined> {
    this.#entries.checkKey(key)
    const sum = await this.#sumOf(key, options)
    return sum === undefined ? undefined : this.#shown(key, sum)
  }

  async has(key: string, options: OwnerReadOptions): Promise<boolean> {
    this.#entries.checkKey(key)
    return (await this.#sumOf(key, options)) !== undefined
  }

  async count(key: string, by: number, isUp: boolean, options: PartitionWriteOptions): Promise<PartitionReceipt> {
    this.#entries.checkKey(key)
    checkBy(by)
    this.#entries.reads.check()
    const more = isUp ? { up: by, down: 0 } : { up: 0, down: by }
    try {
      return await this.#writes.settled(await this.#begun(key, more, options), options)
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'OWNERS_UNREACHABLE') throw error
      throw new GridError(error.code, `${error.message}: do not count it again`, { cause: error.cause })
    }
  }

  delete(key: string, options: PartitionWriteOptions): Promise<PartitionReceipt | undefined> {
    this.#entries.checkKey(key)
    return this.#turns.take(key, async () => {
      this.#writeKey(key)
      const [found] = await this.#entries.find([key], readOptions(options))
      if (found === undefined) throw this.#entries.reads.unreachable('the counter', readOptions(options))
      return removeEntries(this.#writes, [found], options)
    })
  }

  async clear(options: PartitionBulkOptions): Promise<Coverage & { readonly deleted: number }> {
    for (const key of [...this.#pending.keys()]) this.#writeKey(key)
    return clearEntries({ entries: this.#entries, writes: this.#writes }, options)
  }

  size(options: OwnerReadOptions): Promise<Coverage & { readonly size: number }> {
    return this.#entries.reads.size(options)
  }

  /** Calls `covered` at the end. */
  async *walk(
    options: PartitionWalkOptions,
    covered: (coverage: Coverage) => void,
  ): AsyncGenerator<[key: string, count: number], void, undefined> {
    for await (const { key, content } of walkEntries(this.#entries, options, covered))
      yield [key, this.#shown(key, countOf(content!))]
  }

  /** The keys alone: a count that is out of range does not matter. */
  async *keys(
    options: PartitionWalkOptions,
    covered: (coverage: Coverage) => void,
  ): AsyncGenerator<string, void, undefined> {
    for await (const { key } of walkEntries(this.#entries, options, covered)) yield key
  }

  /** Calls `begun` once. */
  async *changes(
    options: PartitionChangesOptions & PartitionWatchOptions,
    begun: (running: RunningFeed) => void,
  ): AsyncGenerator<PartitionChange<number> & PartitionWatched, void, undefined> {
    if (options.key !== undefined) this.#entries.checkKey(options.key)
    const deps = { entries: this.#entries, pump: this.#writes.pump, begun }
    for await (const change of mapChanges<number>(deps, options)) {
      const { value } = change as PartitionChange<number | bigint>
      if (value !== undefined) putCount(change, 'value', BigInt(value))
      yield change
    }
  }

  async #sumOf(key: string, options: OwnerReadOptions): Promise<bigint | undefined> {
    this.#writeKey(key)
    const [found] = await this.#entries.find([key], options)
    if (found === undefined) throw this.#entries.reads.unreachable('the counter', options)
    return found.content === undefined ? undefined : countOf(found.content)
  }

  #shown(key: string, sum: bigint): number {
    const count = numberOf(sum)
    if (Number.isNaN(count)) throw outOfRange(`'${key}' is at ${sum}`)
    return count
  }

  /** Writes at once if copies of this write are counted: they are those of its row. Else with others of this turn. */
  #begun(key: string, more: Share, options: PartitionWriteOptions): Promise<BegunPartitionWrite> {
    const isCounted = options.copies !== undefined || !this.#writes.pump.peer.persistent
    return isCounted ? Promise.resolve(this.#write(key, more, options)) : this.#gather(key, more)
  }

  #gather(key: string, { up, down }: Share): Promise<BegunPartitionWrite> {
    const pending = this.#pending.get(key) ?? { up: 0, down: 0, waiting: undefined, writing: false }
    // Throws if it would be too much.
    this.#entries.count(key, { up: pending.up + up, down: pending.down + down })
    this.#pending.set(key, pending)
    pending.up += up
    pending.down += down
    if (pending.waiting === undefined) {
      pending.waiting = Promise.withResolvers()
      if (!pending.writing) queueMicrotask(() => this.#writeKey(key))
    }
    return pending.waiting.promise
  }

  /** Writes the counts under a key that are not written yet. Counts made until that is durable are written after it. */
  #writeKey(key: string): void {
    const pending = this.#pending.get(key)
    const waiting = pending?.waiting
    if (pending === undefined || waiting === undefined) return
    const more = { up: pending.up, down: pending.down }
    pending.up = 0
    pending.down = 0
    pending.waiting = undefined
    pending.writing = true
    const goOn = (): void => {
      pending.writing = false
      if (pending.waiting !== undefined) this.#writeKey(key)
      else if (this.#pending.get(key) === pending) this.#pending.delete(key)
    }
    try {
      const begun = this.#write(key, more, {})
      waiting.resolve(begun)
      begun.durable.then(goOn, goOn)
    } catch (error) {
      waiting.reject(error as Error)
      goOn()
    }
  }

  #write(key: string, more: Share, options: PartitionWriteOptions): BegunPartitionWrite {
    const { row, written } = this.#entries.count(key, more)
    const begun = this.#writes.begin([row], options)
    written()
    return begun
  }
}
