import { decodeValue, isDelete } from '@gossipgrid/core'
import type { Discarded, Partition } from '@gossipgrid/core'
import { CallOrder } from '../bulk/call-order.ts'
import { checkBatch } from '../batches/batch.ts'
import { storedContent, sameContent, visibleContent } from './layout.ts'
import type { Layout, WallClock } from './layout.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { EncodedChange, originOf } from './map-change.ts'
import type { Origin } from './map-change.ts'
import type { Receipt, WriteOptions } from '../receipts/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import type { ValueSchema } from './schema.ts'

/** The losing value of a conflict. */
export interface DiscardedContent {
  readonly key: string
  readonly field: string | undefined
  /** Undefined for a delete. */
  readonly content: Uint8Array | undefined
}

/** Gets the changes of the entries. */
export interface EntriesListener {
  /** True if there is a reader of changes or conflicts. */
  readonly wanted: boolean
  /** An entry has changed. Called at once, before a reader can see the change in the map. */
  applied(change: EncodedChange<unknown>): void
  /** The same change, after the step that brought it. */
  changed(change: EncodedChange<unknown>): void
  discarded(discarded: DiscardedContent): void
}

/** A change of an entry that is not reported yet. */
interface ArrivedChange {
  readonly key: string
  readonly before: Uint8Array | undefined
  /** The new content. Looked up later if an entry consists of several rows. */
  readonly after?: Uint8Array | undefined
  readonly isUnswept?: boolean
  readonly origin?: Origin | undefined
  /** This peer's own write, which has passed the schema. */
  readonly own: boolean
}

/**
 * The entries of a map as readers see them: without those that have expired, and without those that are not valid by the
 * schema. Reports changes after the step that brought them.
 */
export class MapEntries {
  readonly layout: Layout
  readonly schema: ValueSchema | undefined
  readonly order: CallOrder
  readonly #writes: WritePath
  readonly #partition: Partition
  readonly #listener: EntriesListener
  readonly #wallMs: WallClock
  /** Entries that are not valid by the schema. */
  readonly #hidden = new Set<string>()
  /** Entries that were reported as gone, and are not swept yet. */
  readonly #reportedGone = new Set<string>()
  readonly #gathering = new Set<string>()
  #arrived: ArrivedChange[] = []
  #reports: (() => void)[] = []
  #scheduled = false
  #endObserving: (() => void) | undefined

  constructor(
    writes: WritePath,
    partition: Partition,
    options: { readonly layout: Layout; readonly schema?: ValueSchema | undefined; readonly listener: EntriesListener },
  ) {
    this.#writes = writes
    this.#partition = partition
    this.layout = options.layout
    this.schema = options.schema
    this.order = new CallOrder(partition, writes.pump.peer)
    this.#listener = options.listener
    this.#wallMs = () => writes.pump.wallMs
    if (this.schema !== undefined) this.#checkAll(this.schema)
    this.observe()
  }

  /** Reports what has expired by now and what has arrived, instead of waiting. */
  refresh(): void {
    this.#writes.pump.sweep()
    this.#settle()
  }

  /** Number of entries that readers see. */
  get size(): number {
    this.refresh()
    return this.layout.count - this.#hidden.size
  }

  /** Number of entries that are kept, and not valid by the schema. */
  get hiddenCount(): number {
    this.refresh()
    return this.#hidden.size
  }

  /** Whether an entry is not valid by the schema. Up to date after `refresh`. */
  isHidden(key: string): boolean {
    return this.#hidden.has(key)
  }

  content(key: string): Uint8Array | undefined {
    this.#settle()
    return this.#hidden.has(key) ? undefined : this.layout.content(key, this.#wallMs)
  }

  has(key: string): boolean {
    return this.expiresAtMs(key) > 0
  }

  /** Wall time in milliseconds. Infinity for an entry that does not expire, 0 for none. */
  expiresAtMs(key: string): number {
    this.#settle()
    return this.#hidden.has(key) ? 0 : this.layout.expiresAtMs(key, this.#wallMs)
  }

  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string {
    this.layout.checkKey(key)
  }

  /** The keys of the entries that exist at the first step. Skips those that are gone since, unless `gone` is true. */
  *keys(gone: boolean = false): Generator<string, void, undefined> {
    this.#settle()
    for (const key of this.layout.keys(this.#wallMs, gone)) if (gone || !this.#hidden.has(key)) yield key
  }

  /** The encoded value. Throws `SCHEMA`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `INVALID_OPTION`. */
  encode(value: unknown): Uint8Array {
    return this.layout.encode(this.schema === undefined ? value : this.schema.accepted(value))
  }

  /** Writes rows of this map in one piece. Throws `BATCH_TOO_LARGE`; rejects as `WritePath.write` does. */
  write(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    return this.#writes.writeRows(this.checked(rows), options)
  }

  /** Returns the rows. Throws `BATCH_TOO_LARGE` for an object of very many fields. */
  checked(rows: readonly RowWrite[]): readonly RowWrite[] {
    if (rows.length !== 1) checkBatch(rows)
    return rows
  }

  /** The rows that delete an entry. A tombstone, if there is none: an earlier bulk call may still be going to write it. */
  deletes(key: string): RowWrite[] {
    const rows = this.layout.rows(key, undefined, Infinity)
    return rows.length > 0 ? rows : [{ partition: this.#partition, key, bytes: undefined }]
  }

  /** Where the last write of an entry comes from. */
  origin(key: string): Origin {
    const { table } = this.#partition.replica
    const slots = this.layout.slotsOf(key)
    if (slots.length === 0) return { local: false, by: undefined, atMs: this.#wallMs() }
    const last = slots.reduce((latest, slot) => (table.hlc(slot) > table.hlc(latest) ? slot : latest), slots[0]!)
    return originOf(this.#partition, last, this.#writes.pump.peer)
  }

  /** Observes the replica only while that is needed. */
  observe(): void {
    const wanted = this.#listener.wanted || this.layout.gathers || this.schema !== undefined
    if (wanted === (this.#endObserving !== undefined)) return
    this.#endObserving?.()
    this.#endObserving = wanted
      ? this.#partition.replica.observe({
          changed: (slot, previous) => this.#changed(slot, previous),
          discarded: (discarded) => this.#discarded(discarded),
        })
      : undefined
  }

  #checkAll(schema: ValueSchema): void {
    for (const key of this.layout.keys(this.#wallMs)) {
      const content = this.layout.content(key, this.#wallMs)
      if (content !== undefined && !schema.fits(decodeValue(content))) this.#hidden.add(key)
    }
  }

  #changed(slot: number, previous: Uint8Array | undefined): void {
    const { layout } = this
    layout.changed(slot, previous)
    const { wanted } = this.#listener
    if (!wanted && this.schema === undefined) return
    const { replica } = this.#partition
    const { key } = layout.place(replica.table.key(slot))
    const own = this.#writes.underWay
    if (layout.gathers) {
      if (this.#gathering.has(key)) return
      this.#gathering.add(key)
      this.#arrived.push({ key, before: layout.before(slot, previous), own })
    } else {
      const after = visibleContent(replica.table.value(slot), this.#wallMs)
      const isUnswept = after === undefined && !replica.table.deleted(slot)
      const origin = wanted ? originOf(this.#partition, slot, this.#writes.pump.peer) : undefined
      this.#arrived.push({ key, before: layout.before(slot, previous), after, isUnswept, origin, own })
    }
    this.#schedule()
  }

  #discarded({ key: rowKey, value }: Discarded): void {
    if (!this.#listener.wanted) return
    if (value !== undefined && !isDelete(value) && visibleContent(value, this.#wallMs) === undefined) return
    const discarded = { ...this.layout.place(rowKey), content: storedContent(value) }
    this.#reports.push(() => this.#reportDiscarded(discarded))
    this.#schedule()
  }

  /** Reports a losing value, unless it equals the current one, or readers could not have seen it. */
  #reportDiscarded(discarded: DiscardedContent): void {
    const { key, field, content } = discarded
    const { layout, schema } = this
    if (sameContent(content, layout.fieldContent(key, field, this.#wallMs))) return
    if (content !== undefined) {
      // The fields of an object are reported one by one.
      if (layout.gathers && field === undefined) return
      if (field === undefined && schema !== undefined && !schema.fits(decodeValue(content))) return
    }
    this.#listener.discarded(discarded)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#writes.pump.afterStep(() => {
      this.#scheduled = false
      this.#settle()
      // One call each, because each may cause more.
      for (const report of this.#reports.splice(0)) this.#writes.pump.afterStep(report)
    })
  }

  /** Computes what the changes mean to readers. To be called before changes are reported, and before the map is read. */
  #settle(): void {
    if (this.#arrived.length === 0) return
    const arrived = this.#arrived
    this.#arrived = []
    this.#gathering.clear()
    for (const change of arrived) this.#settleOne(change)
  }

  #settleOne({ key, before, own, ...rest }: ArrivedChange): void {
    const { layout, schema } = this
    const after = layout.gathers ? layout.content(key, this.#wallMs) : rest.after
    const known = !this.#hidden.has(key) && !this.#reportedGone.has(key)
    const fits = after === undefined || own || schema === undefined || schema.fits(decodeValue(after))
    if (fits) this.#hidden.delete(key)
    else this.#hidden.add(key)
    if (after === undefined && (rest.isUnswept ?? layout.isUnswept(key))) this.#reportedGone.add(key)
    else this.#reportedGone.delete(key)
    const shownBefore = known ? before : undefined
    const shownAfter = fits ? after : undefined
    if (!this.#listener.wanted || (shownBefore ?? shownAfter) === undefined) return
    const change = new EncodedChange(key, shownAfter, shownBefore, rest.origin ?? this.origin(key))
    this.#listener.applied(change)
    this.#reports.push(() => this.#listener.changed(change))
  }
}
