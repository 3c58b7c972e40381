import type { PartitionQueryPlan, QueryPlan } from 'gossipgrid'

/** Rows that a peer sends at once. A longer result is asked for page by page. */
export const PAGE_ROWS_MAX = 1000

/** One page of a query. */
export interface QueryAnswer {
  /** Keys and tagged values. */
  readonly rows: readonly (readonly [key: string, value: unknown])[]
  readonly complete: boolean
  readonly next?: string
}

export interface CountAnswer {
  readonly count: number
  /** False if a part of the map did not answer. */
  readonly complete?: boolean
}

/** Of a partitioned map with what each peer did. */
export type PlanAnswer = QueryPlan & Partial<Pick<PartitionQueryPlan, 'complete' | 'peers'>>

export interface IndexAnswer {
  readonly fields: readonly string[]
  /** Entries in it, and elements of arrays. Left out of a partitioned map, of which each owner indexes what it has. */
  readonly size?: number
}

export interface IndexesAnswer {
  readonly collection: string
  readonly indexes: readonly IndexAnswer[]
}
