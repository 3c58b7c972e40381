import { openGrid } from 'gossipgrid'
import { Cable } from '../shared/cable.ts'
import { connectionBadge } from '../shared/connection-badge.ts'
import { gridHere } from '../shared/grid-here.ts'
import { showFailures } from '../shared/failure.ts'
import { pageHeader } from '../shared/page-header.ts'
import { announce } from '../shared/seat.ts'
import { rename, visitor } from '../shared/visitor.ts'
import { conflictNotices } from './conflict-notices.ts'
import type { Todo } from './todo.ts'
import { TodoList } from './todo-list.ts'

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)

const cable = new Cable()
const grid = await openGrid({ ...(await gridHere()), network: cable.network })
// Field by field: ticking a todo off here and rewording it there are two edits that both survive.
const todos = grid.map<Todo>('todos', { merge: 'fields' })

const list = new TodoList({
  add: (text) => todos.set(crypto.randomUUID(), { text, done: false, addedAtMs: Date.now() }),
  edit: (id, change) => todos.update(id, (todo) => ({ ...todo!, ...change })),
  remove: (id) => todos.delete(id),
})
app.append(pageHeader('Todo', connectionBadge(grid, cable)), list.element, conflictNotices(todos))
app.removeAttribute('aria-busy')
announce(grid, { ...visitor(), app: 'todo' }, rename)

todos.on('change', ({ type, key, value }) => {
  if (type === 'set') list.show(key, value!)
  else list.hide(key)
})
for await (const [id, todo] of todos.entries()) list.show(id, todo)
