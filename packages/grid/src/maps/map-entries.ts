import { decodeValue } from '@gossipgrid/core'
import type { Discarded, Partition } from '@gossipgrid/core'
import { CallOrder } from '../bulk/call-order.ts'
import { checkBatch } from '../batches/batch.ts'
import { heldIn, sameContent, visibleIn } from './layout.ts'
import type { Layout, WallClock } from './layout.ts'
import type { RowWrite } from '../runtime/row-write.ts'
import { EncodedChange } from './map-change.ts'
import type { Receipt, WriteOptions } from '../runtime/receipt.ts'
import type { WritePath } from '../runtime/write-path.ts'
import type { ValueSchema } from './schema.ts'

/** A value that a merge threw away, as it is told. */
export interface DiscardedContent {
  readonly key: string
  readonly field: string | undefined
  /** Undefined for a delete. */
  readonly content: Uint8Array | undefined
}

/** Who is told of what happens to the entries. */
export interface EntriesListener {
  /** Whether anybody wants to hear of it at all. */
  readonly wanted: boolean
  /** Something has changed; called at once, before anything is read that shows it. */
  applied(change: EncodedChange<unknown>): void
  /** The same, once the step that brought it is over. */
  changed(change: EncodedChange<unknown>): void
  discarded(discarded: DiscardedContent): void
}

/** A change of an entry that nobody has been told of yet. */
interface Arrived {
  readonly key: string
  readonly before: Uint8Array | undefined
  /** What is there now; looked up later where an entry is several rows. */
  readonly after?: Uint8Array | undefined
  readonly lingers?: boolean
  /** This peer's own write, which has passed the schema. */
  readonly own: boolean
}

/**
 * The entries of a map as a reader may see them: none that has expired, and none that does not fit the schema. Changes
 * are told of once the step that brought them is over.
 */
export class MapEntries {
  readonly layout: Layout
  readonly schema: ValueSchema | undefined
  readonly order: CallOrder
  readonly #writes: WritePath
  readonly #partition: Partition
  readonly #listener: EntriesListener
  readonly #wallMs: WallClock
  /** Entries that are there and do not fit the schema. */
  readonly #hidden = new Set<string>()
  /** Entries that have been told of as gone before they were swept. */
  readonly #toldGone = new Set<string>()
  readonly #gathering = new Set<string>()
  #arrived: Arrived[] = []
  #toTell: (() => void)[] = []
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

  /** Entries that a reader may see. */
  get size(): number {
    this.#writes.pump.sweep()
    this.#settle()
    return this.layout.count - this.#hidden.size
  }

  /** Entries that are kept and do not fit the schema. */
  get hiddenCount(): number {
    this.#writes.pump.sweep()
    this.#settle()
    return this.#hidden.size
  }

  content(key: string): Uint8Array | undefined {
    this.#settle()
    return this.#hidden.has(key) ? undefined : this.layout.content(key, this.#wallMs)
  }

  has(key: string): boolean {
    return this.expiresAtMs(key) > 0
  }

  /** Wall milliseconds; Infinity for an entry that stays, 0 for none. */
  expiresAtMs(key: string): number {
    this.#settle()
    return this.#hidden.has(key) ? 0 : this.layout.expiresAtMs(key, this.#wallMs)
  }

  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string {
    this.layout.checkKey(key)
  }

  /** Keys of the entries that are there at the first step; with `gone`, also of those that are gone by then. */
  *keys(gone: boolean = false): Generator<string, void, undefined> {
    this.#settle()
    for (const key of this.layout.keys(this.#wallMs, gone)) if (gone || !this.#hidden.has(key)) yield key
  }

  /** The value as it would be stored. Throws `SCHEMA`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `INVALID_OPTION`. */
  encode(value: unknown): Uint8Array {
    return this.layout.encode(this.schema === undefined ? value : this.schema.accepted(value))
  }

  /** Writes rows of this map whose values have been encoded here. Throws `BATCH_TOO_LARGE`; rejects as `WritePath.write` does. */
  write(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    const only = rows.length === 1 ? rows[0] : undefined
    if (only === undefined) {
      return this.#writes.writeAll(this.checked(rows), options)
    }
    return this.#writes.write(only.partition, only.key, only.bytes, options)
  }

  /** Rows that are written in one piece. Throws `BATCH_TOO_LARGE` for an object of very many fields. */
  checked(rows: readonly RowWrite[]): readonly RowWrite[] {
    if (rows.length !== 1) checkBatch(rows)
    return rows
  }

  /** Deletes an entry, or says that it is to be none where it is still to be written by a call of before. */
  deletes(key: string): RowWrite[] {
    const rows = this.layout.rows(key, undefined, Infinity)
    return rows.length > 0 ? rows : [{ partition: this.#partition, key, bytes: undefined }]
  }

  /** Core is asked to tell of changes only while somebody wants to know. */
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
    if (!this.#listener.wanted && this.schema === undefined) return
    const { replica } = this.#partition
    const { key } = layout.place(replica.table.key(slot))
    const own = this.#writes.underWay
    if (layout.gathers) {
      if (this.#gathering.has(key)) return
      this.#gathering.add(key)
      this.#arrived.push({ key, before: layout.before(slot, previous), own })
    } else {
      const after = visibleIn(replica.table.value(slot), this.#wallMs)
      const lingers = after === undefined && !replica.table.deleted(slot)
      this.#arrived.push({ key, before: layout.before(slot, previous), after, lingers, own })
    }
    this.#schedule()
  }

  #discarded({ key: rowKey, value }: Discarded): void {
    if (!this.#listener.wanted) return
    if (value !== undefined && visibleIn(value, this.#wallMs) === undefined) return
    const discarded = { ...this.layout.place(rowKey), content: heldIn(value) }
    this.#toTell.push(() => this.#tellDiscarded(discarded))
    this.#schedule()
  }

  /** Unless what was thrown away is what is there, or nothing that a reader could have seen. */
  #tellDiscarded(discarded: DiscardedContent): void {
    const { key, field, content } = discarded
    const { layout, schema } = this
    if (sameContent(content, layout.fieldContent(key, field, this.#wallMs))) return
    if (content !== undefined) {
      // What was lost of an object is told field by field.
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
      // Each by itself: what they cause may be without end.
      for (const tell of this.#toTell.splice(0)) this.#writes.pump.afterStep(tell)
    })
  }

  /** Finds out what changes mean to readers. Before anybody is told, and before anything is read. */
  #settle(): void {
    if (this.#arrived.length === 0) return
    const arrived = this.#arrived
    this.#arrived = []
    this.#gathering.clear()
    for (const change of arrived) this.#settleOne(change)
  }

  #settleOne({ key, before, own, ...rest }: Arrived): void {
    const { layout, schema } = this
    const after = layout.gathers ? layout.content(key, this.#wallMs) : rest.after
    const known = !this.#hidden.has(key) && !this.#toldGone.has(key)
    const fits = after === undefined || own || schema === undefined || schema.fits(decodeValue(after))
    if (fits) this.#hidden.delete(key)
    else this.#hidden.add(key)
    if (after === undefined && (rest.lingers ?? layout.lingers(key))) this.#toldGone.add(key)
    else this.#toldGone.delete(key)
    const shownBefore = known ? before : undefined
    const shownAfter = fits ? after : undefined
    if (!this.#listener.wanted || (shownBefore ?? shownAfter) === undefined) return
    const change = new EncodedChange(key, shownAfter, shownBefore)
    this.#listener.applied(change)
    this.#toTell.push(() => this.#listener.changed(change))
  }
}
