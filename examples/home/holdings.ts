import type { Convergence, Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { namesOf } from '../shared/names.ts'
import { shortId } from '../shared/seat.ts'
import type { Seat } from '../shared/seat.ts'

const LOOK_INTERVAL_MS = 500
const NAMELESS = 'a peer without a name'

/** The number of entries that each peer reports, and how this tab compares with its neighbours. */
export function holdings(grid: Grid): HTMLElement {
  const rows = element('tbody')
  const head = ['Peer', 'Entries', 'Connected to'].map((title) => element('th', { scope: 'col' }, title))
  const verdict = element('p', { class: 'verdict', role: 'status' })
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...head)), rows)
  let drawn = ''
  const draw = (): void => {
    const seats = grid.presence<Seat>().entries()
    const names = namesOf(seats)
    const cells = seats
      .map(([peerId, { entries, links }]) => [
        peerId === grid.peerId ? `${names.get(peerId)}, this tab` : names.get(peerId)!,
        entries.toLocaleString('en'),
        linksText(links, names),
      ])
      .toSorted(([a = ''], [b = '']) => a.localeCompare(b))
    const text = verdictText(grid.status().convergence, names)
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

/** The convergence in words, with the name of a peer instead of its id. */
export function verdictText(
  { text, worst }: Pick<Convergence, 'text' | 'worst'>,
  names: ReadonlyMap<string, string>,
): string {
  return worst === undefined ? text : text.replace(/\S*…\S*/, names.get(worst.peerId) ?? NAMELESS)
}

/** The peers at the other ends of its connections. Peers without a seat, as of a program that only reads, have no name. */
function linksText(links: readonly string[], names: ReadonlyMap<string, string>): string {
  const byLink = new Map([...names].map(([peerId, name]) => [shortId(peerId), name]))
  const named = links.flatMap((link) => byLink.get(link) ?? []).toSorted()
  const nameless = links.length - named.length
  const others = nameless === 0 ? [] : [nameless === 1 ? NAMELESS : `${nameless} peers without a name`]
  return [...named, ...others].join(', ') || 'no peer'
}
