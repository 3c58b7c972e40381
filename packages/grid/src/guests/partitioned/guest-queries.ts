import { decodeValue } from '@gossipgrid/core'
import type { Coverage } from '../../partitioned/changes/partition-changes.ts'
import type {
  OwnerReadOptions,
  PartitionAggregateResult,
  PartitionCount,
  PartitionIndexHandle,
  PartitionQueries,
  PartitionQueryPlan,
  PartitionQueryResult,
} from '../../partitioned/partition-options.ts'
import { checkAggregate } from '../../queries/aggregate.ts'
import type { Aggregate } from '../../queries/aggregate.ts'
import { checkCounted, checkQuery } from '../../queries/check-query.ts'
import type { QueryRow, Where } from '../../queries/query.ts'
import type { GuestMap } from './guest-map.ts'
import { forMembers } from './guest-map.ts'

/** The queries of a partitioned map at a guest. A member runs them on the entries that the pass covers, and on no others. */
export class GuestQueries<Value> implements PartitionQueries<Value> {
  readonly #map: GuestMap<Value>

  constructor(map: GuestMap<Value>) {
    this.#map = map
  }

  async query<Shown>(query: unknown, options: OwnerReadOptions): Promise<PartitionQueryResult<Shown>> {
    const { limit } = checkQuery(query)
    this.#map.checkRange('')
    const rows: QueryRow<Shown>[] = []
    const unanswered = new Set<number>()
    let next: string | undefined
    do {
      const after = next === undefined ? {} : { after: next }
      const asked = { ...(query as object), ...after, limit: limit - rows.length }
      const page = (await this.#map.ask({ op: 'query', asked }, options)) as Coverage & {
        readonly rows: readonly (readonly [string, Uint8Array])[]
        readonly next?: string
      }
      for (const partition of page.unanswered) unanswered.add(partition)
      for (const [key, bytes] of page.rows) rows.push({ key, value: decodeValue(bytes) as Shown })
      next = page.next
    } while (next !== undefined && rows.length < limit)
    return { rows, next, complete: unanswered.size === 0, unanswered: [...unanswered] }
  }

  async count(where: Where<Value> | undefined, options: OwnerReadOptions): Promise<PartitionCount> {
    checkCounted(where)
    const { rows, ...coverage } = await this.aggregate({ where, count: true }, options)
    return { count: rows[0]!.count!, ...coverage }
  }

  async aggregate(aggregate: Aggregate<Value>, options: OwnerReadOptions): Promise<PartitionAggregateResult> {
    checkAggregate(aggregate)
    this.#map.checkRange('')
    return (await this.#map.ask({ op: 'groups', asked: { ...aggregate } }, options)) as PartitionAggregateResult
  }

  async explain(): Promise<PartitionQueryPlan> {
    throw forMembers('explains queries of partitioned maps')
  }

  async index(): Promise<PartitionIndexHandle> {
    throw forMembers('makes indexes of partitioned maps')
  }

  indexes(): readonly PartitionIndexHandle[] {
    throw forMembers('lists indexes of partitioned maps')
  }
}
