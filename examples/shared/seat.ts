import type { Grid } from 'gossipgrid'
import { namesOf } from './names.ts'
import type { NameWish } from './names.ts'

/** The presence of every peer of the examples. */
export interface Seat extends NameWish {
  /** In CSS syntax. */
  readonly colour: string
  /** The app of the tab; '' for a server peer. */
  readonly app: string
  /** Peers with a direct connection, by the ends of their ids. */
  readonly links: readonly string[]
  /** Its number of entries. */
  readonly entries: number
  /** A letter for each partition of the demo's map, of a peer that takes part: see `home/partition-squares.ts`. */
  readonly partitions?: string | undefined
  /** The position of its pointer on the board. */
  readonly at?: Point | undefined
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** How often a peer checks whether its connections have changed. */
const LOOK_INTERVAL_MS = 500

/**
 * Takes a seat in the grid and keeps it up to date. Where another peer that came first has the name, the seat gets a free one and
 * keeps it; `renamed` is then called with it. Returns a function that leaves the seat.
 */
export function announce(
  grid: Grid,
  { name, ...who }: Omit<Seat, 'links' | 'entries' | 'at'>,
  renamed: (name: string) => void = () => undefined,
): () => void {
  const presence = grid.presence<Seat>()
  let own = name
  const look = (): void => presence.set({ ...presence.get(grid.peerId), ...who, name: own, ...standing(grid) })
  const giveWay = (): void => {
    const given = namesOf(presence.entries()).get(grid.peerId)
    if (given === undefined || given === own) return
    own = given
    look()
    renamed(given)
  }
  look()
  const timer = setInterval(look, LOOK_INTERVAL_MS)
  const ended = new AbortController()
  presence.on('change', giveWay, { signal: ended.signal })
  return () => {
    clearInterval(timer)
    ended.abort()
  }
}

/** Peer ids are long, and differ at their end. */
export function shortId(peerId: string): string {
  return peerId.slice(-8)
}

function standing(grid: Grid): Pick<Seat, 'links' | 'entries'> {
  const { peers, collections } = grid.status()
  return {
    links: peers.filter(({ connected }) => connected).map(({ peerId }) => shortId(peerId)),
    entries: collections.reduce((sum, collection) => sum + collection.entries, 0),
  }
}
