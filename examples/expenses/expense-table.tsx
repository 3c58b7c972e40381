import { eq, ilike, useLiveQuery } from '@tanstack/react-db'
import type { ReactElement } from 'react'
import type { Filter } from './expense-filter.tsx'
import { euros } from './expenses.ts'
import type { ExpenseRow, Expenses } from './expenses.ts'

interface ExpenseTableProps {
  readonly expenses: Expenses
  readonly filter: Filter
}

/** The expenses that the filter lets through. On a narrow page each row is a card. */
export function ExpenseTable({ expenses, filter }: ExpenseTableProps): ReactElement {
  const { text, category, order } = filter
  const { data: rows, isLoading } = useLiveQuery(
    (q) => {
      let query = q.from({ expense: expenses })
      if (category !== '') query = query.where(({ expense }) => eq(expense.category, category))
      if (text !== '') query = query.where(({ expense }) => ilike(expense.what, `%${text}%`))
      return query.orderBy(({ expense }) => (order === 'newest' ? expense.addedAtMs : expense.cents), 'desc')
    },
    [expenses, text, category, order],
  )
  const sum = rows.reduce((cents, row) => cents + row.cents, 0)
  const shown = rows.length === 1 ? '1 expense' : `${rows.length} expenses`
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">What for</th>
            <th scope="col">Category</th>
            <th scope="col">Paid by</th>
            <th scope="col" className="amount">
              Amount
            </th>
            <th scope="col">Settled</th>
            <th scope="col">
              <span className="visually-hidden">Delete</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <ExpenseLine key={row.id} row={row} expenses={expenses} />
          ))}
        </tbody>
      </table>
      <p role="status" className="sum">
        {isLoading ? 'Loading' : `${shown}, ${euros(sum)}`}
      </p>
    </>
  )
}

function ExpenseLine({ row, expenses }: { readonly row: ExpenseRow; readonly expenses: Expenses }): ReactElement {
  const settle = (): void => void expenses.update(row.id, (draft) => void (draft.settled = !row.settled))
  return (
    <tr className={row.settled ? 'is-settled' : ''}>
      <th scope="row">{row.what}</th>
      <td>{row.category}</td>
      <td>{row.paidBy}</td>
      <td className="amount">{euros(row.cents)}</td>
      <td>
        <input type="checkbox" aria-label={`Settled: ${row.what}`} checked={row.settled} onChange={settle} />
      </td>
      <td>
        <button className="remove" aria-label={`Delete ${row.what}`} onClick={() => expenses.delete(row.id)}>
          ×
        </button>
      </td>
    </tr>
  )
}
