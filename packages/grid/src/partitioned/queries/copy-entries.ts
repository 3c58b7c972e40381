import { partitionIndex } from '@gossipgrid/core'
import type { Collection, Partition } from '@gossipgrid/core'
import { EntryObservers } from '../../indexes/entry-observers.ts'
import type { Content, EntrySource } from '../../indexes/entry-source.ts'
import { sourceOfMap } from '../../indexes/source-of-map.ts'
import { FieldRows } from '../../maps/field-rows.ts'
import { WholeRows } from '../../maps/whole-rows.ts'
import type { Pump } from '../../runtime/write-path.ts'

/** Numbers are given out in pages, so that a partition takes about as many as it has entries. */
const PAGE_BITS = 8
const PAGE: number = 1 << PAGE_BITS

/** The copy of a partition. */
interface Copy {
  readonly partition: Partition
  readonly source: EntrySource
  /** The pages of its entries. */
  readonly pages: number[]
  isGone: boolean
  stop: (() => void) | undefined
}

/** The entries of all partitions of a map that this peer has a copy of, whole or not, under numbers of their own. */
export class CopyEntries implements EntrySource {
  readonly #pump: Pump
  readonly #collection: Collection
  readonly #copies = new Map<number, Copy>()
  /** By page: what it belongs to, and its first entry there. */
  readonly #pages: (Copy | undefined)[] = []
  readonly #firsts: number[] = []
  readonly #freePages: number[] = []
  readonly #gone: Copy[] = []
  readonly #observers = new EntryObservers()
  #seenChanges = -1

  constructor(pump: Pump, collection: Collection) {
    this.#pump = pump
    this.#collection = collection
    this.follow()
  }

  get span(): number {
    return this.#pages.length << PAGE_BITS
  }

  key(entry: number): string {
    const copy = this.#pages[entry >> PAGE_BITS]
    return copy === undefined ? '' : copy.source.key(this.#place(entry))
  }

  find(key: string): number | undefined {
    const { partitions } = this.#collection.descriptor
    const copy = this.#copies.get(partitions + partitionIndex(key, partitions))
    const place = copy?.source.find(key)
    return place === undefined ? undefined : this.#number(copy!, place)
  }

  read(entry: number, into: Content): boolean {
    const copy = this.#pages[entry >> PAGE_BITS]
    if (copy === undefined || copy.isGone) return false
    const place = this.#place(entry)
    return place < copy.source.span && copy.source.read(place, into)
  }

  isHidden(): boolean {
    // Only the peer that asks knows the schema.
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    const stop = this.#observers.add(changed)
    if (this.#observers.size === 1) for (const copy of this.#copies.values()) this.#watch(copy)
    return () => {
      stop()
      if (this.#observers.size === 0) for (const copy of this.#copies.values()) this.#unwatch(copy)
    }
  }

  refresh(): void {
    this.#pump.sweep()
    this.follow()
    for (const copy of this.#copies.values()) this.#cover(copy)
  }

  /** The number of the partition that an entry is in. Undefined if this peer has no copy any more. */
  partitionOf(entry: number): number | undefined {
    const copy = this.#pages[entry >> PAGE_BITS]
    return copy === undefined || copy.isGone ? undefined : copy.partition.name.partition
  }

  /** The numbers of the partitions that this peer has copies of. */
  get partitions(): ReadonlySet<number> {
    return new Set(this.#copies.keys())
  }

  /** Dropped copies of which something is left: `clear` takes it out. */
  get hasGone(): boolean {
    return this.#gone.length > 0
  }

  /** Takes in copies that this peer has begun, and lets those go that it has dropped. To be called after every step. */
  follow(): void {
    const { partitionChanges } = this.#pump.peer.collections
    if (this.#seenChanges === partitionChanges) return
    this.#seenChanges = partitionChanges
    const current = new Map(this.#collection.partitions.map((partition) => [partition.name.partition, partition]))
    for (const [number, copy] of this.#copies) {
      if (current.get(number) === copy.partition) continue
      this.#copies.delete(number)
      this.#unwatch(copy)
      copy.isGone = true
      this.#gone.push(copy)
    }
    for (const [number, partition] of current) if (!this.#copies.has(number)) this.#take(number, partition)
  }

  /** Takes the entries of dropped copies out of what observes them, one at a time: yields after each. */
  *clear(): Generator<void, void, undefined> {
    for (let copy = this.#gone.shift(); copy !== undefined; copy = this.#gone.shift()) {
      for (const page of copy.pages) {
        for (let i = 0; i < PAGE && this.#observers.size > 0; i++) {
          this.#observers.report((page << PAGE_BITS) + i)
          yield
        }
        this.#pages[page] = undefined
        this.#freePages.push(page)
      }
    }
  }

  #take(number: number, partition: Partition): void {
    const copy: Copy = {
      partition,
      source: this.#sourceOf(partition),
      pages: [],
      isGone: false,
      stop: undefined,
    }
    this.#copies.set(number, copy)
    this.#cover(copy)
    if (this.#observers.size === 0) return
    this.#watch(copy)
    for (let place = 0; place < copy.source.span; place++) this.#observers.report(this.#number(copy, place))
  }

  #sourceOf(partition: Partition): EntrySource {
    const pump = this.#pump
    const wallMs = (): number => pump.wallMs
    const { kind } = this.#collection.descriptor
    const layout = kind === 'fields' ? new FieldRows(partition, Infinity) : new WholeRows(partition, Infinity)
    if (layout.gathers) partition.replica.observe({ changed: (slot, previous) => layout.changed(slot, previous) })
    return sourceOfMap(pump, partition, {
      layout,
      schema: undefined,
      keys: () => layout.keys(wallMs),
      content: (key) => layout.content(key, wallMs),
      isHidden: () => false,
      refresh: () => pump.sweep(),
    })
  }

  #watch(copy: Copy): void {
    copy.stop = copy.source.observe((place) => this.#observers.report(this.#number(copy, place)))
  }

  #unwatch(copy: Copy): void {
    copy.stop?.()
    copy.stop = undefined
  }

  /** All entries of a copy get numbers, so that a walk through the numbers meets them. */
  #cover(copy: Copy): void {
    if (this.#collection.descriptor.kind === 'fields') copy.source.refresh()
    for (let place = copy.pages.length << PAGE_BITS; place < copy.source.span; place += PAGE) this.#number(copy, place)
  }

  #number(copy: Copy, place: number): number {
    const at = place >> PAGE_BITS
    while (copy.pages.length <= at) {
      const page = this.#freePages.pop() ?? this.#pages.length
      this.#pages[page] = copy
      this.#firsts[page] = copy.pages.length << PAGE_BITS
      copy.pages.push(page)
    }
    return (copy.pages[at]! << PAGE_BITS) + (place & (PAGE - 1))
  }

  #place(entry: number): number {
    return this.#firsts[entry >> PAGE_BITS]! + (entry & (PAGE - 1))
  }
}

/** Those entries of the copies of this peer that are in certain partitions. */
export class AskedEntries implements EntrySource {
  readonly #copies: CopyEntries
  readonly #partitions: ReadonlySet<number>

  constructor(copies: CopyEntries, partitions: ReadonlySet<number>) {
    this.#copies = copies
    this.#partitions = partitions
  }

  get span(): number {
    return this.#copies.span
  }

  key(entry: number): string {
    return this.#copies.key(entry)
  }

  find(key: string): number | undefined {
    return this.#copies.find(key)
  }

  read(entry: number, into: Content): boolean {
    const partition = this.#copies.partitionOf(entry)
    return partition !== undefined && this.#partitions.has(partition) && this.#copies.read(entry, into)
  }

  isHidden(): boolean {
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    return this.#copies.observe(changed)
  }

  refresh(): void {
    this.#copies.refresh()
  }
}
