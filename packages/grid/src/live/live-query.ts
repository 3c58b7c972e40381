import { decodeValue } from '@gossipgrid/core'
import { ChangeFeed } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import type { UnreadChange } from '../changes/unread-change.ts'
import type { Logger } from '../logger.ts'
import { requireKind } from '../batches/checks.ts'
import { Emitter } from '../changes/emitter.ts'
import type { CheckedQuery } from '../queries/check-query.ts'
import type { QueryRow } from '../queries/query.ts'
import { selected } from '../queries/selection.ts'
import type { Selection } from '../queries/selection.ts'
import { RowTest, followedRowOf, runQuery } from '../queries/run-query.ts'
import type { QueryDeps } from '../queries/run-query.ts'
import type { Pump } from '../runtime/write-path.ts'
import { noContent } from '../indexes/entry-source.ts'
import { frozen } from '../changes/frozen.ts'
import { LiveRows } from './live-rows.ts'
import type { LiveRow } from './live-rows.ts'
import { ShownRows } from './shown-rows.ts'

/** Rows that match and are kept in order, shown or not. */
const MATCHES_MAX = 1_000_000
/** A change of a row takes about so many bytes while it waits, besides the values, which it shares with the rows. */
const CHANGE_BYTES = 128

/** A change of the rows of a live query. */
export interface RowChange<Value> {
  /**
   * `enter` and `leave`: a row is among the rows now, or no longer, also because of the limit. `update`: its value is another one.
   * `move`: and so is its place. `lagged`: this reader was too slow, and `missed` changes were left out: read the rows again.
   */
  readonly type: 'enter' | 'update' | 'leave' | 'move' | 'lagged'
  /** '' if lagged. */
  readonly key: string
  /** The value now. Undefined if it left, and if lagged. */
  readonly value: Value | undefined
  /** The value before. Undefined if it entered, and if lagged. */
  readonly previous: Value | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

export interface LiveQueryDeps extends QueryDeps {
  readonly pump: Pump
  readonly logger: Logger
  /** Whether the source has all that it should have. Default: always. */
  readonly isComplete?: () => boolean
}

/**
 * The rows of a query, kept current from changes: a change costs what it touches, and not the query again. From `map.live()`. Close
 * it when nothing needs it: until then it follows every change of the map. It closes with the grid, and then shows its last rows.
 */
export class LiveQuery<Value> implements AsyncIterable<RowChange<Value>> {
  readonly #deps: LiveQueryDeps
  readonly #limit: number
  readonly #select: Selection | undefined
  readonly #test: RowTest
  readonly #rows: LiveRows
  readonly #changed: Set<number>
  readonly #stop: () => void
  readonly #feed: ChangeFeed<RowChange<Value>>
  readonly #events: Emitter<{ change: undefined }>
  readonly #content = noContent()
  readonly #shown: ShownRows
  #isScheduled = false
  #isComplete = true

  /** Resolves when its first rows are there. @internal */
  static async open<Value>(deps: LiveQueryDeps, query: CheckedQuery): Promise<LiveQuery<Value>> {
    const changed = new Set<number>()
    let schedule = (): void => undefined
    const stop = deps.source.observe((entry) => {
      changed.add(entry)
      schedule()
    })
    try {
      const { rows, next } = await runQuery(deps, { ...query, limit: MATCHES_MAX })
      const opened = new LiveQuery<Value>(deps, query, new LiveRows(query.order, rows), changed, stop)
      opened.#isComplete = next === undefined
      schedule = () => opened.#schedule()
      opened.#flush()
      return opened
    } catch (error) {
      stop()
      throw error
    }
  }

  private constructor(
    deps: LiveQueryDeps,
    query: CheckedQuery,
    rows: LiveRows,
    changed: Set<number>,
    stop: () => void,
  ) {
    this.#deps = deps
    this.#limit = query.limit
    this.#select = query.select
    this.#test = new RowTest(deps.source, query)
    this.#rows = rows
    this.#shown = new ShownRows(query.limit)
    this.#changed = changed
    this.#stop = stop
    this.#events = new Emitter(deps.logger, { change: true })
    this.#feed = new ChangeFeed<RowChange<Value>>({
      logger: deps.logger,
      lagged: (missed) => ({ type: 'lagged', key: '', value: undefined, previous: undefined, missed }),
    })
    for (const row of rows.between(0, this.#limit)) this.#show(row)
    deps.pump.closing.addEventListener('abort', this.close, { once: true })
  }

  /** The rows now, in order: the same frozen array until one of them changes. Rows that did not change are the same objects. */
  get rows(): readonly QueryRow<Value>[] {
    return this.getSnapshot()
  }

  /**
   * False if more than 1,000,000 entries match, of which the first ones are kept, and from when an entry was too long to be tested; of a
   * partitioned map, also as long as a partition has not answered or rows are missing before the limit.
   */
  get complete(): boolean {
    return this.#isComplete && this.#deps.isComplete?.() !== false
  }

  /** The same as `rows`, as a function that can be passed on: for React's `useSyncExternalStore` and what is like it. */
  readonly getSnapshot = (): readonly QueryRow<Value>[] => {
    if (this.#changed.size > 0 && !this.#deps.pump.closed) this.#flush()
    return this.#shown.rows((index) =>
      this.#rows.between(index, this.#limit).map((row) => this.#show(row)),
    ) as readonly QueryRow<Value>[]
  }

  /** Calls `listener` after the rows have changed, or `complete` has. The returned function ends that. Throws `INVALID_OPTION`. */
  readonly subscribe = (listener: () => unknown): (() => void) => {
    requireKind('a listener', listener, 'function')
    return this.#events.on('change', () => listener())
  }

  /** Every change of the rows from now on. Bounded as `map.changes()` is. Throws `INVALID_OPTION`. */
  changes(options: FeedOptions = {}): AsyncIterableIterator<RowChange<Value>> {
    return this.#feed.changes(options)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<RowChange<Value>> {
    return this.changes()
  }

  /** Ends following the map, and all loops over changes. The rows stay as they are. */
  readonly close = (): void => {
    this.#stop()
    this.#changed.clear()
    this.#feed.close()
    this.#deps.pump.closing.removeEventListener('abort', this.close)
  }

  /** Tells listeners that `complete` has changed. @internal */
  announce(): void {
    this.#events.emit('change', undefined)
  }

  get #shownCount(): number {
    return Math.min(this.#limit, this.#rows.count)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#deps.pump.afterStep(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  /** Takes what has changed since the last time. */
  #flush(): void {
    this.#deps.source.refresh()
    if (this.#changed.size === 0) return
    const entries = [...this.#changed]
    this.#changed.clear()
    const shownBefore = this.#shownCount
    let hasChanged = false
    const report = (type: RowChange<Value>['type'], row: LiveRow, previous: LiveRow | undefined): void => {
      hasChanged = true
      this.#report(type, row, previous)
    }
    const tooLong = (): void => {
      hasChanged = true
      this.#isComplete = false
    }
    const inserted: { readonly row: LiveRow; readonly old: LiveRow | undefined; readonly hasMoved: boolean }[] = []
    for (const entry of entries) {
      const old = this.#rows.ofEntry(entry)
      const from = old === undefined ? -1 : this.#rows.remove(old)
      if (from >= 0) this.#shown.removed(from)
      const found = followedRowOf(this.#test, entry, tooLong)
      if (found === undefined) {
        if (old?.shown !== undefined) report('leave', old, old)
        continue
      }
      // Its number was that of another entry, which is gone.
      if (old?.shown !== undefined && old.key !== found.key) report('leave', old, old)
      const { row, index } = this.#rows.insert(found)
      this.#shown.inserted(index, row)
      inserted.push({ row, old: old?.key === row.key ? old : undefined, hasMoved: from !== index })
    }
    this.#cut()
    const shown = this.#shownCount
    // Of the others, only so many can have crossed the limit.
    const reach = entries.length + Math.abs(shown - shownBefore)
    for (const row of this.#rows.between(shown, shown + reach)) {
      if (row.shown !== undefined) report('leave', row, row)
      row.shown = undefined
    }
    for (const { row, old, hasMoved } of inserted) {
      const isShown = this.#rows.indexOf(row) < shown
      if (isShown) this.#show(row)
      if (isShown && old?.shown !== undefined) report(hasMoved ? 'move' : 'update', row, old)
      else if (isShown) report('enter', row, undefined)
      else if (old?.shown !== undefined) report('leave', old, old)
    }
    for (const row of this.#rows.between(Math.max(0, shown - reach), shown)) {
      if (row.shown === undefined) {
        this.#show(row)
        report('enter', row, undefined)
      }
    }
    if (!hasChanged) return
    this.#shown.changed()
    this.#events.emit('change', undefined)
  }

  /** A row as it is shown, frozen. Only what is shown is decoded. */
  #show(row: LiveRow): QueryRow<Value> {
    if (row.shown === undefined) {
      const isThere = this.#deps.source.read(row.entry, this.#content)
      // It has expired since the rows were brought up to date.
      if (!isThere) this.#changed.add(row.entry)
      row.shown = frozen({ key: row.key, value: isThere ? selected(this.#decoded(), this.#select) : undefined })
    }
    return row.shown as QueryRow<Value>
  }

  #decoded(): unknown {
    const { bytes, start, end } = this.#content
    return decodeValue(bytes.subarray(start, end))
  }

  #cut(): void {
    for (const row of this.#rows.between(MATCHES_MAX, Infinity)) {
      this.#shown.removed(this.#rows.remove(row))
      this.#isComplete = false
    }
  }

  #report(type: RowChange<Value>['type'], row: LiveRow, old: LiveRow | undefined): void {
    if (!this.#feed.wanted) return
    const change = {
      ...{ type, key: row.key, missed: 0 },
      value: type === 'leave' ? undefined : (row.shown?.value as Value),
      previous: old?.shown?.value as Value | undefined,
    }
    const unread: UnreadChange<RowChange<Value>> = {
      key: row.key,
      sizeBytes: CHANGE_BYTES + 2 * row.key.length,
      kept: () => unread,
      read: () => change,
    }
    this.#feed.push(unread)
  }
}
