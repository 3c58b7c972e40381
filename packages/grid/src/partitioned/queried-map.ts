import type { LiveQuery } from '../live/live-query.ts'
import type { Aggregate } from '../queries/aggregate.ts'
import type { FieldName, Query, RowValue, Where } from '../queries/query.ts'
import type {
  OwnerReadOptions,
  PartitionAggregateResult,
  PartitionCount,
  PartitionIndexHandle,
  PartitionQueries,
  PartitionQueryPlan,
  PartitionQueryResult,
} from './partition-options.ts'

/** The queries of a partitioned map. */
export abstract class QueriedMap<Value> {
  /**
   * The entries that match, in order: all of them, or a page with `limit` and a `next` for the page after it, which any peer can
   * give. Each partition is asked of one whole owner. `complete` is false if one was not answered for, and `unanswered` names it: its
   * rows are missing. Own writes count at once. The language is that of `GridMap.query`. Rejects with `INVALID_QUERY`, with
   * `QUERY_TOO_LARGE` if it costs an owner too much (add an index), and as reads do, but not with `OWNERS_UNREACHABLE`.
   *
   * @example
   * ```ts
   * const people = grid.map<{ city: string; age: number }>('people', { mode: 'partitioned' })
   * const { rows, complete } = await people.query({ where: { city: 'Lyon' }, orderBy: '-age', limit: 20 })
   * if (!complete) console.log('some owners are away')
   * for (const { key, value } of rows) console.log(key, value.age)
   * ```
   */
  async query<Names extends FieldName<Value> = never>(
    query: Query<Value, Names> = {},
    options: OwnerReadOptions = {},
  ): Promise<PartitionQueryResult<RowValue<Value, Names>>> {
    return (await this.asking(options)).query<RowValue<Value, Names>>(query, options)
  }

  /** The number of entries that match, as the owners count them: own writes that they have not confirmed do not count. Rejects as `query`. */
  async count(where?: Where<Value>, options: OwnerReadOptions = {}): Promise<PartitionCount> {
    return (await this.asking(options)).count(where, options)
  }

  /**
   * Counts, sums, least and largest values and means of the entries that match, for each group. Owners compute them of what they have,
   * and this peer adds them up. Own writes that the owners have not confirmed do not count. Rejects as `query` does.
   */
  async aggregate(aggregate: Aggregate<Value>, options: OwnerReadOptions = {}): Promise<PartitionAggregateResult> {
    return (await this.asking(options)).aggregate(aggregate, options)
  }

  /** Runs a query, and says how each peer has answered it: by which index, and how many entries it looked at. Rejects as `query`. */
  async explain(query: Query<Value> = {}, options: OwnerReadOptions = {}): Promise<PartitionQueryPlan> {
    return (await this.asking(options)).explain(query, options)
  }

  /**
   * Runs a query and keeps its rows current, from the changes that owners tell. Resolves when the first rows are there, of what was
   * answered for within `timeoutMs`; `complete` turns true when the rest is. It keeps the rows up to the limit and some behind it: when many leave, it
   * asks for the next ones. A write of this peer shows when an owner has it. Close it when nothing needs it. Rejects as `query`.
   *
   * @example
   * ```ts
   * const scores = grid.map<{ points: number }>('scores', { mode: 'partitioned' })
   * const best = await scores.live({ orderBy: '-points', limit: 10 })
   * best.subscribe(() => console.log(best.rows.map(({ key }) => key)))
   * ```
   */
  async live<Names extends FieldName<Value> = never>(
    query: Omit<Query<Value, Names>, 'after'> = {},
    options: OwnerReadOptions = {},
  ): Promise<LiveQuery<RowValue<Value, Names>>> {
    return this.openLive<RowValue<Value, Names>>(query, options)
  }

  /**
   * Has the owners keep their entries in the order of a field, or of several ones: queries find and sort by it. It is for good: owners
   * build it again after each opening, and so does a new owner, until you `drop()` it. Resolves when it is durable here that there is
   * such an index, and this peer has built its own part; other owners do when they hear of it. A map has at most 32. Rejects with
   * `INVALID_QUERY`, `INVALID_OPTION`, `CLOSED`, and with `OWNERS_UNREACHABLE` if this
   * peer hears of no peer that has opened the map.
   *
   * @example
   * ```ts
   * const people = grid.map<{ city: string; age: number }>('people', { mode: 'partitioned' })
   * await people.index(['city', 'age'])
   * ```
   */
  async index(
    fields: FieldName<Value> | readonly FieldName<Value>[],
    options: OwnerReadOptions = {},
  ): Promise<PartitionIndexHandle> {
    return (await this.asking(options)).index(fields, options)
  }

  /** The indexes that its owners keep, as this peer knows them. Rejects with `CLOSED`. */
  async indexes(): Promise<readonly PartitionIndexHandle[]> {
    return (await this.asking({})).indexes()
  }

  protected abstract asking(options: OwnerReadOptions): Promise<PartitionQueries<Value>>
  protected abstract openLive<Shown>(query: unknown, options: OwnerReadOptions): Promise<LiveQuery<Shown>>
}
