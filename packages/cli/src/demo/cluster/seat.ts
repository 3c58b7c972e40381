import type { Grid } from 'gossipgrid'
import { pictureOf } from './own-copies.ts'

const SEAT_INTERVAL_MS = 500
const COLOURS = [
  ...['#3f74e0', '#1499a8', '#3a9d5d', '#d18411', '#8a5be0'],
  ...['#c4487c', '#6f7d1c', '#b0562a', '#56759c'],
] as const

/** The presence of each peer as the pages of the demo read it: see `examples/shared/seat.ts`. */
interface Seat {
  readonly name: string
  readonly colour: string
  readonly app: ''
  readonly links: readonly string[]
  readonly entries: number
  /** A letter for each partition of the demo's map: see `PartitionsState`. */
  readonly partitions?: string
}

/**
 * Shows a peer of the demo to the pages, with its connections and its number of entries, while its grid is open; with the name of a
 * partitioned map, what it has of that as well.
 */
export function takeSeat(grid: Grid, number: number, partitionedMap?: string): void {
  const presence = grid.presence<Seat>()
  const look = (): void => {
    const { peers, collections } = grid.status()
    presence.set({
      name: `peer ${number}`,
      colour: COLOURS[(number - 1) % COLOURS.length]!,
      app: '',
      links: peers.filter(({ connected }) => connected).map(({ peerId }) => peerId.slice(-8)),
      entries: collections.reduce((sum, collection) => sum + collection.entries, 0),
      ...(partitionedMap !== undefined && { partitions: pictureOf(grid, partitionedMap) }),
    })
  }
  look()
  const timer = setInterval(look, SEAT_INTERVAL_MS)
  grid.on('close', () => clearInterval(timer))
}
