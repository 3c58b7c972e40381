import { checkKind } from '../../batches/checks.ts'
import { checkSource } from '../../bulk/bulk-source.ts'
import type { BulkSource } from '../../bulk/bulk-source.ts'
import { decodeElement, encodeElement } from '../../sets/set-element.ts'
import { checkWatch } from '../changes/partition-changes.ts'
import type { Coverage, PartitionFeed, PartitionWatchOptions, PartitionWatched } from '../changes/partition-changes.ts'
import { checkPartitionWrite } from '../partition-options.ts'
import type {
  OwnerReadOptions,
  PartitionBulkOptions,
  PartitionBulkResult,
  PartitionReceipt,
  PartitionWalk,
  PartitionWalkOptions,
  PartitionWriteOptions,
} from '../partition-options.ts'
import { checkElementChanges, elementChange } from './element-changes.ts'
import type { PartitionElementChange, PartitionElementChangesOptions } from './element-changes.ts'
import { PartitionedFace } from './partitioned-face.ts'
import type { RoutedElements } from './routed-elements.ts'

/**
 * A set whose elements are spread over the peers: each is on a few of them, its owners. It holds what `GridSet` holds. Every peer reads
 * and writes all of it, so all methods wait for other peers. Of a concurrent add and remove of an element, the add wins. From
 * `grid.set(name, { mode: 'partitioned' })`. Reads reject as those of `PartitionedMap` do.
 */
export class PartitionedSet<Element> extends PartitionedFace<RoutedElements> {
  /** Whether an element is in the set. Rejects with `INVALID_VALUE`, and as reads do. */
  async has(element: Element, options: OwnerReadOptions = {}): Promise<boolean> {
    return (await this.reading(options)).has(encodeElement(element), options)
  }

  /**
   * Adds an element. It reads at an owner first, for up to 2 s, and needs none. Resolves and rejects as `PartitionedMap.set` does. It
   * writes even if the element is there, so that it wins over a remove that has not seen it.
   *
   * @example
   * ```ts
   * const tags = grid.set<string>('all tags', { mode: 'partitioned' })
   * await tags.add('red')
   * console.log(await tags.has('red')) // true
   * ```
   */
  async add(element: Element, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    checkPartitionWrite(options, {})
    return (await this.working()).add(encodeElement(element), options)
  }

  /**
   * Removes an element: every add of it that an owner and this peer have seen. Resolves to undefined if it is not there. Rejects as
   * `add` does, and with `OWNERS_UNREACHABLE`, without writing anything, if no owner says which adds there are.
   */
  async delete(element: Element, options: PartitionWriteOptions = {}): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    return (await this.working()).remove(encodeElement(element), options)
  }

  /** Adds any number of elements, as `PartitionedMap.setMany` writes entries. */
  async addMany(elements: BulkSource<Element>, options: PartitionBulkOptions = {}): Promise<PartitionBulkResult> {
    checkSource(elements, 'elements')
    checkPartitionWrite(options, { onProgress: true })
    checkKind('onProgress', options.onProgress, 'function')
    return (await this.working()).addMany(elements, encodeElement, options)
  }

  /** Removes all elements that owners have at this time, as `PartitionedMap.clear` does. */
  async clear(options: PartitionBulkOptions = {}): Promise<Coverage & { readonly deleted: number }> {
    checkPartitionWrite(options, { onProgress: true })
    checkKind('onProgress', options.onProgress, 'function')
    return (await this.working()).clear(options)
  }

  /** The number of elements, as the owners count them. `complete` is false if a partition was not answered for. */
  async size(options: OwnerReadOptions = {}): Promise<Coverage & { readonly size: number }> {
    return (await this.reading(options)).size(options)
  }

  /** The elements, in no particular order. What is added meanwhile may be included or not. Ends as `PartitionedMap.keys` does. */
  values(options: Omit<PartitionWalkOptions, 'prefix'> = {}): PartitionWalk<Element> {
    return this.walk(options, async function* (routed, covered) {
      for await (const text of routed.walk(options, covered)) yield decodeElement(text) as Element
    })
  }

  /** Every element that is added or removed from the first `next` on, followed as by `PartitionedMap.changes`. */
  changes(options: PartitionElementChangesOptions = {}): PartitionFeed<PartitionElementChange<Element>> {
    checkElementChanges(options)
    return this.#changes(options)
  }

  /** The current elements and then every change, each with a `cursor`, as `PartitionedMap.watch`. */
  watch(
    options: Omit<PartitionWatchOptions, 'prefix'> = {},
  ): PartitionFeed<PartitionElementChange<Element> & PartitionWatched> {
    checkWatch(options)
    return this.#changes({ ...options, initial: true })
  }

  #changes(
    options: PartitionElementChangesOptions & PartitionWatchOptions,
  ): PartitionFeed<PartitionElementChange<Element> & PartitionWatched> {
    return this.feed(async function* (routed, begun) {
      for await (const change of routed.changes(options, begun))
        yield elementChange(change, (text) => ({ element: decodeElement(text) as Element | undefined }))
    })
  }
}
