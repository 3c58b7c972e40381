import type { BoardActions } from './board-actions.ts'
import { element } from '../shared/element.ts'
import type { Point } from '../shared/seat.ts'
import { freePlace } from './free-place.ts'
import { BOARD, COLOURS, onBoard } from './shape.ts'
import type { Colour, Shape } from './shape.ts'
import { ShapeView } from './shape-view.ts'

const SIZES = { note: { width: 180, height: 140 }, box: { width: 260, height: 180 } } as const
/** A pointer that moves less draws nothing. */
const DRAW_MIN = 12

/** The board on the page: shows shapes and cursors, and reports what the user does. */
export class Board {
  readonly element: HTMLElement
  /** Contains shapes and cursors, in the units of the board. */
  readonly surface: HTMLElement = element('div', { class: 'surface' })
  /** Called with the shape that the toolbar acts on. */
  onSelect: (selected: Shape | undefined) => void = () => undefined
  readonly #actions: BoardActions
  readonly #views = new Map<string, ShapeView>()
  #colour: Colour = COLOURS[0]
  #selected: string | undefined
  #added: string | undefined
  #isAddedToType = false

  constructor(actions: BoardActions) {
    this.#actions = actions
    this.surface.style.width = `${BOARD.width}px`
    this.surface.style.height = `${BOARD.height}px`
    const keys =
      'Arrow keys move a shape, Shift and arrow keys resize it, Enter or Space edits its text, Delete removes it.'
    this.element = element(
      'section',
      { class: 'view', 'aria-label': 'Board', 'aria-description': keys },
      this.surface,
      element('p', { class: 'hint' }, 'Drag to draw a box, double-click for a note, or use the buttons above.'),
    )
    this.surface.addEventListener('pointermove', (event) => this.#actions.point(this.#place(event)))
    this.surface.addEventListener('pointerleave', () => this.#actions.point(undefined))
    this.surface.addEventListener('pointerdown', (event) => this.#draw(event))
    document.addEventListener('keydown', keepInPlace)
    this.surface.addEventListener('dblclick', (event) => {
      if (event.target === this.surface) this.#add('note', this.#place(event), SIZES.note, true)
    })
  }

  get colour(): Colour {
    return this.#colour
  }

  show(id: string, shape: Shape): void {
    // A shape that was deleted here but edited elsewhere lacks its other fields.
    if (shape.at === undefined || shape.size === undefined) return
    const view = this.#views.get(id) ?? this.#newView(id)
    view.show({ ...shape, kind: shape.kind ?? 'note', text: shape.text ?? '', colour: shape.colour ?? 'grey' })
    if (id !== this.#added) return
    this.#added = undefined
    if (this.#isAddedToType) view.edit()
    else view.element.focus()
  }

  hide(id: string): void {
    this.#views.get(id)?.element.remove()
    this.#views.delete(id)
    if (this.#selected === id) this.#select(undefined)
  }

  /** Adds a shape in the visible part, and gives it the focus; a note can be typed into at once. */
  addInView(kind: Shape['kind']): void {
    this.#add(kind, this.#placeInView(SIZES[kind]), SIZES[kind], kind === 'note')
  }

  /** Gives a colour to the selected shape and to every new one. */
  paint(colour: Colour): void {
    this.#colour = colour
    if (this.#selected !== undefined) void this.#actions.edit(this.#selected, { colour })
  }

  removeSelected(): void {
    if (this.#selected !== undefined) void this.#actions.remove(this.#selected)
  }

  #placeInView(size: Shape['size']): Point {
    const { scrollLeft: x, scrollTop: y, clientWidth, clientHeight } = this.element
    const visible = { width: Math.min(clientWidth, BOARD.width), height: Math.min(clientHeight, BOARD.height) }
    return freePlace(
      size,
      { at: { x, y }, size: visible },
      Array.from(this.#views.values(), ({ shape }) => shape),
    )
  }

  /** `toType`: also puts the cursor into its text. */
  #add(kind: Shape['kind'], at: Point, size = SIZES[kind] as Shape['size'], toType = false): void {
    this.#added = crypto.randomUUID()
    this.#isAddedToType = toType
    void this.#actions.add(this.#added, { kind, ...onBoard({ at, size }), text: '', colour: this.#colour })
  }

  #newView(id: string): ShapeView {
    const view = new ShapeView(id, this.#actions, () => this.#select(id))
    this.#views.set(id, view)
    this.surface.append(view.element)
    return view
  }

  #select(id: string | undefined): void {
    this.#selected = id
    for (const [other, view] of this.#views) view.element.classList.toggle('is-selected', other === id)
    const selected = id === undefined ? undefined : this.#views.get(id)?.shape
    this.#colour = selected?.colour ?? this.#colour
    this.onSelect(selected)
  }

  /** A drag on the empty board draws a box. A finger scrolls instead. */
  #draw(event: PointerEvent): void {
    if (event.target !== this.surface || event.button !== 0 || event.pointerType === 'touch') return
    const from = this.#place(event)
    const outline = element('div', { class: 'outline' })
    const ended = new AbortController()
    this.surface.append(outline)
    this.surface.setPointerCapture(event.pointerId)
    const spanned = (to: Point): Pick<Shape, 'at' | 'size'> => ({
      at: { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y) },
      size: { width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) },
    })
    const move = (moved: PointerEvent): void => {
      const { at, size } = spanned(this.#place(moved))
      outline.style.cssText = `translate: ${at.x}px ${at.y}px; width: ${size.width}px; height: ${size.height}px`
    }
    const end = (last: PointerEvent): void => {
      ended.abort()
      outline.remove()
      const { at, size } = spanned(this.#place(last))
      if (last.type === 'pointerup' && Math.max(size.width, size.height) >= DRAW_MIN) this.#add('box', at, size)
    }
    const { signal } = ended
    this.surface.addEventListener('pointermove', move, { signal })
    this.surface.addEventListener('pointerup', end, { signal })
    this.surface.addEventListener('pointercancel', end, { signal })
  }

  /** The position of an event on the board. */
  #place({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.surface.getBoundingClientRect()
    return { x: Math.round(clientX - left), y: Math.round(clientY - top) }
  }
}

/** The space bar types and presses buttons. It does not scroll the board away from the user. */
function keepInPlace(event: KeyboardEvent): void {
  const uses = event.target instanceof Element && event.target.closest('button, input, summary, textarea') !== null
  if (event.key === ' ' && !uses) event.preventDefault()
}
