import { useRef } from 'react'
import type { ReactElement } from 'react'
import { visitor } from '../shared/visitor.ts'
import { CATEGORIES } from './expenses.ts'
import type { Expenses } from './expenses.ts'

/** Adds an expense. It shows at once, and is on its way to the disk and to other peers. */
export function ExpenseForm({ expenses }: { readonly expenses: Expenses }): ReactElement {
  const what = useRef<HTMLInputElement>(null)
  const add = (fields: FormData): void => {
    const text = (name: string): string => (fields.get(name) as string).trim()
    if (text('what') === '') return
    expenses.insert({
      id: crypto.randomUUID(),
      what: text('what'),
      cents: Math.round(Number(fields.get('amount')) * 100),
      category: text('category'),
      paidBy: text('paidBy'),
      addedAtMs: Date.now(),
      settled: false,
    })
    what.current!.form!.reset()
    what.current!.focus()
  }
  return (
    <form
      className="card fields"
      aria-label="New expense"
      onSubmit={(event) => {
        event.preventDefault()
        add(new FormData(event.currentTarget))
      }}
    >
      <label className="wide">
        What for
        <input name="what" ref={what} required maxLength={100} autoComplete="off" />
      </label>
      <label>
        Euros
        <input name="amount" type="number" inputMode="decimal" min="0.01" max="999999" step="0.01" required />
      </label>
      <label>
        Category
        <select name="category">
          {CATEGORIES.map((category) => (
            <option key={category}>{category}</option>
          ))}
        </select>
      </label>
      <label>
        Paid by
        <input name="paidBy" defaultValue={visitor().name} required maxLength={40} autoComplete="off" />
      </label>
      <button className="button primary">Add</button>
    </form>
  )
}
