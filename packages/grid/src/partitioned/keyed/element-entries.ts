import { ELEMENT_SEPARATOR, PRESENT } from '@gossipgrid/core'
import type { Collection, CollectionDescriptor, PartitionName, Row } from '@gossipgrid/core'
import { mainParts } from '../../keyed/key-elements.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import { addedRows } from '../../sets/element-rows.ts'
import { isElementText } from '../../sets/set-element.ts'
import type { OwnerReadOptions } from '../partition-options.ts'
import { Places } from '../places.ts'
import type { FoundEntry } from '../routed-entries.ts'
import { RoutedReads } from '../routed-reads.ts'
import type { FoundPage } from '../routed-reads.ts'
import type { RoutedRow } from '../routed-writes.ts'

/** All elements of the set under a key are in the partition of the key. */
class KeyedPlaces extends Places {
  override of(main: string): PartitionName {
    const at = main.indexOf(ELEMENT_SEPARATOR)
    return super.of(at < 0 ? main : main.slice(0, at))
  }

  override withPrefix(prefix: string): readonly PartitionName[] {
    return prefix.includes(ELEMENT_SEPARATOR) ? [this.of(prefix)] : super.withPrefix(prefix)
  }
}

/**
 * The elements of partitioned sets as readers see them, wherever they are: by element in one set, by key and element in sets under keys.
 * The content of one that is there is `PRESENT`.
 */
export class ElementEntries {
  readonly places: Places
  readonly reads: RoutedReads
  readonly descriptor: CollectionDescriptor
  /** An add replaces adds of other peers, if there are many. */
  readonly readsBeforeWrites = true
  readonly #slotId: string

  constructor(writes: WritePath, collection: Collection) {
    this.descriptor = collection.descriptor
    this.places =
      collection.descriptor.kind === 'sets' ? new KeyedPlaces(collection.descriptor) : new Places(collection.descriptor)
    this.reads = new RoutedReads(writes.pump, collection, this.places)
    this.#slotId = writes.pump.peer.slotId
  }

  /** These elements, in order; undefined where no owner has answered in time. Rejects as reads do. */
  async find(mains: readonly string[], options: OwnerReadOptions): Promise<(FoundEntry | undefined)[]> {
    const found = await this.reads.keys(mains, options)
    return found.map(({ key, rows }) => (rows === undefined ? undefined : this.entry(key, rows)))
  }

  /** An element, if an owner has answered in time. Rejects with `OWNERS_UNREACHABLE` otherwise. */
  async get(main: string, options: OwnerReadOptions): Promise<FoundEntry> {
    const [entry] = await this.find([main], options)
    if (entry === undefined) throw this.reads.unreachable('the element', options)
    return entry
  }

  /** The elements of a page that are there. */
  shown(page: FoundPage): FoundEntry[] {
    return page.keys.map(({ key, rows }) => this.entry(key, rows)).filter(({ content }) => content !== undefined)
  }

  /** An element of which nothing is known. */
  unknown(main: string): FoundEntry {
    return this.entry(main, [])
  }

  /** The element that these rows add. */
  entry(main: string, rows: readonly Readonly<Row>[]): FoundEntry {
    const live = rows.filter(({ bytes }) => bytes !== undefined)
    const isThere = live.length > 0 && isElementText(this.#textOf(main))
    return {
      key: main,
      content: isThere ? PRESENT : undefined,
      expiresAtMs: isThere ? Infinity : 0,
      rows: (content) => this.#rows(main, live, content !== undefined),
    }
  }

  #rows(main: string, live: readonly Readonly<Row>[], isAdd: boolean): RoutedRow[] {
    const partition = { name: this.places.of(main) }
    const hlcOf = new Map(live.map(({ key, hlc }) => [key, hlc]))
    const keys = [...hlcOf.keys()]
    const rows = isAdd ? addedRows(main, this.#slotId, keys) : { removed: keys }
    const removed = rows.removed.map((key) => ({ partition, key, bytes: undefined, dateHlc: hlcOf.get(key)! }))
    return 'added' in rows ? [{ partition, key: rows.added, bytes: PRESENT }, ...removed] : removed
  }

  #textOf(main: string): string {
    return this.descriptor.kind === 'sets' ? mainParts(main)[1] : main
  }
}
