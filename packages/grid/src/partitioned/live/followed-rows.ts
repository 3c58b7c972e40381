import { EntryObservers } from '../../indexes/entry-observers.ts'
import type { Content, EntrySource } from '../../indexes/entry-source.ts'
import { LiveRows } from '../../live/live-rows.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import { comparePositions } from '../../queries/row-order.ts'
import type { Position } from '../../queries/row-order.ts'
import { RowTest, followedRowOf } from '../../queries/run-query.ts'
import { OneEntry } from '../../indexes/one-entry.ts'

/** Rows that are kept behind the limit: so many may leave before more are asked for. */
const SPARE_ROWS = 256

/**
 * The first rows of a query of a partitioned map, as its owners tell them: those up to the limit, some behind it, and nothing else.
 * Behind the place `end` there may be rows that are not known here.
 */
export class FollowedRows implements EntrySource {
  /** Undefined: all rows that match are here. */
  end: Position | undefined
  /** An entry was too long to be tested: it is not among the rows, and may match. */
  hasSkipped = false
  /** Of the values of all rows. */
  sizeBytes = 0
  readonly #query: CheckedQuery
  readonly #entry = new OneEntry()
  readonly #test: RowTest
  readonly #rows: LiveRows
  readonly #numbers = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #contents: (Uint8Array | undefined)[] = []
  readonly #free: number[] = []
  readonly #changed = new Set<number>()
  readonly #closed: () => void
  readonly #observers = new EntryObservers()

  /** `closed` is called when nothing observes the rows any more. */
  constructor(query: CheckedQuery, closed: () => void) {
    this.#query = query
    this.#test = new RowTest(this.#entry, query)
    this.#rows = new LiveRows(query.order, [])
    this.#closed = closed
  }

  /** Rows are missing before the limit. */
  get isShort(): boolean {
    return this.end !== undefined && this.#rows.count < this.#query.limit
  }

  /** How many rows to ask for behind `end`. */
  get wanted(): number {
    return this.#query.limit + SPARE_ROWS - this.#rows.count
  }

  get span(): number {
    return this.#keys.length
  }

  key(entry: number): string {
    return this.#keys[entry] ?? ''
  }

  find(key: string): number | undefined {
    return this.#numbers.get(key)
  }

  read(entry: number, into: Content): boolean {
    const bytes = this.#contents[entry]
    if (bytes === undefined) return false
    into.bytes = bytes
    into.start = 0
    into.end = bytes.length
    return true
  }

  isHidden(): boolean {
    return false
  }

  observe(changed: (entry: number) => void): () => void {
    const stop = this.#observers.add(changed)
    return () => {
      stop()
      if (this.#observers.size === 0) this.#closed()
    }
  }

  refresh(): void {
    for (const entry of this.#changed) this.#reportOne(entry)
  }

  /** Tells the observers that something has changed. They take all of it at once, with `refresh`. */
  report(): void {
    for (const entry of this.#changed) {
      this.#reportOne(entry)
      return
    }
  }

  #reportOne(entry: number): void {
    this.#changed.delete(entry)
    this.#observers.report(entry)
  }

  /** Takes an entry as it is now; undefined: it is not there. Returns whether it is one of the rows. */
  put(key: string, content: Uint8Array | undefined): boolean {
    this.remove(key)
    if (content === undefined) return false
    this.#entry.set(key, content)
    const row = followedRowOf(this.#test, 0, () => (this.hasSkipped = true))
    const { order } = this.#query
    if (row === undefined || (this.end !== undefined && comparePositions(order, row, this.end) > 0)) return false
    const entry = this.#free.pop() ?? this.#keys.length
    this.#keys[entry] = key
    this.#contents[entry] = content
    this.sizeBytes += content.length
    this.#numbers.set(key, entry)
    this.#rows.insert({ ...row, entry })
    this.#changed.add(entry)
    return true
  }

  remove(key: string): void {
    const entry = this.#numbers.get(key)
    if (entry !== undefined) this.#remove(entry)
  }

  /** The first rows, so many of them, with their values. */
  first(count: number): (readonly [key: string, content: Uint8Array])[] {
    return this.#rows.between(0, count).map(({ entry, key }) => [key, this.#contents[entry]!])
  }

  /** The keys of the rows for which `isWanted` is true. */
  keysOf(isWanted: (key: string) => boolean): string[] {
    return [...this.#numbers.keys()].filter(isWanted)
  }

  /** Lets rows go that are too far behind the limit. */
  cut(): void {
    const kept = this.#query.limit + SPARE_ROWS
    if (this.#rows.count <= kept + SPARE_ROWS) return
    const rows = this.#rows.between(kept - 1, Infinity)
    this.end = rows[0]
    for (const { entry } of rows.slice(1)) this.#remove(entry)
  }

  #remove(entry: number): void {
    const row = this.#rows.ofEntry(entry)
    if (row !== undefined) this.#rows.remove(row)
    this.#numbers.delete(this.#keys[entry]!)
    this.sizeBytes -= this.#contents[entry]?.length ?? 0
    this.#contents[entry] = undefined
    this.#free.push(entry)
    this.#changed.add(entry)
  }
}
