import { useState } from 'react'
import type { ReactElement } from 'react'
import { ExpenseFilter, NO_FILTER } from './expense-filter.tsx'
import { ExpenseForm } from './expense-form.tsx'
import { ExpenseTable } from './expense-table.tsx'
import { ExpenseTotals } from './expense-totals.tsx'
import type { Expenses } from './expenses.ts'

/** All of the page below its header. */
export function ExpensesPage({ expenses }: { readonly expenses: Expenses }): ReactElement {
  const [filter, setFilter] = useState(NO_FILTER)
  return (
    <>
      <ExpenseForm expenses={expenses} />
      <ExpenseTotals expenses={expenses} />
      <section className="card" aria-label="All expenses">
        <ExpenseFilter filter={filter} onChange={setFilter} />
        <ExpenseTable expenses={expenses} filter={filter} />
      </section>
    </>
  )
}
