import { element } from '../shared/element.ts'
import type { Todo, TodoActions } from './todo.ts'
import { TodoRow } from './todo-row.ts'

type Filter = 'all' | 'open' | 'done'

const FILTERS: readonly (readonly [Filter, string])[] = [
  ['all', 'All'],
  ['open', 'Open'],
  ['done', 'Done'],
]

/** The list on the page: shows todos, and reports what the user does. */
export class TodoList {
  readonly element: HTMLElement
  readonly #actions: TodoActions
  readonly #rows = new Map<string, TodoRow>()
  readonly #list = element('ul', { class: 'todos', 'aria-label': 'Todos' })
  readonly #left = element('span', { role: 'status' })
  readonly #clear = element('button', { class: 'button', type: 'button' }, 'Clear done')
  #filter: Filter = 'all'

  constructor(actions: TodoActions) {
    this.#actions = actions
    this.#clear.addEventListener('click', () => this.#clearDone())
    this.element = element(
      'section',
      { class: 'card', 'aria-label': 'List' },
      this.#adding(),
      this.#list,
      element('p', { class: 'empty' }, 'Nothing here. Add something, then open this page in a second tab.'),
      element('footer', { class: 'bar' }, this.#left, this.#filters(), this.#clear),
    )
    this.#arrange()
  }

  show(id: string, todo: Todo): void {
    // A todo that was deleted here but edited elsewhere lacks its other fields.
    const whole = { text: todo.text ?? '', done: todo.done ?? false, addedAtMs: todo.addedAtMs ?? 0 }
    const row = this.#rows.get(id) ?? new TodoRow(id, this.#actions, (from) => this.#focusBeside(from))
    this.#rows.set(id, row)
    row.show(whole)
    this.#arrange()
  }

  hide(id: string): void {
    this.#rows.get(id)?.element.remove()
    this.#rows.delete(id)
    this.#arrange()
  }

  #adding(): HTMLFormElement {
    const input = element('input', {
      class: 'text',
      'aria-label': 'New todo',
      placeholder: 'What needs doing?',
      autocomplete: 'off',
      maxlength: '500',
    })
    const form = element(
      'form',
      { class: 'adding' },
      input,
      element('button', { class: 'button primary', type: 'submit' }, 'Add'),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const text = input.value.trim()
      if (text === '') return
      input.value = ''
      void this.#actions.add(text)
    })
    return form
  }

  #filters(): HTMLElement {
    const choices = FILTERS.map(([filter, label]) => {
      const radio = element('input', { type: 'radio', name: 'filter', value: filter })
      radio.checked = filter === this.#filter
      radio.addEventListener('change', () => {
        this.#filter = filter
        this.#arrange()
      })
      return element('label', { class: 'choice' }, radio, label)
    })
    return element(
      'fieldset',
      { class: 'choices' },
      element('legend', { class: 'visually-hidden' }, 'Show'),
      ...choices,
    )
  }

  #clearDone(): void {
    for (const [id, { todo }] of this.#rows) if (todo.done) void this.#actions.remove(id)
  }

  /** Puts the rows in order. It moves only misplaced rows, since a moved row loses the focus. */
  #arrange(): void {
    const rows = [...this.#rows.values()].toSorted(
      (a, b) => a.todo.addedAtMs - b.todo.addedAtMs || (a.id < b.id ? -1 : 1),
    )
    const shown = rows.filter(({ todo }) => this.#filter === 'all' || todo.done === (this.#filter === 'done'))
    for (const row of rows) if (!shown.includes(row)) row.element.remove()
    for (const [i, { element: item }] of shown.entries()) {
      if (this.#list.children[i] !== item) this.#list.insertBefore(item, this.#list.children[i] ?? null)
    }
    const open = rows.filter(({ todo }) => !todo.done).length
    const left = open === 1 ? '1 thing to do' : `${open} things to do`
    if (this.#left.textContent !== left) this.#left.textContent = left
    this.#clear.disabled = open === rows.length
  }

  /** After a delete by keyboard the focus goes to the next row. */
  #focusBeside(item: HTMLElement): void {
    const beside = item.nextElementSibling ?? item.previousElementSibling
    const next = beside?.querySelector<HTMLElement>('.remove') ?? this.element.querySelector<HTMLElement>('.text')
    next?.focus()
  }
}
