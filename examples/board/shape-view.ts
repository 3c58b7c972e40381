import { element } from '../shared/element.ts'
import type { Point } from '../shared/seat.ts'
import type { BoardActions } from './board-actions.ts'
import { COLOURS, onBoard } from './shape.ts'
import type { Shape } from './shape.ts'

const STEP = 16
/** While a shape moves, its place is written no more often than this. */
const WRITE_GAP_MS = 50
const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -STEP, y: 0 },
  ArrowRight: { x: STEP, y: 0 },
  ArrowUp: { x: 0, y: -STEP },
  ArrowDown: { x: 0, y: STEP },
}

/** One shape on the page, which is moved, resized, edited and removed by pointer or by keyboard. */
export class ShapeView {
  readonly element: HTMLElement
  readonly #id: string
  readonly #actions: BoardActions
  readonly #text = element('textarea', { class: 'shape-text', tabindex: '-1', maxlength: '500', spellcheck: 'false' })
  #shape: Shape | undefined
  #dragging = false
  #notBeforeMs = 0

  constructor(id: string, actions: BoardActions, onSelect: () => void) {
    this.#id = id
    this.#actions = actions
    const grip = element('span', { class: 'grip', 'aria-hidden': 'true' })
    this.element = element('div', { tabindex: '0', role: 'group' }, this.#text, grip)
    this.element.addEventListener('focusin', onSelect)
    this.element.addEventListener('keydown', (event) => this.#key(event))
    this.element.addEventListener('pointerdown', (event) => this.#drag(event, event.target === grip))
    this.element.addEventListener('dblclick', () => this.edit())
    this.#text.addEventListener('blur', () => this.#edited())
  }

  /** The shape as it was last shown. */
  get shape(): Shape {
    return this.#shape!
  }

  show(shape: Shape): void {
    const typing = this.#typing
    this.#shape = this.#dragging ? { ...shape, at: this.shape.at, size: this.shape.size } : shape
    const kept = ['is-selected', 'is-edited'].filter((name) => this.element.classList.contains(name))
    this.element.className = ['shape', shape.kind, shape.colour, ...kept].join(' ')
    this.element.setAttribute('aria-label', shape.text === '' ? `Empty ${shape.kind}` : `${shape.kind}: ${shape.text}`)
    this.#text.setAttribute('aria-label', `Text of the ${shape.kind}`)
    if (!typing) this.#text.value = shape.text
    this.#arrange()
  }

  /** Puts the cursor into the text. */
  edit(): void {
    this.element.classList.add('is-edited')
    this.#text.focus()
    this.#text.select()
  }

  get #typing(): boolean {
    return document.activeElement === this.#text
  }

  #arrange(): void {
    const { at, size } = this.shape
    this.element.style.translate = `${at.x}px ${at.y}px`
    this.element.style.width = `${size.width}px`
    this.element.style.height = `${size.height}px`
  }

  #key(event: KeyboardEvent): void {
    const { key, shiftKey } = event
    if (this.#typing) {
      if (key === 'Escape') this.element.focus()
      return
    }
    const by = ARROWS[key]
    if (by !== undefined) this.#change(by, shiftKey)
    else if (key === 'Enter' || key === ' ') this.edit()
    else if (key === 'Delete' || key === 'Backspace') this.#remove()
    else if (key === 'c') void this.#actions.edit(this.#id, { colour: COLOURS[this.#nextColour]! })
    else return
    event.preventDefault()
  }

  get #nextColour(): number {
    return (COLOURS.indexOf(this.shape.colour) + 1) % COLOURS.length
  }

  #change(by: Point, resizing: boolean): void {
    const placed = moved(this.shape, by, resizing)
    void this.#actions.edit(this.#id, resizing ? { size: placed.size } : { at: placed.at })
    this.#actions.point({ x: placed.at.x + placed.size.width / 2, y: placed.at.y + placed.size.height / 2 })
    this.element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  /** After a delete by keyboard the focus goes to the next shape. */
  #remove(): void {
    const beside = this.element.nextElementSibling ?? this.element.previousElementSibling
    if (beside instanceof HTMLElement) beside.focus()
    void this.#actions.remove(this.#id)
  }

  #edited(): void {
    this.element.classList.remove('is-edited')
    const text = this.#text.value
    if (text !== this.shape.text) void this.#actions.edit(this.#id, { text })
  }

  #drag(event: PointerEvent, resizing: boolean): void {
    if (this.#typing || event.button !== 0) return
    event.preventDefault()
    this.element.focus()
    this.element.setPointerCapture(event.pointerId)
    this.#dragging = true
    const start = this.shape
    const ended = new AbortController()
    const move = ({ clientX, clientY }: PointerEvent): void => {
      const by = { x: clientX - event.clientX, y: clientY - event.clientY }
      this.#shape = { ...this.shape, ...moved(start, by, resizing) }
      this.#arrange()
      if (performance.now() >= this.#notBeforeMs) this.#write(resizing)
    }
    const end = (): void => {
      ended.abort()
      this.#dragging = false
      if (this.shape.at !== start.at || this.shape.size !== start.size) this.#write(resizing)
    }
    const { signal } = ended
    this.element.addEventListener('pointermove', move, { signal })
    this.element.addEventListener('pointerup', end, { signal })
    this.element.addEventListener('pointercancel', end, { signal })
  }

  #write(resizing: boolean): void {
    this.#notBeforeMs = performance.now() + WRITE_GAP_MS
    const { at, size } = this.shape
    void this.#actions.edit(this.#id, resizing ? { size } : { at })
  }
}

function moved({ at, size }: Shape, by: Point, resizing: boolean): Pick<Shape, 'at' | 'size'> {
  if (resizing) return onBoard({ at, size: { width: size.width + by.x, height: size.height + by.y } })
  return onBoard({ at: { x: at.x + by.x, y: at.y + by.y }, size })
}
