import {
  COUNTER_DELETE_KEPT_MS,
  OwnShares,
  compositeKey,
  countRows,
  covers,
  decodeValue,
  deleteRowKey,
  deletedRow,
  encodeShare,
  encodeValue,
  hlcFromWall,
  largest,
  sumOf,
} from '@gossipgrid/core'
import type { Collection, CollectionDescriptor, CountRows, Row, Share } from '@gossipgrid/core'
import { addShares } from '../../counters/share.ts'
import { checkKeyedKey } from '../../keyed/keyed-face.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { OwnerReadOptions } from '../partition-options.ts'
import { Places } from '../places.ts'
import type { FoundEntry } from '../routed-entries.ts'
import { RoutedReads } from '../routed-reads.ts'
import type { FoundPage } from '../routed-reads.ts'
import type { RoutedRow } from '../routed-writes.ts'

const SUM_MAX_BYTES = 64

/** The count in the content of an entry. */
export function countOf(content: Uint8Array): bigint {
  return BigInt(decodeValue(content) as number | bigint)
}

/** The counters under the keys of a collection, as readers see them, wherever they are. What this peer has counted itself is exact. */
export class CountEntries {
  readonly places: Places
  readonly reads: RoutedReads
  readonly descriptor: CollectionDescriptor
  /** A delete depends on what was counted. */
  readonly readsBeforeWrites = true
  readonly #writes: WritePath
  readonly #shares: OwnShares

  constructor(writes: WritePath, collection: Collection) {
    this.descriptor = collection.descriptor
    this.places = new Places(collection.descriptor)
    this.reads = new RoutedReads(writes.pump, collection, this.places)
    this.#writes = writes
    const draw = (): string => Array.from(crypto.getRandomValues(new Uint8Array(8)), hexOf).join('')
    this.#shares = new OwnShares(writes.pump.peer.slotId, draw)
  }

  /** Throws `INVALID_KEY`. */
  checkKey(key: unknown): asserts key is string {
    checkKeyedKey(key)
  }

  /** These counters, in order; undefined where no owner has answered in time. Rejects as reads do. */
  async find(keys: readonly string[], options: OwnerReadOptions): Promise<(FoundEntry | undefined)[]> {
    const found = await this.reads.keys(keys, options)
    return found.map(({ key, rows }) => (rows === undefined ? undefined : this.entry(key, rows)))
  }

  /** The counters of a page that are there. */
  shown(page: FoundPage): FoundEntry[] {
    return page.keys.map(({ key, rows }) => this.entry(key, rows)).filter(({ content }) => content !== undefined)
  }

  /** A counter of which only what this peer has counted is known. */
  unknown(key: string): FoundEntry {
    return this.entry(key, [])
  }

  /** The counter that is made of these rows. `rows` of it can only delete. */
  entry(key: string, rows: readonly Readonly<Row>[]): FoundEntry {
    const counted = this.#withOwn(key, countRows(rows))
    const sum = sumOf(counted)
    return {
      key,
      content: sum === undefined ? undefined : encodeValue(sum, SUM_MAX_BYTES),
      expiresAtMs: sum === undefined ? 0 : Infinity,
      rows: () => [...this.#deletes(key, counted), ...this.#idle(key, counted, rows)],
    }
  }

  /** The row that counts so much more under a key, and what to call once it is written. Throws `COUNTER_RANGE`. */
  count(key: string, more: Share): { readonly row: RoutedRow; readonly written: () => void } {
    const { slot, share } = this.#shares.of(key, this.#nowMs)
    const next = addShares(share, more, key)
    const row = { partition: { name: this.places.of(key) }, key: compositeKey(key, slot), bytes: encodeShare(next) }
    return { row, written: () => this.#shares.counted(key, { slot, share: next }, this.#nowMs) }
  }

  get #nowMs(): number {
    return this.#writes.pump.now().monotonicMs
  }

  /** An owner may not have the last counts of this peer yet. */
  #withOwn(key: string, { counts, seen }: CountRows): CountRows {
    const own = this.#shares.known(key, this.#nowMs)
    if (own === undefined) return { counts, seen }
    const rowKey = compositeKey(key, own.slot)
    const found = counts.find((count) => count.rowKey === rowKey)
    const exact = { rowKey, slot: own.slot, hlc: found?.hlc, share: largest(found?.share, own.share) }
    return { counts: [...counts.filter((count) => count !== found), exact], seen }
  }

  /** The rows that say how much of each slot was seen, and remove it. */
  #deletes(key: string, { counts, seen }: CountRows): RoutedRow[] {
    const partition = { name: this.places.of(key) }
    return counts.flatMap(({ hlc, rowKey, share }): RoutedRow[] => {
      const removed = hlc === undefined ? [] : [{ partition, key: rowKey, bytes: undefined, dateHlc: hlc }]
      if (covers(seen.get(rowKey), share) || (share.up === 0 && share.down === 0)) return removed
      const bytes = encodeShare(this.#shares.deleted(rowKey, share))
      return [{ partition, key: deleteRowKey(rowKey, this.#shares.deleter), bytes }, ...removed]
    })
  }

  /** The rows that remove deletes of long ago, of slots that are not there any more. */
  #idle(key: string, { counts }: CountRows, rows: readonly Readonly<Row>[]): RoutedRow[] {
    const partition = { name: this.places.of(key) }
    const there = new Set(counts.map(({ rowKey }) => rowKey))
    const before = hlcFromWall(this.#writes.pump.wallMs - COUNTER_DELETE_KEPT_MS)
    return rows.flatMap(({ bytes, hlc, key: rowKey }): RoutedRow[] => {
      const of = deletedRow(rowKey)
      const isIdle = of !== undefined && bytes !== undefined && hlc < before && !there.has(of)
      return isIdle ? [{ partition, key: rowKey, bytes: undefined, dateHlc: hlc }] : []
    })
  }
}

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
