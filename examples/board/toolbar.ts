import { element } from '../shared/element.ts'
import type { Board } from './board.ts'
import { COLOURS } from './shape.ts'

/** Everything that a pointer can do on the board, for those who have none: adding, and colours. */
export function toolbar(board: Board): HTMLElement {
  const note = element('button', { class: 'button', type: 'button' }, 'Add note')
  const box = element('button', { class: 'button', type: 'button' }, 'Add box')
  note.addEventListener('click', () => board.addInView('note'))
  box.addEventListener('click', () => board.addInView('box'))
  const swatches = COLOURS.map((colour) => {
    const radio = element('input', { type: 'radio', name: 'colour', class: `swatch ${colour}`, 'aria-label': colour })
    radio.checked = colour === board.colour
    radio.addEventListener('change', () => board.paint(colour))
    return radio
  })
  board.onColour = (colour) => (swatches[COLOURS.indexOf(colour)]!.checked = true)
  return element(
    'div',
    { class: 'tools', role: 'toolbar', 'aria-label': 'Tools' },
    note,
    box,
    element('fieldset', { class: 'swatches' }, element('legend', { class: 'visually-hidden' }, 'Colour'), ...swatches),
  )
}
