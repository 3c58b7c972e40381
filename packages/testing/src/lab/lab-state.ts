import type { Grid } from 'gossipgrid'

/** What one peer holds: for each collection its fingerprint, and how many rows wait for their time to come. */
export type PeerState = ReadonlyMap<string, string>

/** Reads the state of a grid. Collections without rows are left out: another peer may not know them yet. */
export function stateOf(grid: Grid): PeerState {
  const { collections, clock } = grid.status()
  const filled = collections.filter(({ rows, tombstones }) => rows + tombstones > 0)
  const state = new Map(filled.map(({ kind, name, fingerprint }) => [`${kind} "${name}"`, fingerprint]))
  if (clock.heldWrites > 0) state.set('the quarantine', `${clock.heldWrites} rows`)
  return state
}

/** The names of what differs between two peers. */
export function differences(one: PeerState, other: PeerState): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name))
}
