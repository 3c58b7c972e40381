import type { Grid } from 'gossipgrid'
import { namesOf } from './names.ts'
import { shortId } from './seat.ts'
import type { Seat } from './seat.ts'

const WIDTH = 260
const HEIGHT = 200
const MARGIN = 44
const LOOK_INTERVAL_MS = 500
const SVG = 'http://www.w3.org/2000/svg'

interface Node {
  readonly id: string
  readonly seat: Seat
  readonly self: boolean
  readonly x: number
  readonly y: number
}

/** A live picture of the peers of a grid and their connections, from each peer's report. */
export function peerGraph(grid: Grid): SVGSVGElement {
  const picture = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'graph' }) as SVGSVGElement
  let drawn = ''
  const draw = (): void => {
    const nodes = nodesOf(grid)
    const edges = edgesOf(nodes)
    const shown = JSON.stringify([nodes, edges.map(([a, b]) => [a.id, b.id])])
    if (shown === drawn) return
    drawn = shown
    picture.setAttribute('aria-label', textOf(nodes, edges))
    picture.replaceChildren(...edges.map(([a, b]) => line(a, b)), ...nodes.map(circle))
  }
  draw()
  setInterval(draw, LOOK_INTERVAL_MS)
  return picture
}

/** All peers with a seat, around a circle, in the same order in every tab. */
function nodesOf(grid: Grid): Node[] {
  const seats = grid.presence<Seat>().entries()
  const names = namesOf(seats)
  const nameOf = (peerId: string): string => names.get(peerId)!
  const inOrder = seats.toSorted(([a], [b]) => nameOf(a).localeCompare(nameOf(b)))
  return inOrder.map(([peerId, seat], i) => {
    const angle = (2 * Math.PI * i) / seats.length - Math.PI / 2
    const [rx, ry] = [WIDTH / 2 - MARGIN, HEIGHT / 2 - MARGIN]
    const x = Math.round(WIDTH / 2 + rx * Math.cos(angle))
    return {
      id: shortId(peerId),
      seat: { ...seat, name: nameOf(peerId), at: undefined },
      self: peerId === grid.peerId,
      x,
      y: Math.round(HEIGHT / 2 + ry * Math.sin(angle)),
    }
  })
}

/** Two peers are connected as soon as either of them says so. */
function edgesOf(nodes: readonly Node[]): [Node, Node][] {
  return nodes.flatMap((a, i) =>
    nodes
      .slice(i + 1)
      .filter((b) => a.seat.links.includes(b.id) || b.seat.links.includes(a.id))
      .map((b): [Node, Node] => [a, b]),
  )
}

function textOf(nodes: readonly Node[], edges: readonly (readonly [Node, Node])[]): string {
  const pairs = edges.map(([a, b]) => `${named(a)} and ${named(b)}`)
  return pairs.length === 0 ? `${nodes.map(named).join(', ')}: not connected` : `Connected: ${pairs.join(', ')}`
}

function named({ seat, self }: Node): string {
  return self ? `${seat.name} (this tab)` : seat.name
}

function line(a: Node, b: Node): SVGElement {
  return svg('line', { x1: a.x, y1: a.y, x2: b.x, y2: b.y, class: a.self || b.self ? 'link own' : 'link' })
}

function circle({ x, y, seat, self }: Node): SVGElement {
  const shape =
    seat.app === ''
      ? svg('rect', { x: x - 8, y: y - 8, width: 16, height: 16, rx: 4, fill: seat.colour })
      : svg('circle', { cx: x, cy: y, r: 9, fill: seat.colour, class: self ? 'self' : '' })
  const name = svg('text', { x, y: y < HEIGHT / 2 ? y - 15 : y + 24, class: self ? 'self' : '' })
  name.textContent = self ? `${seat.name}, you` : seat.name
  return svg('g', {}, shape, name)
}

function svg(
  tag: string,
  attributes: Readonly<Record<string, string | number>>,
  ...children: SVGElement[]
): SVGElement {
  const made = document.createElementNS(SVG, tag) as SVGElement
  for (const [name, text] of Object.entries(attributes)) made.setAttribute(name, String(text))
  made.append(...children)
  return made
}
