import type { GridMap } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { COUNT_MAX, price } from './shop.ts'
import type { Product } from './shop.ts'

/** What is sold, and what the user has in the basket. Both are maps of the grid, and work offline. */
export class Basket {
  readonly element: HTMLElement
  readonly #user: string
  readonly #products: GridMap<Product>
  readonly #baskets: GridMap<number>
  readonly #rows = new Map<string, Row>()
  readonly #list = element('ul', { class: 'products', 'aria-label': 'Products' })
  readonly #total = element('output', { class: 'total' })

  constructor(user: string, products: GridMap<Product>, baskets: GridMap<number>) {
    this.#user = user
    this.#products = products
    this.#baskets = baskets
    const heading = element('h2', {}, 'Your basket')
    this.element = element(
      'section',
      { class: 'card' },
      heading,
      this.#list,
      element('p', { class: 'sum' }, this.#total),
    )
    products.on('change', () => this.#show())
    baskets.on('change', () => this.#show())
    this.#show()
  }

  #show(): void {
    let sum = 0
    const products = this.#products.peekEntries().toSorted(([one], [other]) => one.localeCompare(other))
    for (const [name, product] of products) {
      const row = this.#rows.get(name) ?? new Row((change) => this.#change(name, change))
      if (!this.#rows.has(name)) this.#list.append(row.element)
      this.#rows.set(name, row)
      const count = this.#baskets.peek(`${this.#user}/${name}`) ?? 0
      row.show(product, count)
      sum += count * product.cents
    }
    const text = sum === 0 ? 'Nothing yet' : `Together ${price(sum)}`
    if (this.#total.textContent !== text) this.#total.textContent = text
  }

  #change(name: string, change: number): void {
    const key = `${this.#user}/${name}`
    const count = Math.min(COUNT_MAX, (this.#baskets.peek(key) ?? 0) + change)
    void (count > 0 ? this.#baskets.set(key, count) : this.#baskets.delete(key))
  }
}

class Row {
  readonly element: HTMLLIElement
  readonly #label = element('span', { class: 'label' })
  readonly #price = element('span', { class: 'price' })
  readonly #count = element('output', { class: 'count' })
  readonly #less = element('button', { class: 'step', type: 'button' }, '−')
  readonly #more = element('button', { class: 'step', type: 'button' }, '+')

  constructor(change: (by: number) => void) {
    this.element = element('li', {}, this.#label, this.#price, this.#less, this.#count, this.#more)
    this.#less.addEventListener('click', () => change(-1))
    this.#more.addEventListener('click', () => change(1))
  }

  show({ cents, label }: Product, count: number): void {
    this.#label.textContent = label
    this.#price.textContent = price(cents)
    this.#count.textContent = String(count)
    this.#count.setAttribute('aria-label', `${label} in the basket`)
    this.#less.setAttribute('aria-label', `One ${label} less`)
    this.#more.setAttribute('aria-label', `One ${label} more`)
    // A button that is disabled would lose the focus.
    this.#less.setAttribute('aria-disabled', String(count === 0))
    this.#more.setAttribute('aria-disabled', String(count === COUNT_MAX))
  }
}
