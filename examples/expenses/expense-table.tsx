import { eq, ilike, useLiveQuery } from '@tanstack/react-db'
import type { MouseEvent, ReactElement } from 'react'
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
  const { data: rows, isLoading } = useLiveQuery({
    queryKey: ['expenses', text, category, order],
    query: (q) => {
      let query = q.from({ expense: expenses })
      if (category !== '') query = query.where(({ expense }) => eq(expense.category, category))
      if (text !== '') query = query.where(({ expense }) => ilike(expense.what, `%${text}%`))
      return query.orderBy(({ expense }) => (order === 'newest' ? expense.addedAtMs : expense.cents), 'desc')
    },
  })
  const sum = rows.reduce((cents, row) => cents + row.cents, 0)
  const shown = rows.length === 1 ? '1 expense' : `${rows.length} expenses`
  const nothing = text === '' && category === '' ? 'No expenses yet' : 'No expense is like this'
  return (
    <>
      <table aria-label="Expenses">
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
        {isLoading ? 'Loading' : rows.length === 0 ? nothing : `${shown}, ${euros(sum)}`}
      </p>
    </>
  )
}

function ExpenseLine({ row, expenses }: { readonly row: ExpenseRow; readonly expenses: Expenses }): ReactElement {
  const settle = (): void => void expenses.update(row.id, (draft) => void (draft.settled = !row.settled))
  const remove = ({ currentTarget }: MouseEvent<HTMLButtonElement>): void => {
    focusNext(currentTarget)
    expenses.delete(row.id)
  }
  return (
    <tr className={row.settled ? 'is-settled' : ''}>
      <th scope="row">{row.what}</th>
      <td>{row.category}</td>
      <td>{row.paidBy}</td>
      <td className="amount">{euros(row.cents)}</td>
      <td>
        <label className="tick">
          <input type="checkbox" aria-label={`Settled: ${row.what}`} checked={row.settled} onChange={settle} />
        </label>
      </td>
      <td>
        <button className="remove" aria-label={`Delete ${row.what}`} onClick={remove}>
          ×
        </button>
      </td>
    </tr>
  )
}

/** The row goes, and the focus would be lost with it: the next row's button gets it, or the search after the last one. */
function focusNext(button: HTMLButtonElement): void {
  const row = button.closest('tr')
  const next = row?.nextElementSibling ?? row?.previousElementSibling
  const target = next?.querySelector('button') ?? document.querySelector('input[type=search]')
  if (target instanceof HTMLElement) target.focus()
}
