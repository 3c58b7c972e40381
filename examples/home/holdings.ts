import type { Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { shortId } from '../shared/seat.ts'
import type { Seat } from '../shared/seat.ts'

const LOOK_INTERVAL_MS = 500

/** The number of entries that each peer reports, and how this tab compares with its neighbours. */
export function holdings(grid: Grid): HTMLElement {
  const rows = element('tbody')
  const head = ['Peer', 'Entries', 'Connected to'].map((title) => element('th', { scope: 'col' }, title))
  const verdict = element('p', { class: 'verdict', role: 'status' })
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...head)), rows)
  let drawn = ''
  const draw = (): void => {
    const seats = grid.presence<Seat>().entries()
    const names = new Map(seats.map(([peerId, { name }]) => [shortId(peerId), name]))
    const cells = seats
      .map(([peerId, { name, entries, links }]) => [
        peerId === grid.peerId ? `${name}, this tab` : name,
        entries.toLocaleString('en'),
        links
          .map((id) => names.get(id) ?? id)
          .toSorted()
          .join(', ') || 'no peer',
      ])
      .toSorted(([a = ''], [b = '']) => a.localeCompare(b))
    const { text } = grid.status().convergence
    const shown = JSON.stringify([cells, text])
    if (shown === drawn) return
    drawn = shown
    verdict.textContent = text
    rows.replaceChildren(
      ...cells.map(([name = '', ...rest]) =>
        element('tr', {}, element('th', { scope: 'row' }, name), ...rest.map((cell) => element('td', {}, cell))),
      ),
    )
  }
  draw()
  setInterval(draw, LOOK_INTERVAL_MS)
  return element('div', { class: 'holdings' }, verdict, table)
}
