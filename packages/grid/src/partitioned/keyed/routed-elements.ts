import { PRESENT } from '@gossipgrid/core'
import type { Collection } from '@gossipgrid/core'
import type { BulkSource } from '../../bulk/bulk-source.ts'
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
  PartitionBulkResult,
  PartitionReceipt,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from '../partition-options.ts'
import { RoutedBulk, clearEntries } from '../routed-bulk.ts'
import type { FoundEntry } from '../routed-entries.ts'
import { walkEntries } from '../routed-walk.ts'
import { RoutedWrites } from '../routed-writes.ts'
import { ElementEntries } from './element-entries.ts'
import { removeEntries } from './remove-entries.ts'

/**
 * What partitioned sets do, with elements as text: that of an element, or of a key and an element. A tab loads it with the first call.
 * `PartitionedSet` and `PartitionedSets` say what each method promises.
 */
export class RoutedElements {
  readonly #entries: ElementEntries
  readonly #writes: RoutedWrites
  readonly #turns = new KeyTurns()

  constructor(writes: WritePath, collection: Collection) {
    this.#entries = new ElementEntries(writes, collection)
    this.#writes = new RoutedWrites(writes)
  }

  async has(main: string, options: OwnerReadOptions): Promise<boolean> {
    return (await this.#entries.get(main, options)).content !== undefined
  }

  add(main: string, options: PartitionWriteOptions): Promise<PartitionReceipt> {
    return this.#turns.take(main, async () => {
      // Always writable: without an owner it is one add more.
      const brief = { ...readOptions(options), timeoutMs: this.#writes.briefMs(options) }
      const [found] = await this.#entries.find([main], brief)
      const rows = (found ?? this.#entries.unknown(main)).rows(PRESENT, Infinity)
      this.#entries.reads.check()
      return this.#writes.write(this.#writes.current(rows), options)
    })
  }

  remove(main: string, options: PartitionWriteOptions): Promise<PartitionReceipt | undefined> {
    return this.#turns.take(main, async () =>
      removeEntries(this.#writes, [await this.#entries.get(main, readOptions(options))], options),
    )
  }

  /** Removes all elements that begin with a text, which says in which partition they are. */
  async removeAll(prefix: string, options: PartitionWriteOptions): Promise<PartitionReceipt | undefined> {
    const found: FoundEntry[] = []
    for await (const entry of walkEntries(this.#entries, { ...readOptions(options), prefix }, () => undefined))
      found.push(entry)
    return removeEntries(this.#writes, found, options)
  }

  addMany<Element>(
    source: BulkSource<Element>,
    mainOf: (element: Element) => string,
    options: PartitionBulkOptions,
  ): Promise<PartitionBulkResult> {
    this.#entries.reads.check()
    const bulk = new RoutedBulk({ entries: this.#entries, writes: this.#writes }, options, () => Infinity)
    return bulk.set(source, (element) => ({ key: mainOf(element), content: PRESENT }))
  }

  clear(options: PartitionBulkOptions): Promise<Coverage & { readonly deleted: number }> {
    return clearEntries({ entries: this.#entries, writes: this.#writes }, options)
  }

  size(options: OwnerReadOptions): Promise<Coverage & { readonly size: number }> {
    return this.#entries.reads.size(options)
  }

  /** Calls `covered` at the end. */
  async *walk(
    options: PartitionWalkOptions,
    covered: (coverage: Coverage) => void,
  ): AsyncGenerator<string, void, undefined> {
    for await (const { key } of walkEntries(this.#entries, options, covered)) yield key
  }

  /** Calls `begun` once. The value of a change of an element that is there is true. */
  changes(
    options: PartitionChangesOptions & PartitionWatchOptions,
    begun: (running: RunningFeed) => void,
  ): AsyncGenerator<PartitionChange<boolean> & PartitionWatched, void, undefined> {
    return mapChanges<boolean>({ entries: this.#entries, pump: this.#writes.pump, begun }, options)
  }
}
