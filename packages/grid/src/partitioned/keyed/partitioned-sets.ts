import { ELEMENT_SEPARATOR } from '@gossipgrid/core'
import { checkKind } from '../../batches/checks.ts'
import { mainParts } from '../../keyed/key-elements.ts'
import { checkKeyedKey, checkedMain } from '../../keyed/keyed-face.ts'
import { decodeElement } from '../../sets/set-element.ts'
import { checkChanges, checkWatch } from '../changes/partition-changes.ts'
import type {
  Coverage,
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
import { elementChange } from './element-changes.ts'
import type { PartitionKeyElementChange } from './element-changes.ts'
import { PartitionedFace } from './partitioned-face.ts'
import type { RoutedElements } from './routed-elements.ts'

/**
 * Sets under keys that are spread over the peers: each set is on a few of them, its owners. Every peer reads and writes all of them, so
 * all methods wait for other peers, and what is not known is an error and never `undefined`. Of a concurrent add and remove of
 * an element, the add wins. From `grid.sets(name, { mode: 'partitioned' })`. Reads reject as those of `PartitionedMap` do.
 */
export class PartitionedSets<Element> extends PartitionedFace<RoutedElements> {
  /**
   * The elements of the set under `key`, in no particular order. Undefined if there are none: an empty set is not there. An owner
   * looks through its copy of the partition for them.
   *
   * @example
   * ```ts
   * const tags = grid.sets<string>('post tags', { mode: 'partitioned' })
   * await tags.add('post 1', 'red')
   * console.log(await tags.get('post 1')) // [ 'red' ]
   * ```
   */
  async get(key: string, options: OwnerReadOptions = {}): Promise<Element[] | undefined> {
    const elements: Element[] = []
    for await (const element of this.#elements(key, options, await this.reading(options))) elements.push(element)
    return elements.length === 0 ? undefined : elements
  }

  /** Whether there is something under `key`. */
  async has(key: string, options: OwnerReadOptions = {}): Promise<boolean> {
    for await (const _ of this.#elements(key, options, await this.reading(options))) return true
    return false
  }

  /** Whether an element is in the set under `key`. Rejects with `INVALID_VALUE`, and as reads do. */
  async holds(key: string, element: Element, options: OwnerReadOptions = {}): Promise<boolean> {
    return (await this.reading(options)).has(checkedMain(key, element), options)
  }

  /** Adds an element to the set under `key`, as `PartitionedSet.add` does. */
  async add(key: string, element: Element, options: PartitionWriteOptions = {}): Promise<PartitionReceipt> {
    checkPartitionWrite(options, {})
    return (await this.working()).add(checkedMain(key, element), options)
  }

  /** Removes an element from the set under `key`, as `PartitionedSet.delete` does. */
  async remove(
    key: string,
    element: Element,
    options: PartitionWriteOptions = {},
  ): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    return (await this.working()).remove(checkedMain(key, element), options)
  }

  /** Removes all elements under `key` that an owner and this peer have seen, as `remove` does. */
  async delete(key: string, options: PartitionWriteOptions = {}): Promise<PartitionReceipt | undefined> {
    checkPartitionWrite(options, {})
    checkKeyedKey(key)
    return (await this.working()).removeAll(prefixOf(key), options)
  }

  /** Removes the elements under all keys that owners have at this time, as `PartitionedMap.clear` does. `deleted` counts elements. */
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
    return this.walk(options, async function* (routed, covered) {
      for await (const [key] of groups(routed.walk(options, covered))) yield key
    })
  }

  /** As `keys`, with the elements under each key. */
  entries(options: PartitionWalkOptions = {}): PartitionWalk<[string, Element[]]> {
    return this.walk(options, async function* (routed, covered) {
      for await (const [key, texts] of groups(routed.walk(options, covered)))
        yield [key, texts.map((text) => decodeElement(text) as Element)]
    })
  }

  /** Every element that is added or removed from the first `next` on, followed as by `PartitionedMap.changes`. */
  changes(options: PartitionChangesOptions = {}): PartitionFeed<PartitionKeyElementChange<Element>> {
    checkChanges(options)
    return this.#changes(options)
  }

  /** The current elements and then every change, each with a `cursor`, as `PartitionedMap.watch`. */
  watch(options: PartitionWatchOptions = {}): PartitionFeed<PartitionKeyElementChange<Element> & PartitionWatched> {
    checkWatch(options)
    return this.#changes({ ...options, initial: true })
  }

  #changes({
    key,
    ...options
  }: PartitionChangesOptions & PartitionWatchOptions): PartitionFeed<
    PartitionKeyElementChange<Element> & PartitionWatched
  > {
    if (key !== undefined) checkKeyedKey(key)
    const followed = key === undefined ? options : { ...options, prefix: prefixOf(key) }
    return this.feed(async function* (routed, begun) {
      for await (const change of routed.changes(followed, begun)) yield elementChange(change, namedOf<Element>)
    })
  }

  async *#elements(
    key: string,
    options: OwnerReadOptions,
    routed: RoutedElements,
  ): AsyncGenerator<Element, void, undefined> {
    checkKeyedKey(key)
    for await (const main of routed.walk({ ...options, prefix: prefixOf(key) }, () => undefined))
      yield decodeElement(mainParts(main)[1]) as Element
  }
}

function prefixOf(key: string): string {
  return `${key}${ELEMENT_SEPARATOR}`
}

function namedOf<Element>(main: string): { readonly key: string; readonly element: Element | undefined } {
  if (main === '') return { key: '', element: undefined }
  const [key, text] = mainParts(main)
  return { key, element: decodeElement(text) as Element }
}

/** The elements of each key, which come one after another. */
async function* groups(
  mains: AsyncIterable<string>,
): AsyncGenerator<readonly [key: string, texts: readonly string[]], void, undefined> {
  let current: { readonly key: string; readonly texts: string[] } | undefined
  for await (const main of mains) {
    const [key, text] = mainParts(main)
    if (current?.key !== key) {
      if (current !== undefined) yield [current.key, current.texts]
      current = { key, texts: [] }
    }
    current.texts.push(text)
  }
  if (current !== undefined) yield [current.key, current.texts]
}
