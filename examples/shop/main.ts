import { openGrid } from 'gossipgrid'
import { TextEditor } from '../editor/text-editor.ts'
import { element } from '../shared/element.ts'
import { showFailures } from '../shared/failure.ts'
import { Basket } from './basket.ts'
import { guestBadge } from './guest-badge.ts'
import { logIn, logOut } from './log-in.ts'
import { BOARD, call } from './shop.ts'
import type { Product, Session } from './shop.ts'

const COLOURS = ['#e0533d', '#3a9d5d', '#3f74e0', '#8a5be0', '#c94f9b']

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)
const heading = element('header', { class: 'bar' }, element('h1', {}, 'Bakery'))
app.append(heading)
app.removeAttribute('aria-busy')

let session = await call<Session>('session')
if (session === undefined) {
  await logIn(app, 'Try ada with lovelace, or ben with franklin in another browser.')
  session = (await call<Session>('session'))!
}
const { join, name, user } = session

// The page has no secret of the grid: the server gives it a pass, and another one before that ends.
const grid = await openGrid({ name, join, pass: async () => (await call<string>('pass')) ?? '' })
const leave = element('button', { class: 'button', type: 'button' }, `Log out ${user}`)
leave.addEventListener('click', () => void logOut(() => grid.close()))
heading.append(guestBadge(grid), leave)
app.append(new Basket(user, grid.map<Product>('products'), grid.map<number>('baskets')).element)

const refused = element('p', { class: 'wrong', role: 'alert' })
grid.on('refused', ({ error }) => (refused.textContent = `The shop did not take that: ${error.message}`))

const drawn = Array.from(user, (letter, i) => letter.charCodeAt(0) * (i + 1)).reduce((sum, each) => sum + each, 0)
const colour = COLOURS[drawn % COLOURS.length]!
const editor = new TextEditor({ name: user, colour }, (board) => void show(board))
const board = element('section', { class: 'card board' }, element('h2', {}, 'Wishes of all customers'), editor.element)
app.append(refused, board)

async function show(board: string): Promise<void> {
  await editor.open(await grid.doc(board))
}

// The first time, a member has to say who the guest is. Later the board is there without one.
await grid.ready()
await show(BOARD)
