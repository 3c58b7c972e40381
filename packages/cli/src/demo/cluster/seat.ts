import type { Grid } from 'gossipgrid'

const SEAT_INTERVAL_MS = 500
const COLOURS = ['#3f74e0', '#1499a8', '#3a9d5d', '#d18411', '#8a5be0'] as const

/** The presence of each peer as the pages of the demo read it: see `examples/shared/seat.ts`. */
interface Seat {
  readonly name: string
  readonly colour: string
  readonly app: ''
  readonly links: readonly string[]
  readonly entries: number
}

/** Shows a peer of the demo to the pages, with its connections and its number of entries, while its grid is open. */
export function takeSeat(grid: Grid, number: number): void {
  const presence = grid.presence<Seat>()
  const look = (): void => {
    const { peers, collections } = grid.status()
    presence.set({
      name: `peer ${number}`,
      colour: COLOURS[(number - 1) % COLOURS.length]!,
      app: '',
      links: peers.filter(({ connected }) => connected).map(({ peerId }) => peerId.slice(-8)),
      entries: collections.reduce((sum, collection) => sum + collection.entries, 0),
    })
  }
  look()
  const timer = setInterval(look, SEAT_INTERVAL_MS)
  grid.on('close', () => clearInterval(timer))
}
