import { decodeValue } from '@gossipgrid/core'
import type { Collection, CollectionDescriptor, PartitionName, Row } from '@gossipgrid/core'
import { FieldRows } from '../maps/field-rows.ts'
import type { Layout, WallClock } from '../maps/layout.ts'
import type { ValueSchema } from '../maps/schema.ts'
import { WholeRows } from '../maps/whole-rows.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { EntryRows } from './entry-rows.ts'
import type { OwnerReadOptions, PartitionGetOptions } from './partition-options.ts'
import { Places } from './places.ts'
import { RoutedReads } from './routed-reads.ts'
import type { FoundPage } from './routed-reads.ts'
import type { RoutedPlace, RoutedRow } from './routed-writes.ts'

/** Where an entry is, with the rows of it that a read has found. */
interface FoundPlace extends RoutedPlace {
  readonly replica: { readonly table: EntryRows }
}

/** An entry as its owners have it. */
export interface FoundEntry {
  readonly key: string
  /** What readers see; undefined if there is none. */
  readonly content: Uint8Array | undefined
  /** Wall milliseconds; Infinity if it does not expire, 0 if there is none. */
  readonly expiresAtMs: number
  /** The rows that set the entry to `content`, or delete it. Throws `VALUE_TOO_LARGE`, `INVALID_VALUE`. */
  rows(content: Uint8Array | undefined, expiresAtMs: number): RoutedRow[]
}

export interface RoutedEntriesDeps {
  readonly writes: WritePath
  readonly collection: Collection
  readonly valueSizeMaxBytes: number
  readonly schema: ValueSchema | undefined
}

/**
 * The entries of a partitioned map as readers see them, wherever they are: without those that have expired, and without those
 * that are not valid by the schema. The rows of an entry have the layout of a replicated map.
 */
export class RoutedEntries {
  readonly places: Places
  readonly reads: RoutedReads
  readonly descriptor: CollectionDescriptor
  readonly schema: ValueSchema | undefined
  readonly #valueSizeMaxBytes: number
  readonly #wallMs: WallClock
  /** Of no entry: it checks keys and encodes values. */
  readonly #empty: Layout<FoundPlace>

  constructor({ writes, collection, valueSizeMaxBytes, schema }: RoutedEntriesDeps) {
    this.descriptor = collection.descriptor
    this.places = new Places(collection.descriptor)
    this.reads = new RoutedReads(writes.pump, collection, this.places)
    this.schema = schema
    this.#valueSizeMaxBytes = valueSizeMaxBytes
    this.#wallMs = () => writes.pump.wallMs
    this.#empty = this.#layout(this.places.all[0]!, [])
  }

  /** A write of an entry depends on which rows it has. */
  get readsBeforeWrites(): boolean {
    return this.#empty.gathers
  }

  get wallMs(): number {
    return this.#wallMs()
  }

  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string {
    this.#empty.checkKey(key)
  }

  /** Throws `SCHEMA`, `INVALID_VALUE`, `VALUE_TOO_LARGE`, `INVALID_OPTION`. */
  encode(value: unknown): Uint8Array {
    return this.#empty.encode(this.schema === undefined ? value : this.schema.accepted(value))
  }

  /** These entries, in order; undefined where no owner has answered in time. Rejects as reads do. */
  async find(keys: readonly string[], options: OwnerReadOptions): Promise<(FoundEntry | undefined)[]> {
    const found = await this.reads.keys(keys, options)
    return found.map(({ key, rows }) => (rows === undefined ? undefined : this.entry(key, rows)))
  }

  /** One entry, if an owner has answered in time. Rejects with `OWNERS_UNREACHABLE` otherwise. */
  async get(key: string, options: PartitionGetOptions): Promise<FoundEntry> {
    const entry = options.from === 'all' ? await this.#ofAll(key, options) : (await this.find([key], options))[0]
    if (entry === undefined) throw this.reads.unreachable('the entry', options)
    return entry
  }

  /** The entries of a page that readers see. */
  shown(page: FoundPage): FoundEntry[] {
    return page.keys.map(({ key, rows }) => this.entry(key, rows)).filter(({ content }) => content !== undefined)
  }

  /** An entry of which nothing is known. */
  unknown(key: string): FoundEntry {
    return this.entry(key, [])
  }

  /** The entry that is made of these rows. */
  entry(key: string, found: readonly Readonly<Row>[]): FoundEntry {
    const layout = this.#layout(this.places.of(key), found)
    const stored = layout.content(key, this.#wallMs)
    const isHidden = stored !== undefined && this.schema?.fits(decodeValue(stored)) === false
    return {
      key,
      content: isHidden ? undefined : stored,
      expiresAtMs: isHidden ? 0 : layout.expiresAtMs(key, this.#wallMs),
      rows: (content, expiresAtMs) => layout.rows(key, content, expiresAtMs),
    }
  }

  async #ofAll(key: string, options: OwnerReadOptions): Promise<FoundEntry | undefined> {
    const { rows } = await this.reads.all(key, options)
    return rows === undefined ? undefined : this.entry(key, rows)
  }

  #layout(name: PartitionName, rows: readonly Readonly<Row>[]): Layout<FoundPlace> {
    const place = { name, replica: { table: new EntryRows(rows) } }
    const Rows = this.descriptor.kind === 'fields' ? FieldRows : WholeRows
    return new Rows<FoundPlace>(place, this.#valueSizeMaxBytes)
  }
}
