import type { Grid } from 'gossipgrid'
import { element } from '../shared/element.ts'
import { namesOf } from '../shared/names.ts'
import type { Seat } from '../shared/seat.ts'

const LOOK_INTERVAL_MS = 500
const SVG = 'http://www.w3.org/2000/svg'
/** The letters of a seat: partitions that a peer owns and has, that are on their way to it, and that it still has for others. */
const STATES = [
  ['w', 'whole'],
  ['c', 'coming'],
  ['h', 'leaving'],
] as const
/** What is drawn of each peer, at most: partitions of a map are at most 4,096. */
const LETTERS_MAX = 4096

/** A square for each peer of the demo, with a cell for each partition of its map. Hidden in a grid without a partitioned map. */
export function partitionSquares(grid: Grid): HTMLElement {
  const list = element('ul')
  const section = element(
    'section',
    { class: 'squares', 'aria-labelledby': 'partitions', hidden: '' },
    element('h2', { id: 'partitions' }, 'Partitions'),
    element(
      'p',
      {},
      'A cell is a partition: blue where the peer has it, amber on its way there, grey until others have it.',
    ),
    list,
  )
  let drawn = ''
  const draw = (): void => {
    const squares = squaresOf(grid)
    const shown = JSON.stringify(squares)
    if (shown === drawn) return
    drawn = shown
    section.hidden = squares.length === 0
    list.replaceChildren(...squares.map(square))
  }
  draw()
  setInterval(draw, LOOK_INTERVAL_MS)
  return section
}

interface Square {
  readonly name: string
  readonly letters: string
}

function squaresOf(grid: Grid): Square[] {
  const seats = grid.presence<Seat>().entries()
  const names = namesOf(seats)
  const squares = seats.flatMap(([peerId, { partitions }]): Square[] => {
    // Anybody may write a seat.
    if (typeof partitions !== 'string' || partitions === '') return []
    return [{ name: names.get(peerId)!, letters: partitions.slice(0, LETTERS_MAX) }]
  })
  return squares.toSorted((a, b) => a.name.localeCompare(b.name))
}

function square({ name, letters }: Square): HTMLElement {
  const side = Math.ceil(Math.sqrt(letters.length))
  const picture = document.createElementNS(SVG, 'svg')
  picture.setAttribute('viewBox', `0 0 ${side} ${side}`)
  picture.setAttribute('aria-hidden', 'true')
  for (const [letter, name] of STATES) {
    const cells = document.createElementNS(SVG, 'path')
    cells.setAttribute('class', name)
    cells.setAttribute('d', pathOf(letters, letter, side))
    picture.append(cells)
  }
  return element('li', {}, picture, element('p', {}, squareText(name, letters)))
}

/** A small square for each cell with that letter, row by row. */
function pathOf(letters: string, letter: string, side: number): string {
  const cells = letters.split('').flatMap((each, i) => {
    return each === letter ? [`M${(i % side) + 0.1} ${Math.floor(i / side) + 0.1}h.8v.8h-.8z`] : []
  })
  return cells.join('')
}

/** What the square shows, in words. */
export function squareText(name: string, letters: string): string {
  const [whole, coming, leaving] = STATES.map(([letter]) => letters.split(letter).length - 1)
  const parts = [
    `${whole} here`,
    ...(coming === 0 ? [] : [`${coming} on their way`]),
    ...(leaving === 0 ? [] : [`${leaving} for others`]),
  ]
  return `${name}: ${parts.join(', ')}`
}
