import { openGrid } from 'gossipgrid'
import { Cable } from '../shared/cable.ts'
import { connectionBadge } from '../shared/connection-badge.ts'
import { element } from '../shared/element.ts'
import { showFailures } from '../shared/failure.ts'
import { gridHere } from '../shared/grid-here.ts'
import { pageHeader } from '../shared/page-header.ts'
import { peerGraph } from '../shared/peer-graph.ts'
import { announce } from '../shared/seat.ts'
import type { Seat } from '../shared/seat.ts'
import { rename, visitor } from '../shared/visitor.ts'
import { Board } from './board.ts'
import { showCursors } from './cursors.ts'
import type { Shape } from './shape.ts'
import { toolbar } from './toolbar.ts'

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)

const cable = new Cable()
const grid = await openGrid({ ...(await gridHere()), network: cable.network })
// Shapes are stored. Pointers are only sent to the peers that are there now.
const shapes = grid.map<Shape>('shapes', { merge: 'fields' })
const presence = grid.presence<Seat>()

const board = new Board({
  add: (id, shape) => shapes.set(id, shape),
  edit: (id, change) => shapes.update(id, (shape) => ({ ...shape!, ...change })),
  remove: (id) => shapes.delete(id),
  point: (at) => presence.set({ ...presence.get(grid.peerId)!, at }),
})
// A phone has no room for it: it opens on request.
const peers = element('details', { class: 'peers' }, element('summary', {}, 'Who is connected'), peerGraph(grid))
peers.open = matchMedia('(width > 40rem)').matches
announce(grid, { ...visitor(), app: 'board' }, rename)
app.append(pageHeader('Board', toolbar(board), connectionBadge(grid, cable)), board.element, peers)
app.removeAttribute('aria-busy')
showCursors(grid, board.surface)

shapes.on('change', ({ type, key, value }) => {
  if (type === 'set') board.show(key, value!)
  else board.hide(key)
})
for await (const [id, shape] of shapes.entries()) board.show(id, shape)
