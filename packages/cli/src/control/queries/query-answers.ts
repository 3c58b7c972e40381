import type { QueryPlan } from 'gossipgrid'

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
}

export type PlanAnswer = QueryPlan

export interface IndexAnswer {
  readonly fields: readonly string[]
  /** Entries in it, and elements of arrays. */
  readonly size: number
}

export interface IndexesAnswer {
  readonly collection: string
  readonly indexes: readonly IndexAnswer[]
}
