import type { Grid, GridStatus } from 'gossipgrid'
import type { Cable } from './cable.ts'
import { element } from './element.ts'
import { Loading } from './loading.ts'
import type { Progress } from './loading.ts'

const LOOK_INTERVAL_MS = 250

/**
 * Shows the connected peers and whether writes are stored, with a switch that pulls the cable. While the tab loads the data of
 * the grid, it says how far that is, and fills the bar of the page.
 */
export function connectionBadge(grid: Grid, cable: Cable): HTMLElement {
  const connection = element('span', { role: 'status' })
  const keeping = element('span')
  const text = element('span', { class: 'badge-text' }, connection, ' · ', keeping)
  const toggle = element('button', { class: 'switch', type: 'button', role: 'switch', 'aria-label': 'Connected' })
  toggle.addEventListener('click', () => {
    if (cable.plugged) cable.pull()
    else cable.plug()
    show()
  })
  const badge = element('div', { class: 'badge' }, element('span', { class: 'dot' }), text, toggle)

  const bar = document.querySelector<HTMLProgressElement>('.loading')
  const loading = new Loading()
  let ready = false
  // Closing rejects it, and then nothing is loaded any more.
  void grid
    .ready()
    .finally(() => (ready = true))
    .catch(() => undefined)
  const show = (): void => {
    const status = grid.status()
    const loaded = loading.next(status.convergence, ready)
    if (bar !== null) fill(bar, loaded)
    const peers = grid.members.filter(({ self, connected }) => connected && !self).length
    badge.dataset['state'] = peers > 0 ? 'online' : 'offline'
    toggle.setAttribute('aria-checked', String(cable.plugged))
    toggle.title = cable.plugged ? 'Pull the cable of this tab' : 'Plug it in again'
    update(connection, connectionText(peers, cable.plugged))
    update(keeping, loaded === undefined ? keepingText(status) : loadingText(loaded))
  }
  show()
  setInterval(show, LOOK_INTERVAL_MS)
  return badge
}

function connectionText(peers: number, plugged: boolean): string {
  if (!plugged) return 'Unplugged'
  if (peers === 0) return 'Looking for peers'
  return peers === 1 ? '1 peer' : `${peers} peers`
}

/** Whether the grid stores writes of this tab so that they survive a reload. */
function keepingText({ storage, backlog }: GridStatus): string {
  if (!storage.healthy) return `not kept: ${storage.error}`
  if (!storage.persistent) return 'kept until this tab closes'
  return backlog.undurableBytes > 0 ? 'saving' : 'saved here'
}

function loadingText(loaded: number | 'waiting'): string {
  return loaded === 'waiting' ? 'loading' : `loading ${Math.floor(100 * loaded)} %`
}

function fill(bar: HTMLProgressElement, loaded: Progress): void {
  bar.hidden = loaded === undefined
  if (typeof loaded === 'number') bar.value = loaded
  else bar.removeAttribute('value')
}

/** Screen readers read a text again whenever it is set, so set it only when it changes. */
function update(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text
}
