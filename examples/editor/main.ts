import { openGrid } from 'gossipgrid'
import { Cable } from '../shared/cable.ts'
import { connectionBadge } from '../shared/connection-badge.ts'
import { showFailures } from '../shared/failure.ts'
import { gridHere } from '../shared/grid-here.ts'
import { pageHeader } from '../shared/page-header.ts'
import { announce } from '../shared/seat.ts'
import { rename, visitor } from '../shared/visitor.ts'
import { DocumentList } from './document-list.ts'
import { TextEditor } from './text-editor.ts'

const LOOK_INTERVAL_MS = 500

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)

const cable = new Cable()
const grid = await openGrid({ ...(await gridHere()), network: cable.network })

const editor = new TextEditor(visitor(), (name) => void show(name))
const list = new DocumentList({ open: (name) => void show(name), remove: (name) => grid.deleteDoc(name) })
app.append(pageHeader('Editor', connectionBadge(grid, cable)), list.element, editor.element)
app.removeAttribute('aria-busy')
announce(grid, { ...visitor(), app: 'editor' }, (name) => {
  rename(name)
  editor.user = visitor()
})

async function show(name: string): Promise<void> {
  location.hash = encodeURIComponent(name)
  await editor.open(await grid.doc(name))
  list.show(grid.docs(), name)
}

/** The document in the page's address; '' where it has none, or is not valid. */
function nameInAddress(): string {
  try {
    return decodeURIComponent(location.hash.slice(1))
  } catch {
    return ''
  }
}

await show(nameInAddress() || 'welcome')
setInterval(() => list.show(grid.docs(), editor.name), LOOK_INTERVAL_MS)
