import type { Aggregate, AggregateResult } from '../queries/aggregate.ts'
import type { Query, QueryPlan, QueryResult, Where } from '../queries/query.ts'
import type { Coverage, OwnerReadOptions } from './partition-options.ts'

/** The rows of a query of a partitioned map, or one page of them. */
export interface PartitionQueryResult<Value> extends QueryResult<Value>, Coverage {}

/** The groups of an aggregate of a partitioned map. */
export interface PartitionAggregateResult extends AggregateResult, Coverage {}

/** The number of entries of a partitioned map that match. */
export interface PartitionCount extends Coverage {
  /** How many there are in the partitions that were answered for. */
  readonly count: number
}

/** How one peer answers a query. */
export interface PeerQueryPlan extends Pick<QueryPlan, 'index' | 'ordered' | 'looked'> {
  /** The peer. */
  readonly peerId: string
  /** How many partitions it answered for. */
  readonly partitions: number
}

/** How a query of a partitioned map is answered. */
export interface PartitionQueryPlan extends QueryPlan, Coverage {
  /** How each peer answered that was asked, this one included. */
  readonly peers: readonly PeerQueryPlan[]
}

/** An index of a partitioned map, which its owners keep. From `map.index()`. */
export interface PartitionIndexHandle {
  /** The fields that it is on, in order. */
  readonly names: readonly string[]
  /** Ends it at all owners. Resolves to false if it was dropped before. */
  drop(): Promise<boolean>
}

/** What the queries of a partitioned map do. `PartitionedMap` says what each promises. */
export interface PartitionQueries<Value> {
  query(query: Query<Value>, options: OwnerReadOptions): Promise<PartitionQueryResult<Value>>
  count(where: Where<Value> | undefined, options: OwnerReadOptions): Promise<PartitionCount>
  aggregate(aggregate: Aggregate<Value>, options: OwnerReadOptions): Promise<PartitionAggregateResult>
  explain(query: Query<Value>, options: OwnerReadOptions): Promise<PartitionQueryPlan>
  index(names: unknown, options: OwnerReadOptions): Promise<PartitionIndexHandle>
  indexes(): readonly PartitionIndexHandle[]
}
