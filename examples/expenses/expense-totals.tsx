import { count, sum, useLiveQuery } from '@tanstack/react-db'
import { useState } from 'react'
import type { ReactElement } from 'react'
import { euros } from './expenses.ts'
import type { Expenses } from './expenses.ts'

/** Sums by person or by category, which follow every change. */
export function ExpenseTotals({ expenses }: { readonly expenses: Expenses }): ReactElement {
  const [group, setGroup] = useState<'paidBy' | 'category'>('paidBy')
  const { data: totals } = useLiveQuery({
    queryKey: ['totals', group],
    query: (q) =>
      q
        .from({ expense: expenses })
        .groupBy(({ expense }) => expense[group])
        .select(({ expense }) => ({ name: expense[group], cents: sum(expense.cents), count: count(expense.id) })),
  })
  const largest = Math.max(1, ...totals.map(({ cents }) => cents))
  return (
    <section className="card totals" aria-label="Totals">
      <label>
        Totals by{' '}
        <select value={group} onChange={({ target }) => setGroup(target.value as typeof group)}>
          <option value="paidBy">person</option>
          <option value="category">category</option>
        </select>
      </label>
      <ul hidden={totals.length === 0}>
        {totals
          .toSorted((one, other) => other.cents - one.cents)
          .map(({ name, cents, count: expensesCount }) => (
            <li key={name}>
              <span>{name}</span>
              <span className="share" style={{ width: `${(100 * cents) / largest}%` }} aria-hidden="true" />
              <span className="amount">
                {euros(cents)} <small>in {expensesCount}</small>
              </span>
            </li>
          ))}
      </ul>
      {totals.length === 0 && <p className="empty">Nothing yet: add the first expense.</p>}
    </section>
  )
}
