import { partitionIndex } from '@gossipgrid/core'
import type { Collection, Partition } from '@gossipgrid/core'
import type { Content, EntrySource } from '../../indexes/entry-source.ts'
import { sourceOfMap } from '../../indexes/source-of-map.ts'
import { FieldRows } from '../../maps/field-rows.ts'
import { WholeRows } from '../../maps/whole-rows.ts'
import type { Pump } from '../../runtime/write-path.ts'

/** Numbers are given out in pages, so that a partition takes about as many as it has entries. */
const PAGE_BITS = 8
const PAGE: number = 1 << PAGE_BITS

/** The copy of a partition. */
interface Held {
  readonly partition: Partition
  readonly source: EntrySource
  /** The pages of its entries. */
  readonly pages: number[]
  isGone: boolean
  stop: (() => void) | undefined
}

/** The entries of all partitions of a map that this peer has a copy of, whole or not, under numbers of their own. */
export class HeldEntries implements EntrySource {
  readonly #pump: Pump
  readonly #collection: Collection
  readonly #held = new Map<number, Held>()
  /** By page: what it belongs to, and its first entry there. */
  readonly #pages: (Held | undefined)[] = []
  readonly #firsts: number[] = []
  readonly #freePages: number[] = []
  readonly #gone: Held[] = []
  #observers: readonly ((entry: number) => void)[] = []
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
    const held = this.#pages[entry >> PAGE_BITS]
    return held === undefined ? '' : held.source.key(this.#place(entry))
  }

  find(key: string): number | undefined {
    const { partitions } = this.#collection.descriptor
    const held = this.#held.get(partitions + partitionIndex(key, partitions))
    const place = held?.source.find(key)
    return place === undefined ? undefined : this.#number(held!, place)
  }

  read(entry: number, into: Content): boolean {
    const held = this.#pages[entry >> PAGE_BITS]
    if (held === undefined || held.isGone) return false
    const place = this.#place(entry)
    return place < held.source.span && held.source.read(place, into)
  }

  isHidden(): boolean {
    // Only the peer that asks knows the schema.
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    const observer = (entry: number): void => changed(entry)
    this.#observers = [...this.#observers, observer]
    if (this.#observers.length === 1) for (const held of this.#held.values()) this.#watch(held)
    return () => {
      this.#observers = this.#observers.filter((each) => each !== observer)
      if (this.#observers.length === 0) for (const held of this.#held.values()) this.#unwatch(held)
    }
  }

  refresh(): void {
    this.#pump.sweep()
    this.follow()
    for (const held of this.#held.values()) this.#cover(held)
  }

  /** The number of the partition that an entry is in. Undefined if this peer has no copy any more. */
  partitionOf(entry: number): number | undefined {
    const held = this.#pages[entry >> PAGE_BITS]
    return held === undefined || held.isGone ? undefined : held.partition.name.partition
  }

  /** The numbers of the partitions that this peer has copies of. */
  get partitions(): ReadonlySet<number> {
    return new Set(this.#held.keys())
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
    for (const [number, held] of this.#held) {
      if (current.get(number) === held.partition) continue
      this.#held.delete(number)
      this.#unwatch(held)
      held.isGone = true
      this.#gone.push(held)
    }
    for (const [number, partition] of current) if (!this.#held.has(number)) this.#take(number, partition)
  }

  /** Takes the entries of dropped copies out of what observes them, one at a time: yields after each. */
  *clear(): Generator<void, void, undefined> {
    for (let held = this.#gone.shift(); held !== undefined; held = this.#gone.shift()) {
      for (const page of held.pages) {
        for (let i = 0; i < PAGE && this.#observers.length > 0; i++) {
          this.#report((page << PAGE_BITS) + i)
          yield
        }
        this.#pages[page] = undefined
        this.#freePages.push(page)
      }
    }
  }

  #take(number: number, partition: Partition): void {
    const held: Held = {
      partition,
      source: this.#sourceOf(partition),
      pages: [],
      isGone: false,
      stop: undefined,
    }
    this.#held.set(number, held)
    this.#cover(held)
    if (this.#observers.length === 0) return
    this.#watch(held)
    for (let place = 0; place < held.source.span; place++) this.#report(this.#number(held, place))
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

  #watch(held: Held): void {
    held.stop = held.source.observe((place) => this.#report(this.#number(held, place)))
  }

  #unwatch(held: Held): void {
    held.stop?.()
    held.stop = undefined
  }

  #report(entry: number): void {
    for (const observer of this.#observers) observer(entry)
  }

  /** All entries of a copy get numbers, so that a walk through the numbers meets them. */
  #cover(held: Held): void {
    if (this.#collection.descriptor.kind === 'fields') held.source.refresh()
    for (let place = held.pages.length << PAGE_BITS; place < held.source.span; place += PAGE) this.#number(held, place)
  }

  #number(held: Held, place: number): number {
    const at = place >> PAGE_BITS
    while (held.pages.length <= at) {
      const page = this.#freePages.pop() ?? this.#pages.length
      this.#pages[page] = held
      this.#firsts[page] = held.pages.length << PAGE_BITS
      held.pages.push(page)
    }
    return (held.pages[at]! << PAGE_BITS) + (place & (PAGE - 1))
  }

  #place(entry: number): number {
    return this.#firsts[entry >> PAGE_BITS]! + (entry & (PAGE - 1))
  }
}
