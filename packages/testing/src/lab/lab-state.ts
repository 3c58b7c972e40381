import type { Grid } from 'gossipgrid'

/** What one peer holds, in short. */
export interface PeerState {
  /** The fingerprint of each replicated collection with rows: another peer may not know an empty one yet. */
  readonly collections: ReadonlyMap<string, string>
  /** The fingerprint of each partition that this peer has a copy of. */
  readonly partitions: ReadonlyMap<string, string>
  /** Rows of other peers that wait for their time to come. */
  readonly quarantined: number
  /** Own rows that the owners of their partitions have not confirmed. */
  readonly hints: number
}

/** Reads the state of a grid. */
export function stateOf(grid: Grid): PeerState {
  const { collections, clock } = grid.status()
  const { peer } = grid.pump
  const partitions = new Map<string, string>()
  const partitioned = new Set<string>()
  for (const { title, descriptor, partitions: copies } of peer.collections) {
    if (descriptor.mode !== 'partitioned') continue
    partitioned.add(`${descriptor.kind} "${title}"`)
    for (const { name, replica } of copies) {
      const { high, low } = replica.fingerprint
      partitions.set(`partition ${name.partition} of ${descriptor.kind} "${title}"`, `${high} ${low}`)
    }
  }
  const filled = collections
    .filter(({ rows, tombstones }) => rows + tombstones > 0)
    .map(({ kind, name, fingerprint }) => [`${kind} "${name}"`, fingerprint] as const)
  return {
    collections: new Map(filled.filter(([name]) => !partitioned.has(name))),
    partitions,
    quarantined: clock.heldWrites,
    hints: peer.partitions.hints?.count ?? 0,
  }
}

/** The names of what differs between two peers. Of partitions, only copies that both have are compared. */
export function differences(one: PeerState, other: PeerState): string[] {
  const names = new Set([...one.collections.keys(), ...other.collections.keys()])
  const shared = [...one.partitions.keys()].filter((name) => other.partitions.has(name))
  return [
    ...[...names].filter((name) => one.collections.get(name) !== other.collections.get(name)),
    ...shared.filter((name) => one.partitions.get(name) !== other.partitions.get(name)),
  ]
}
