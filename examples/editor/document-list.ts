import { element } from '../shared/element.ts'

/** The actions of the list on the grid. */
export interface ListActions {
  open(name: string): void
  remove(name: string): Promise<unknown>
}

/** The list of documents, and a button for a new one. */
export class DocumentList {
  readonly element: HTMLElement
  readonly #actions: ListActions
  readonly #names = element('ul', { class: 'names' })
  readonly #remove = element('button', { class: 'button', type: 'button' }, 'Delete')
  #shown: readonly string[] = []
  #current = ''

  constructor(actions: ListActions) {
    this.#actions = actions
    this.#remove.addEventListener('click', () => {
      if (confirm(`Delete “${this.#current}” for everybody?`)) void this.#deleteCurrent()
    })
    this.element = element('nav', { 'aria-label': 'Documents' }, this.#names, this.#beginning(), this.#remove)
  }

  /** Shows these documents. The current one may be empty still. */
  show(names: readonly string[], current: string): void {
    const shown = names.includes(current) ? names : [...names, current].toSorted()
    if (current === this.#current && shown.join('\n') === this.#shown.join('\n')) return
    const focused = this.#names.contains(document.activeElement) ? document.activeElement!.textContent : undefined
    this.#shown = shown
    this.#current = current
    const buttons = shown.map((name) => this.#button(name))
    this.#names.replaceChildren(...buttons.map((button) => element('li', {}, button)))
    buttons.find(({ textContent }) => textContent === focused)?.focus()
    this.#remove.setAttribute('aria-label', `Delete ${current}`)
  }

  #button(name: string): HTMLButtonElement {
    const button = element('button', { type: 'button' }, name)
    if (name === this.#current) button.setAttribute('aria-current', 'page')
    button.addEventListener('click', () => this.#actions.open(name))
    return button
  }

  #beginning(): HTMLFormElement {
    const input = element('input', {
      'aria-label': 'Name of a new document',
      placeholder: 'New document',
      maxlength: '60',
    })
    const form = element('form', {}, input, element('button', { class: 'button', type: 'submit' }, 'Open'))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const name = input.value.trim()
      input.value = ''
      if (name !== '') this.#actions.open(name)
    })
    return form
  }

  async #deleteCurrent(): Promise<void> {
    const gone = this.#current
    const next = this.#shown.find((name) => name !== gone) ?? 'welcome'
    if (next !== gone) this.#actions.open(next)
    await this.#actions.remove(gone)
  }
}
