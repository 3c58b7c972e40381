import { element } from '../shared/element.ts'
import type { Todo, TodoActions } from './todo.ts'

/** One todo on the page. Its text is an input, so that it can be edited in place. */
export class TodoRow {
  readonly id: string
  readonly element: HTMLLIElement
  readonly #actions: TodoActions
  readonly #done = element('input', { type: 'checkbox' })
  readonly #text = element('input', { class: 'text', autocomplete: 'off', maxlength: '500' })
  readonly #remove = element('button', { class: 'remove', type: 'button' }, '×')
  #todo: Todo = { text: '', done: false, addedAtMs: 0 }

  /** `beforeRemove` is called with the row while it is still there. */
  constructor(id: string, actions: TodoActions, beforeRemove: (row: HTMLElement) => void) {
    this.id = id
    this.#actions = actions
    this.element = element('li', { class: 'todo' }, this.#done, this.#text, this.#remove)
    this.#done.addEventListener('change', () => void actions.edit(id, { done: this.#done.checked }))
    this.#text.addEventListener('change', () => this.#reword())
    this.#text.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#text.value = this.#todo.text
    })
    this.#text.addEventListener('blur', () => (this.#text.value = this.#todo.text))
    this.#remove.addEventListener('click', () => {
      beforeRemove(this.element)
      void actions.remove(id)
    })
  }

  get todo(): Todo {
    return this.#todo
  }

  show(todo: Todo): void {
    const typing = document.activeElement === this.#text && this.#text.value !== this.#todo.text
    this.#todo = todo
    this.element.classList.toggle('is-done', todo.done)
    this.#done.checked = todo.done
    // The text is not replaced while the user types in it.
    if (!typing) this.#text.value = todo.text
    this.#done.setAttribute('aria-label', `Done: ${todo.text}`)
    this.#text.setAttribute('aria-label', `Text of ${todo.text}`)
    this.#remove.setAttribute('aria-label', `Delete ${todo.text}`)
  }

  #reword(): void {
    const text = this.#text.value.trim()
    if (text === '' || text === this.#todo.text) return
    this.#todo = { ...this.#todo, text }
    void this.#actions.edit(this.id, { text })
  }
}
