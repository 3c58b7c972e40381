import type { Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'

const LOOK_INTERVAL_MS = 250

/** Shows whether a member serves this page, and what waits to be sent. */
export function guestBadge(grid: Grid): HTMLElement {
  const text = element('span', { role: 'status' })
  const badge = element('div', { class: 'badge' }, element('span', { class: 'dot' }), text)
  const show = (): void => {
    const { state, waitingWrites } = grid.status().guest!
    badge.dataset['state'] = state === 'connected' ? 'online' : 'offline'
    const waiting = waitingWrites === 0 ? '' : ` · ${waitingWrites} to be sent`
    const words = `${state === 'connected' ? 'Connected' : 'Offline'}${waiting}`
    if (text.textContent !== words) text.textContent = words
  }
  show()
  setInterval(show, LOOK_INTERVAL_MS)
  return badge
}
