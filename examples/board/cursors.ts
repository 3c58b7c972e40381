import type { Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'
import type { Seat } from '../shared/seat.ts'

/** Shows the pointers of other users while they are over the board. */
export function showCursors(grid: Grid, surface: HTMLElement): void {
  const cursors = new Map<string, HTMLElement>()
  grid.presence<Seat>().on('change', ({ peerId, state }) => {
    if (peerId === grid.peerId) return
    const at = state?.at
    if (state === undefined || at === undefined) {
      cursors.get(peerId)?.remove()
      cursors.delete(peerId)
      return
    }
    const cursor = cursors.get(peerId) ?? element('div', { class: 'cursor', 'aria-hidden': 'true' })
    cursors.set(peerId, cursor)
    cursor.textContent = state.name
    cursor.style.setProperty('--colour', state.colour)
    cursor.style.translate = `${at.x}px ${at.y}px`
    if (!cursor.isConnected) surface.append(cursor)
  })
}
