import type { PartitionName } from '@gossipgrid/core'
import { GridError, READ_TIMEOUT_MS } from '@gossipgrid/core'
import { TimeSlices } from '../../flow/time-slices.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { EntryEnds } from '../changes/entry-ends.ts'
import { FollowedPartitions } from '../changes/followed-partitions.ts'
import type { ArrivedChanges } from '../changes/followed-partitions.ts'
import type { OwnerReadOptions } from '../partition-options.ts'
import type { Part } from '../queries/own-part.ts'
import type { PartAsking } from '../queries/part-asking.ts'
import { rowsQuestion } from '../queries/part-question.ts'
import { PartRows } from '../queries/part-rows.ts'
import type { PartPage } from '../queries/part-rows.ts'
import { commonStart } from '../places.ts'
import type { RoutedEntries } from '../routed-entries.ts'
import { FollowedRows } from './followed-rows.ts'

/** How long it waits before it asks again for rows that no peer gave. */
const RETRY_MS = 1000

export interface FollowedQueryDeps {
  readonly pump: Pump
  readonly entries: RoutedEntries
  readonly asking: PartAsking
  /** It begins with no more rows once their values take so many bytes. Default: all rows up to the limit. */
  readonly sizeMaxBytes?: number
}

/**
 * Keeps the first rows of a query of a partitioned map current. Owners are asked for the rows, and say with each answer where the
 * changes of their partitions stand: from there on the changes are followed. When rows leave before the limit, owners are asked for the next
 * ones. Another owner may answer then, which lacks some of what was seen. So the changes are followed from the earlier place of both again: what
 * an older answer has overwritten comes again.
 */
export class FollowedQuery {
  readonly rows: FollowedRows
  readonly #deps: FollowedQueryDeps
  readonly #query: CheckedQuery
  readonly #names: readonly PartitionName[]
  readonly #places: ReadonlyMap<PartitionName, number>
  readonly #ends: EntryEnds
  /** By place: rows of a partition that is fetched again, of which nothing has come yet. */
  readonly #stale = new Map<number, Set<string>>()
  #followed: FollowedPartitions | undefined
  #extending: Promise<void> | undefined
  #wake: () => void = () => undefined
  #isStopped = false
  #wasComplete = false
  #changed: () => void = () => undefined

  constructor(deps: FollowedQueryDeps, query: CheckedQuery) {
    this.#deps = deps
    this.#query = query
    const { places } = deps.entries
    const { within } = query
    this.#names = within === undefined ? places.all : places.withPrefixes(within)
    this.#places = new Map(this.#names.map((name, place) => [name, place]))
    this.rows = new FollowedRows(query, () => this.stop())
    this.#ends = new EntryEnds(
      () => deps.pump.wallMs,
      () => this.#followed?.wake(),
    )
  }

  /** How many partitions it follows. */
  get partitionCount(): number {
    return this.#names.length
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** All partitions have answered, and no row is missing before the limit. */
  get complete(): boolean {
    return this.#followed?.unanswered.size === 0 && !this.rows.isShort && !this.rows.hasSkipped
  }

  /** Calls `changed` when `complete` has changed. */
  onComplete(changed: () => void): void {
    this.#changed = changed
    this.#wasComplete = this.complete
  }

  /** Resolves when there are the first rows, of what was answered for in time. Rejects as a query does. */
  async begin(options: OwnerReadOptions): Promise<void> {
    const { sizeMaxBytes = Infinity } = this.#deps
    const endMs = performance.now() + (options.timeoutMs ?? READ_TIMEOUT_MS)
    let leftMs = endMs - performance.now()
    do {
      if (!(await this.#extend({ ...options, timeoutMs: Math.max(1, leftMs) }))) break
      leftMs = endMs - performance.now()
    } while (this.rows.isShort && this.rows.sizeBytes <= sizeMaxBytes && leftMs > 0)
    void this.#run()
  }

  /** Follows no more. */
  stop(): void {
    this.#isStopped = true
    this.#followed?.stop()
    this.#ends.stop()
    this.#wake()
  }

  async #run(): Promise<void> {
    try {
      const followed = await this.#begun()
      for (;;) {
        for (const [key] of this.#ends.take()) this.rows.remove(key)
        this.#settle()
        const arrived = await followed?.next()
        if (arrived === undefined || followed === undefined) return
        if (arrived === 'woken') continue
        await this.#takeChanges(arrived)
        followed.done(arrived)
      }
    } catch (error) {
      // The map was dropped, and its rows with it; or the grid has closed, and the rows stay.
      if (!(error instanceof GridError)) throw error
      if (this.#deps.pump.closed) return
      for (const key of this.rows.keysOf(() => true)) this.rows.remove(key)
      this.#report()
    } finally {
      this.stop()
    }
  }

  /** Asks until somebody has answered. Undefined if it is stopped before. */
  async #begun(): Promise<FollowedPartitions | undefined> {
    while (this.#followed === undefined && !this.#isStopped) {
      await this.#pause()
      this.#deps.entries.reads.check()
      if (!this.#isStopped) await this.#tryToExtend()
    }
    return this.#followed
  }

  async #takeChanges({ isFirst, keys, more, place, reset }: ArrivedChanges): Promise<void> {
    const slices = this.#slices()
    slices.begin()
    if (reset) for (const key of this.#keysOf(place)) this.rows.remove(key)
    const stale = this.#stale.get(place)
    for (const [step, { key, rows }] of keys.entries()) {
      stale?.delete(key)
      this.#put(key, rows)
      if (slices.isOver(step)) await slices.next()
    }
    if (stale === undefined || !isFirst || more) return
    this.#stale.delete(place)
    for (const key of stale) this.rows.remove(key)
  }

  #put(key: string, rows: Parameters<RoutedEntries['entry']>[1]): void {
    const { content, expiresAtMs } = this.#deps.entries.entry(key, rows)
    const isRow = this.rows.put(key, content)
    this.#ends.set(key, isRow ? expiresAtMs : Infinity)
  }

  /** After changes: the rows are as many as they are to be, or more are asked for. */
  #settle(): void {
    this.rows.cut()
    this.#report()
    if (this.rows.isShort && this.#extending === undefined && !this.#isStopped) this.#extending = this.#extendOn()
  }

  #report(): void {
    this.rows.report()
    const { complete } = this
    if (complete === this.#wasComplete) return
    this.#wasComplete = complete
    this.#changed()
  }

  async #extendOn(): Promise<void> {
    if (!(await this.#tryToExtend())) await this.#pause()
    this.#extending = undefined
    this.#settle()
  }

  async #tryToExtend(): Promise<boolean> {
    try {
      return await this.#extend({})
    } catch (error) {
      // Too costly for an owner now. The rows stay as they are, and are not complete.
      if (!(error instanceof GridError)) throw error
      return false
    }
  }

  /** Asks for the rows behind the last one. False if no peer answered. */
  async #extend(options: OwnerReadOptions): Promise<boolean> {
    const { asking, entries } = this.#deps
    const { places, reads } = entries
    reads.check()
    const query = { ...this.#query, after: this.rows.end, limit: this.rows.wanted }
    const question = { type: 'rows', query, cursors: true, fields: undefined } as const
    const bytes = rowsQuestion(question)
    const bounds = (): { slices: TimeSlices } => ({ slices: this.#slices() })
    const { parts } = await asking.ask(this.#names, { places, reads, question, bytes, bounds }, options)
    if (parts.length === 0 || this.#isStopped) return false
    const rows = new PartRows(query, (key, rowsOfKey) => entries.entry(key, rowsOfKey))
    const page = await rows.page(parts, [], this.#slices())
    // So many rows have come meanwhile that those behind the limit were let go.
    if (this.rows.end === query.after) await this.#take(page, parts)
    return true
  }

  /** Takes rows, and then goes back in the changes of partitions of which they may be an older state. */
  async #take({ rows, end }: PartPage, parts: readonly Part[]): Promise<void> {
    const slices = this.#slices()
    slices.begin()
    this.rows.end = end
    for (const [step, { from }] of rows.entries()) {
      this.#put(from.key, from.rows)
      if (slices.isOver(step)) await slices.next()
    }
    const cursors = new Map<number, Uint8Array>()
    for (const part of parts) for (const [name, cursor] of part.cursors) cursors.set(this.#places.get(name)!, cursor)
    if (this.#followed === undefined) this.#follow(cursors)
    else this.#goBack(this.#followed, cursors)
  }

  #follow(since: ReadonlyMap<number, Uint8Array>): void {
    const { entries, pump } = this.#deps
    this.#followed = new FollowedPartitions({
      pump,
      check: () => entries.reads.check(),
      names: this.#names,
      prefix: commonStart(this.#query.within ?? ['']),
      exact: false,
      initial: true,
      since,
      signal: undefined,
    })
    if (this.#isStopped) this.#followed.stop()
  }

  #goBack(followed: FollowedPartitions, cursors: ReadonlyMap<number, Uint8Array>): void {
    for (const place of this.#names.keys()) {
      const cursor = cursors.get(place)
      if (cursor !== undefined && followed.goBack(place, cursor)) continue
      // It has not answered: it may have rows of which nothing was heard.
      this.#stale.set(place, new Set(this.#keysOf(place)))
      followed.restart(place)
    }
  }

  #keysOf(place: number): string[] {
    const name = this.#names[place]
    return this.rows.keysOf((key) => this.#deps.entries.places.of(key) === name)
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, RETRY_MS)
    this.#wake = resolve
    await promise
    clearTimeout(timer)
  }

  #slices(): TimeSlices {
    return new TimeSlices(() => this.#deps.pump.checkOpen())
  }
}
