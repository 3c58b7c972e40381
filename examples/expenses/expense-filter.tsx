import type { ReactElement } from 'react'
import { CATEGORIES } from './expenses.ts'

/** Which expenses are shown, and in which order. */
export interface Filter {
  readonly text: string
  /** '' for all. */
  readonly category: string
  readonly order: 'newest' | 'largest'
}

export const NO_FILTER: Filter = { text: '', category: '', order: 'newest' }

interface ExpenseFilterProps {
  readonly filter: Filter
  readonly onChange: (filter: Filter) => void
}

export function ExpenseFilter({ filter, onChange }: ExpenseFilterProps): ReactElement {
  const change = (part: Partial<Filter>): void => onChange({ ...filter, ...part })
  return (
    <search className="fields">
      <label className="wide">
        Search
        <input type="search" value={filter.text} onChange={({ target }) => change({ text: target.value })} />
      </label>
      <label>
        Show
        <select value={filter.category} onChange={({ target }) => change({ category: target.value })}>
          <option value="">All</option>
          {CATEGORIES.map((category) => (
            <option key={category}>{category}</option>
          ))}
        </select>
      </label>
      <label>
        Order
        <select value={filter.order} onChange={({ target }) => change({ order: target.value as Filter['order'] })}>
          <option value="newest">Newest first</option>
          <option value="largest">Largest first</option>
        </select>
      </label>
    </search>
  )
}
