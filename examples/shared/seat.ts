import type { Grid } from 'gossipgrid'

/** The presence of every peer of the examples. */
export interface Seat {
  readonly name: string
  /** In CSS syntax. */
  readonly colour: string
  /** The app of the tab; '' for a server peer. */
  readonly app: string
  /** Peers with a direct connection, by the ends of their ids. */
  readonly links: readonly string[]
  /** Its number of entries. */
  readonly entries: number
  /** The position of its pointer on the board. */
  readonly at?: Point | undefined
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** How often a peer checks whether its connections have changed. */
const LOOK_INTERVAL_MS = 500

/** Takes a seat in the grid and keeps it up to date. Returns a function that leaves it. */
export function announce(grid: Grid, who: Pick<Seat, 'name' | 'colour' | 'app'>): () => void {
  const presence = grid.presence<Seat>()
  const look = (): void => presence.set({ ...presence.get(grid.peerId), ...who, ...standing(grid) })
  look()
  const timer = setInterval(look, LOOK_INTERVAL_MS)
  return () => clearInterval(timer)
}

/** Peer ids are long, and differ at their end. */
export function shortId(peerId: string): string {
  return peerId.slice(-8)
}

function standing(grid: Grid): Pick<Seat, 'links' | 'entries'> {
  const { peers, collections } = grid.status()
  return {
    links: peers.filter(({ connected }) => connected).map(({ peerId }) => shortId(peerId)),
    entries: collections.reduce((sum, { entries }) => sum + entries, 0),
  }
}
