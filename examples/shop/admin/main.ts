import { element } from '../../shared/element.ts'
import { showFailures } from '../../shared/failure.ts'
import { logIn, logOut } from '../log-in.ts'
import { call, price } from '../shop.ts'
import type { Product, ShopReport } from '../shop.ts'

const LOOK_INTERVAL_MS = 1000

const app = document.querySelector<HTMLElement>('#app')!
showFailures(app)
const heading = element('header', { class: 'bar' }, element('h1', {}, 'Back room'))
app.append(heading)
app.removeAttribute('aria-busy')

let report = await call<ShopReport>('report').catch(() => undefined)
while (report === undefined) {
  await logIn(app, 'Try admin with baker.')
  report = await call<ShopReport>('report').catch(() => undefined)
}
const leave = element('button', { class: 'button', type: 'button' }, 'Log out')
leave.addEventListener('click', () => void logOut(async () => undefined))
heading.append(leave)

const prices = element('ul', { class: 'products', 'aria-label': 'Prices' })
const orders = element('ul', { class: 'products', 'aria-label': 'Baskets' })
const board = element('p', { class: 'wishes' })
app.append(
  element('section', { class: 'card' }, element('h2', {}, 'Prices'), prices),
  element('section', { class: 'card' }, element('h2', {}, 'Baskets of all customers'), orders),
  element('section', { class: 'card' }, element('h2', {}, 'Wishes'), board),
)
const fields = new Map(report.products.map(([name, product]) => [name, priceField(name, product)]))

function priceField(name: string, { label }: Product): HTMLInputElement {
  const field = element('input', { type: 'number', min: '0', step: '0.01', 'aria-label': `Price of ${label} in euros` })
  field.addEventListener('change', () => {
    void call('price', { name, cents: Math.round(Number(field.value) * 100) }).then(look)
  })
  prices.append(element('li', {}, element('span', { class: 'label' }, label), field))
  return field
}

function show({ baskets, board: text, products }: ShopReport): void {
  const known = new Map(products)
  for (const [name, { cents }] of products) {
    const field = fields.get(name)
    if (field !== undefined && field !== document.activeElement) field.value = (cents / 100).toFixed(2)
  }
  const lines = baskets.map(([user, items]) => {
    const what = items.map(([name, count]) => `${count} × ${known.get(name)?.label ?? name}`).join(', ')
    const sum = items.reduce((all, [name, count]) => all + count * (known.get(name)?.cents ?? 0), 0)
    return element('li', {}, element('strong', {}, user), element('span', { class: 'label' }, what), price(sum))
  })
  orders.replaceChildren(...lines)
  board.textContent = text
}

async function look(): Promise<void> {
  const next = await call<ShopReport>('report')
  if (next !== undefined) show(next)
}

show(report)
setInterval(() => void look(), LOOK_INTERVAL_MS)
