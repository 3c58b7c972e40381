import { element } from '../shared/element.ts'

export interface ComboboxOptions<Item> {
  readonly label: string
  readonly placeholder: string
  /** What is listed for a text. Called at each key, so it is quick. */
  readonly find: (text: string) => Promise<readonly Item[]>
  /** What an option shows. */
  readonly show: (item: Item) => readonly (Node | string)[]
  readonly keyOf: (item: Item) => string
  /** What the field has once the item was chosen. */
  readonly textOf: (item: Item) => string
  readonly onChoose: (item: Item) => void
  /** Called with what was found, and how long that took. */
  readonly onFound: (items: readonly Item[], tookMs: number) => void
}

/**
 * A field with a list of what begins like its text: the arrow keys go through the list, Enter chooses, Escape closes the list and then
 * empties the field. The focus stays in the field, and screen readers hear which option is active.
 */
export class Combobox<Item> {
  /** The field with its list. Its label stands where the page wants it. */
  readonly field: HTMLElement
  readonly label: HTMLElement
  readonly #options: ComboboxOptions<Item>
  readonly #input: HTMLInputElement
  readonly #list = element('ul', { id: 'found', role: 'listbox', hidden: '' })
  #items: readonly Item[] = []
  #active = -1
  /** Counts what was asked, so that a late answer to an earlier text is not shown. */
  #asked = 0

  constructor(options: ComboboxOptions<Item>) {
    this.#options = options
    const { label, placeholder } = options
    this.#list.setAttribute('aria-label', label)
    this.#input = element('input', {
      ...{
        id: 'find',
        type: 'text',
        role: 'combobox',
        placeholder,
        autocomplete: 'off',
        spellcheck: 'false',
        autocapitalize: 'off',
      },
      ...{ enterkeyhint: 'search', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': 'found' },
    })
    this.#input.addEventListener('input', () => void this.refresh(true))
    this.#input.addEventListener('keydown', (event) => this.#onKey(event))
    this.#input.addEventListener('blur', () => this.#close())
    // The field keeps the focus: its loss closes the list.
    this.#list.addEventListener('mousedown', (event) => event.preventDefault())
    this.#list.addEventListener('click', ({ target }) => {
      const option = (target as Element).closest('[role=option]')
      if (option !== null) this.#choose([...this.#list.children].indexOf(option))
    })
    this.label = element('label', { for: 'find' }, label)
    this.field = element('div', { class: 'combobox' }, this.#input, this.#list)
  }

  /** Whether there is something to look for. */
  get isFilled(): boolean {
    return this.#input.value.trim() !== ''
  }

  /** Finds again what the field asks for. `open`: and shows the list. */
  async refresh(open = false): Promise<void> {
    const asked = ++this.#asked
    const text = this.#input.value.trim()
    const startMs = performance.now()
    const items = text === '' ? [] : await this.#options.find(text)
    if (asked !== this.#asked) return
    const isOpen = open || !this.#list.hidden
    const active = this.#items[this.#active]
    const { keyOf, onFound, show } = this.#options
    this.#items = items
    this.#list.replaceChildren(
      ...items.map((item, i) => element('li', { role: 'option', id: `found-${i}` }, ...show(item))),
    )
    onFound(items, performance.now() - startMs)
    if (isOpen && items.length > 0) this.#open()
    else this.#close()
    // After a key another list begins without an active option; what others write leaves it where it was.
    if (!open && active !== undefined) this.#activate(items.findIndex((item) => keyOf(item) === keyOf(active)))
    else this.#activate(-1)
  }

  #onKey(event: KeyboardEvent): void {
    const { key, isComposing } = event
    const count = this.#items.length
    if (isComposing) return
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      if (count === 0) return
      if (this.#list.hidden) this.#open()
      const step = key === 'ArrowDown' ? 1 : -1
      // Past an end comes the field itself, and then the other end.
      this.#activate(((this.#active + 1 + step + count + 1) % (count + 1)) - 1)
    } else if (key === 'Enter') {
      if (!this.#list.hidden && count > 0) this.#choose(Math.max(0, this.#active))
    } else if (key === 'Escape') {
      if (this.#list.hidden) {
        this.#input.value = ''
        void this.refresh()
      } else this.#close()
    } else return
    event.preventDefault()
  }

  #choose(index: number): void {
    const item = this.#items[index]
    if (item === undefined) return
    this.#input.value = this.#options.textOf(item)
    this.#close()
    this.#options.onChoose(item)
  }

  #activate(index: number): void {
    this.#active = index
    for (const [i, option] of [...this.#list.children].entries()) {
      option.setAttribute('aria-selected', String(i === index))
      if (i === index) option.scrollIntoView({ block: 'nearest' })
    }
    if (index === -1) this.#input.removeAttribute('aria-activedescendant')
    else this.#input.setAttribute('aria-activedescendant', `found-${index}`)
  }

  #open(): void {
    this.#list.hidden = false
    this.#input.setAttribute('aria-expanded', 'true')
  }

  #close(): void {
    this.#list.hidden = true
    this.#input.setAttribute('aria-expanded', 'false')
    this.#activate(-1)
  }
}
