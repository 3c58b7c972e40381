import type { Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { namesOf } from '../shared/names.ts'
import type { Seat } from '../shared/seat.ts'

/** Shows the pointers of other users while they are over the board. */
export function showCursors(grid: Grid, surface: HTMLElement): void {
  const cursors = new Map<string, HTMLElement>()
  const presence = grid.presence<Seat>()
  presence.on('change', ({ peerId, state }) => {
    if (peerId === grid.peerId) return
    const at = state?.at
    if (state === undefined || at === undefined) {
      cursors.get(peerId)?.remove()
      cursors.delete(peerId)
    } else {
      const cursor = cursors.get(peerId) ?? element('div', { class: 'cursor', 'aria-hidden': 'true' })
      cursors.set(peerId, cursor)
      cursor.style.setProperty('--colour', state.colour)
      cursor.style.translate = `${at.x}px ${at.y}px`
      if (!cursor.isConnected) surface.append(cursor)
    }
    // Any peer that comes or goes may change the names of others.
    const names = namesOf(presence.entries())
    for (const [id, cursor] of cursors) cursor.textContent = names.get(id) ?? ''
  })
}
