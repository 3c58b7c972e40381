import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { openGrid } from 'gossipgrid'
import { Cable } from '../shared/cable.ts'
import { connectionBadge } from '../shared/connection-badge.ts'
import { showFailures } from '../shared/failure.ts'
import { gridHere } from '../shared/grid-here.ts'
import { pageHeader } from '../shared/page-header.ts'
import { announce } from '../shared/seat.ts'
import { rename, visitor } from '../shared/visitor.ts'
import { ExpensesPage } from './expenses-page.tsx'
import { expensesOf } from './expenses.ts'

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)

const cable = new Cable()
const grid = await openGrid({ ...(await gridHere()), network: cable.network })
announce(grid, { ...visitor(), app: 'expenses' }, rename)

const content = document.createElement('div')
content.className = 'content'
app.append(pageHeader('Expenses', connectionBadge(grid, cable)), content)
app.removeAttribute('aria-busy')
createRoot(content).render(
  <StrictMode>
    <ExpensesPage expenses={expensesOf(grid)} />
  </StrictMode>,
)
