import { decodeValue } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { checkSource } from '../bulk/bulk-source.ts'
import type { ChangeFeed } from '../changes/change-feed.ts'
import { afterToken } from '../reads/after-token.ts'
import type { ReadOptions } from '../reads/after-token.ts'
import type { AggregateResult, TextAggregate } from '../queries/aggregate.ts'
import type { IndexHandle, MapQueries, TextIndexHandle } from '../queries/map-queries.ts'
import type { FieldName, Query, QueryPlan, QueryResult, RowValue } from '../queries/query.ts'
import type { TextIndexOptions, TextQuery, TextWhere } from '../queries/query.ts'
import type { LiveQuery } from '../live/live-query.ts'
import type { Logger } from '../logger.ts'
import { walkKeys } from '../reads/walk.ts'
import type { EntriesOptions } from '../reads/walk.ts'
import type { WatchOptions, Watched } from '../reads/watch.ts'
import type { WritePath } from '../runtime/write-path.ts'
import { EncodedChange } from './map-change.ts'
import type { Change } from './map-change.ts'
import type { MapEntries } from './map-entries.ts'
import { checkPrefix } from './map-options.ts'
import type { PrefixOption } from './map-options.ts'
import { Snapshots, byKey } from './snapshots.ts'
import type { Snapshot } from './snapshots.ts'

/** The reads of a map. */
export abstract class MapReads<Value> {
  protected abstract readonly writes: WritePath
  protected abstract readonly stored: MapEntries
  protected abstract readonly partition: Partition
  protected abstract readonly logger: Logger
  protected abstract readonly feed: ChangeFeed<Change<Value>>
  protected readonly snapshots: Snapshots<Value> = new Snapshots<Value>({
    keys: (prefix) => this.#keys(prefix),
    value: (key) => decoded(this.stored.content(key)),
    used: () => this.stored.observe(),
  })

  #opened: MapQueries | undefined

  /** Number of entries at this peer. */
  get size(): number {
    return this.stored.size
  }

  /**
   * The value of `key`, wherever it is stored. Undefined if there is none. With `after`, as of a write of another peer: see
   * `Grid.reached`. Rejects with `INVALID_KEY`, `INVALID_OPTION`, `CLOSED`, and as `reached` does.
   */
  async get(key: string, options?: ReadOptions): Promise<Value | undefined> {
    if (options !== undefined) await afterToken(this.writes.pump, options)
    return this.peek(key)
  }

  /** The value of `key` at this peer, synchronously. Throws `INVALID_KEY`, `CLOSED`. */
  peek(key: string): Value | undefined {
    this.#checkKey(key)
    return decoded(this.stored.content(key))
  }

  /** The entries at this peer, synchronously, in a new array, sorted by key. Throws `INVALID_OPTION`, `CLOSED`. */
  peekEntries(options: PrefixOption = {}): [string, Value][] {
    const prefix = checkPrefix(options)
    this.writes.pump.checkOpen()
    return this.#keys(prefix)
      .flatMap((key): [string, Value][] => {
        const value = decoded<Value>(this.stored.content(key))
        return value === undefined ? [] : [[key, value]]
      })
      .sort(byKey)
  }

  /**
   * The entries at this peer, synchronously, sorted by key, in a frozen array that is the same one until something in it
   * changes. Of the next array, entries that did not change are the same ones as before. For user interfaces: it is what
   * React's `useSyncExternalStore` asks for. Once the grid is closed, it is the last one. Throws `INVALID_OPTION`, `CLOSED`.
   *
   * @example
   * ```ts
   * const shown = users.snapshot({ prefix: 'a' })
   * console.log(shown === users.snapshot({ prefix: 'a' })) // true
   * ```
   */
  snapshot(options: PrefixOption = {}): Snapshot<Value> {
    const prefix = checkPrefix(options)
    const { pump } = this.writes
    const last = pump.closed ? this.snapshots.known(prefix) : undefined
    if (last !== undefined) return last
    pump.checkOpen()
    this.stored.refresh()
    return this.snapshots.of(prefix)
  }

  /** Whether there is a value. Rejects as `get` does. */
  async has(key: string, options?: ReadOptions): Promise<boolean> {
    if (options !== undefined) await afterToken(this.writes.pump, options)
    return this.hasEntry(key)
  }

  /** When the entry of `key` at this peer expires. Undefined for never, and if there is no entry. */
  expiresAt(key: string): Date | undefined {
    this.#checkKey(key)
    const atMs = this.stored.expiresAtMs(key)
    return atMs === 0 || atMs === Infinity ? undefined : new Date(atMs)
  }

  /** The values of several keys. Keys without a value are left out. Rejects as `get` does. */
  async getMany(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, Value>> {
    checkSource(keys, 'keys')
    if (options !== undefined) await afterToken(this.writes.pump, options)
    const values = new Map<string, Value>()
    for (const key of keys) {
      const value = this.peek(key)
      if (value !== undefined) values.set(key, value)
    }
    return values
  }

  /**
   * The keys that exist when the iteration starts, in no particular order unless `orderBy` asks for one. Keys that are deleted before the iteration
   * reaches them are skipped, and keys that are added meanwhile are not included. Throws `ABORTED` when its signal is aborted
   * and `CLOSED` when the grid closes; with `after`, the first step throws as `Grid.reached` does.
   *
   * @example
   * ```ts
   * for await (const [key, user] of users.entries({ orderBy: 'key', afterKey: 'ada' })) console.log(key, user.age)
   * ```
   */
  keys(options: EntriesOptions = {}): AsyncGenerator<string, void, undefined> {
    return walkKeys(
      this.writes.pump,
      options,
      () => this.stored.keys(),
      (key) => (options.orderBy === undefined || this.stored.has(key) ? key : undefined),
    )
  }

  /** As `keys`, with the value of each key when the iteration reaches it. */
  entries(options: EntriesOptions = {}): AsyncGenerator<[string, Value], void, undefined> {
    return walkKeys(
      this.writes.pump,
      options,
      () => this.stored.keys(),
      (key): [string, Value] | undefined => {
        const content = this.stored.content(key)
        return content === undefined ? undefined : [key, decodeValue(content) as Value]
      },
    )
  }

  /**
   * The changes of the map, to be resumed after an interruption: each has a `cursor`, which a later call takes as `since`, also at
   * another peer or after a restart. Without `since` the current entries come first, as `set` changes. With it come the entries that
   * have changed since, each once and as it is now, and then all changes; `previous` is undefined in the former. A change can come
   * twice. Ends as `changes` does. The first step throws `CURSOR_EXPIRED` if deletes since the cursor are purged or the map was dropped
   * since, `INVALID_TOKEN` for what is no cursor of this map, `TOKEN_TIMEOUT` if this peer does not get what the cursor has seen, and
   * `INVALID_OPTION`. A later step throws `CURSOR_EXPIRED` if the map is dropped while this reader lags.
   *
   * @example
   * ```ts
   * let since: string | undefined // as it was saved
   * for await (const { key, value, cursor } of users.watch({ since })) {
   *   console.log(key, value)
   *   since = cursor ?? since // save it
   * }
   * ```
   */
  async *watch(options: WatchOptions = {}): AsyncGenerator<Change<Value> & Watched, void, undefined> {
    const { watch } = await import('../reads/watch.ts')
    const { stored } = this
    yield* watch<Change<Value>>(
      {
        pump: this.writes.pump,
        partition: this.partition,
        changes: ({ prefix, ...feed }) => this.feed.changes(feed, { wants: (key) => key.startsWith(prefix) }),
        change: (key, gone) => {
          const content = stored.content(key)
          if (content === undefined && !gone) return undefined
          return new EncodedChange<Value>(key, content, undefined, stored.origin(key)).read()
        },
        keyOf: (rowKey) => stored.layout.place(rowKey).key,
        keys: () => stored.keys(),
        refresh: () => stored.refresh(),
      },
      options,
    )
  }

  /**
   * The entries that match, in order: all of them, or a page with `limit` and a `next` for the page after it. They are those of one
   * moment. The query is plain data; the language is that of MongoDB, with `$eq $ne $gt $gte $lt $lte $in $nin $and $or $not $exists
   * $elemMatch $startsWith`, and `$text` for words: see `textIndex`. An index makes it fast: see `index`. Rejects with `INVALID_QUERY`, which names the place of the fault,
   * and with `CLOSED`.
   *
   * @example
   * ```ts
   * const { rows } = await users.query({ where: { age: { $gte: 30 } }, orderBy: '-age', limit: 20 })
   * for (const { key, value } of rows) console.log(key, value.age)
   * ```
   */
  async query<Names extends FieldName<Value> = never>(
    query: TextQuery<Value, Names> = {},
  ): Promise<QueryResult<RowValue<Value, Names>>> {
    return (await this.#queries()).query<RowValue<Value, Names>>(query)
  }

  /** The number of entries that match, each as it is when it is counted. Rejects as `query` does. */
  async count(where?: TextWhere<Value>): Promise<number> {
    return (await this.#queries()).count(where)
  }

  /**
   * Counts, sums, least and largest values and means of the entries that match, for each group. Rejects as `query` does, and with
   * `QUERY_TOO_LARGE` for more than 10,000 groups.
   *
   * @example
   * ```ts
   * const { rows } = await users.aggregate({ where: { age: { $lt: 65 } }, count: true, avg: 'age' })
   * console.log(rows[0]?.count, rows[0]?.avg)
   * ```
   */
  async aggregate(aggregate: TextAggregate<Value>): Promise<AggregateResult> {
    return (await this.#queries()).aggregate(aggregate)
  }

  /** Runs a query, and says how: the index that it used, how many entries it looked at, how many rows it gave. Rejects as `query`. */
  async explain(query: TextQuery<Value> = {}): Promise<QueryPlan> {
    return (await this.#queries()).explain(query)
  }

  /**
   * Keeps the entries in the order of a field, or of several ones, at this peer, until it closes: queries find and sort by it. Resolves
   * when all entries are in it. Other peers know nothing of it, and it is not stored: open it again after each opening. A map has at
   * most 32. Rejects with `INVALID_QUERY`, `INVALID_OPTION`, `CLOSED`.
   *
   * @example
   * ```ts
   * await users.index('age')
   * console.log((await users.explain({ where: { age: 36 } })).index) // ['age']
   * ```
   */
  async index(fields: FieldName<Value> | readonly FieldName<Value>[]): Promise<IndexHandle> {
    return (await this.#queries()).index(fields)
  }

  /**
   * Keeps the words of some fields at this peer, until it closes: `where: { $text: 'words' }` finds the entries that have one of them. It
   * is kept by MiniSearch, whose class you pass: `npm install minisearch`. Words are those of text, and of arrays of text. Resolves when
   * all entries are in it. A map has one text index: with the same fields and options you get the same one. It is not stored and not
   * replicated. Rejects with `INVALID_QUERY` for the names of fields, with `INVALID_OPTION`, also if there is another one, and with `CLOSED`.
   *
   * @example
   * ```ts
   * import { openGrid } from 'gossipgrid'
   * import MiniSearch from 'minisearch'
   *
   * const grid = await openGrid({ name: 'library' })
   * const books = grid.map<{ title: string; about: string }>('books')
   * await books.textIndex(['title', 'about'], { engine: MiniSearch, boost: { title: 2 } })
   * console.log((await books.query({ where: { $text: 'white whale' }, limit: 10 })).rows)
   * await grid.close()
   * ```
   */
  async textIndex<Name extends FieldName<Value>>(
    fields: Name | readonly Name[],
    options: TextIndexOptions<Name>,
  ): Promise<TextIndexHandle> {
    return (await this.#queries()).textIndex(fields, options)
  }

  /** The indexes of this peer that are complete. Rejects with `CLOSED`. */
  async indexes(): Promise<readonly IndexHandle[]> {
    return (await this.#queries()).indexes()
  }

  /**
   * A query that is kept current: `rows`, `subscribe` and `getSnapshot` for user interfaces, and a loop over its changes. Resolves with
   * the rows of now; close it when nothing needs it. Without `after`. Rejects as `query` does.
   *
   * @example
   * ```ts
   * const adults = await users.live({ where: { age: { $gte: 18 } }, orderBy: 'age' })
   * const off = adults.subscribe(() => console.log(adults.rows.length))
   * off()
   * adults.close()
   * ```
   */
  async live<Names extends FieldName<Value> = never>(
    query: Omit<Query<Value, Names>, 'after'> = {},
  ): Promise<LiveQuery<RowValue<Value, Names>>> {
    const queries = await this.#queries()
    return (await import('../live/open-live.ts')).openLive<RowValue<Value, Names>>(queries.liveDeps, this.logger, query)
  }

  async #queries(): Promise<MapQueries> {
    this.writes.pump.checkOpen()
    // Importing costs more than a query, also the second time.
    const loaded = this.#opened === undefined ? await import('../queries/map-queries.ts') : undefined
    return (this.#opened ??= new loaded!.MapQueries(this.writes.pump, this.partition, this.stored))
  }

  protected hasEntry(key: string): boolean {
    this.#checkKey(key)
    return this.stored.has(key)
  }

  #keys(prefix: string): string[] {
    return Array.from(this.stored.keys()).filter((key) => key.startsWith(prefix))
  }

  #checkKey(key: string): void {
    this.writes.pump.checkOpen()
    this.stored.layout.checkKey(key)
  }
}

export function decoded<Value>(content: Uint8Array | undefined): Value | undefined {
  return content === undefined ? undefined : (decodeValue(content) as Value)
}
