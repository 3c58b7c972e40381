import { element } from '../shared/element.ts'
import type { Board } from './board.ts'
import { COLOURS } from './shape.ts'

/** All actions of a pointer on the board, for users without one, and some that touch screens lack. */
export function toolbar(board: Board): HTMLElement {
  const note = element('button', { class: 'button', type: 'button' }, 'Add note')
  const box = element('button', { class: 'button', type: 'button' }, 'Add box')
  const remove = element('button', { class: 'button', type: 'button' }, 'Delete')
  remove.disabled = true
  note.addEventListener('click', () => board.addInView('note'))
  box.addEventListener('click', () => board.addInView('box'))
  remove.addEventListener('click', () => board.removeSelected())
  const swatches = COLOURS.map((colour) => {
    const radio = element('input', { type: 'radio', name: 'colour', class: `swatch ${colour}`, 'aria-label': colour })
    radio.checked = colour === board.colour
    radio.addEventListener('change', () => board.paint(colour))
    return radio
  })
  board.onSelect = (selected) => {
    remove.disabled = selected === undefined
    if (selected !== undefined) swatches[COLOURS.indexOf(selected.colour)]!.checked = true
  }
  return element(
    'div',
    { class: 'tools', role: 'toolbar', 'aria-label': 'Tools' },
    note,
    box,
    remove,
    element('fieldset', { class: 'swatches' }, element('legend', { class: 'visually-hidden' }, 'Colour'), ...swatches),
  )
}
