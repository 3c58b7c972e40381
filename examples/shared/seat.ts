import type { Grid } from 'gossipgrid'

/** What every peer of the examples says of itself in the grid's presence. */
export interface Seat {
  readonly name: string
  /** As CSS writes it. */
  readonly colour: string
  /** Which app this is a tab of; '' for a server peer. */
  readonly app: string
  /** Peers with a direct connection, by the ends of their ids. */
  readonly links: readonly string[]
  /** Entries that it holds. */
  readonly entries: number
  /** Where its pointer is on the board. */
  readonly at?: Point | undefined
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** How often a peer looks whether its connections have changed. */
const LOOK_INTERVAL_MS = 500

/** Takes a seat in the grid and keeps it true, until the function that is returned is called. */
export function announce(grid: Grid, who: Pick<Seat, 'name' | 'colour' | 'app'>): () => void {
  const presence = grid.presence<Seat>()
  const look = (): void => presence.set({ ...presence.get(grid.peerId), ...who, ...standing(grid) })
  look()
  const timer = setInterval(look, LOOK_INTERVAL_MS)
  return () => clearInterval(timer)
}

/** Peer ids are long, and what differs is at their end. */
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
