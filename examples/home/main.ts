import { openGrid } from 'gossipgrid'
import { Cable } from '../shared/cable.ts'
import { connectionBadge } from '../shared/connection-badge.ts'
import { element } from '../shared/element.ts'
import { showFailures } from '../shared/failure.ts'
import { gridHere } from '../shared/grid-here.ts'
import { peerGraph } from '../shared/peer-graph.ts'
import { announce } from '../shared/seat.ts'
import { rename, visitor } from '../shared/visitor.ts'
import { citySearch } from './city-search.ts'
import { holdings } from './holdings.ts'
import { partitionSquares } from './partition-squares.ts'

const APPS = [
  ['todo', 'Todo', 'Pull the plug in two tabs, edit both, plug in.'],
  ['board', 'Board', 'Notes, boxes and live pointers.'],
  ['editor', 'Editor', 'One text, many cursors.'],
  ['expenses', 'Expenses', 'Filter, sort and add up, with React and TanStack DB.'],
] as const

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)

const cable = new Cable()
const grid = await openGrid({ ...(await gridHere()), network: cable.network })
announce(grid, { ...visitor(), app: 'home' }, rename)

const cards = APPS.map(([path, title, text]) =>
  element('li', {}, element('a', { href: `./${path}/` }, element('strong', {}, title), element('span', {}, text))),
)
app.append(
  element('header', { class: 'bar' }, element('h1', {}, 'gossipgrid'), connectionBadge(grid, cable)),
  element(
    'p',
    { class: 'lead' },
    'Every square is a process on a machine, every circle a browser tab. All are peers of one grid.',
  ),
  citySearch(grid),
  partitionSquares(grid),
  element('section', { class: 'picture', 'aria-label': 'Peers' }, peerGraph(grid), holdings(grid)),
  element('ul', { class: 'cards', 'aria-label': 'Apps in this grid' }, ...cards),
)
app.removeAttribute('aria-busy')
