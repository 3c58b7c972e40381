import { BasicIndex, createCollection } from '@tanstack/react-db'
import type { Collection } from '@tanstack/react-db'
import type { Grid } from 'gossipgrid'
import { gridCollectionOptions } from '@gossipgrid/tanstack-db'
import type { GridCollectionUtils } from '@gossipgrid/tanstack-db'

export const CATEGORIES = ['Food', 'Travel', 'Rooms', 'Fun'] as const

/** What somebody has paid for all. The key of its entry is its id. */
export interface Expense {
  readonly what: string
  readonly cents: number
  readonly category: string
  readonly paidBy: string
  readonly addedAtMs: number
  settled: boolean
}

export type ExpenseRow = Expense & { id: string }
export type Expenses = Collection<ExpenseRow, string, GridCollectionUtils<Expense>, never, ExpenseRow>

/** The expenses of a grid. Field by field: two people may edit one at the same time. */
export function expensesOf(grid: Grid): Expenses {
  const map = grid.map<Expense>('expenses', { merge: 'fields' })
  return createCollection(
    gridCollectionOptions({ map, keyField: 'id', autoIndex: 'eager', defaultIndexType: BasicIndex }),
  )
}

/** An amount as people read it. */
export function euros(cents: number): string {
  return (cents / 100).toLocaleString('en', { style: 'currency', currency: 'EUR' })
}
