import type { Grid, PartitionedMap } from 'gossipgrid'

/** What a call says of a map that may not exist yet. */
export interface WantedShape {
  readonly partitioned: boolean
  readonly owners?: number | undefined
  readonly partitions?: number | undefined
}

/** The partitioned map of that name, if that is what is here, or what is wanted. */
export function partitionedMap(grid: Grid, name: string, wanted?: WantedShape): PartitionedMap<unknown> | undefined {
  const known = grid.collections().find((collection) => collection.name === name)
  // One that exists and is replicated is refused by the grid, in its own words.
  if (known?.partitions === undefined)
    return wanted?.partitioned === true ? grid.map(name, { mode: 'partitioned', ...numbersOf(wanted) }) : undefined
  if (known.kind !== 'map' && known.kind !== 'fields') return undefined
  const merge = known.kind === 'fields' ? 'fields' : 'value'
  return grid.map(name, { mode: 'partitioned', merge, ...numbersOf(known), ...numbersOf(wanted ?? {}) })
}

function numbersOf({ owners, partitions }: Pick<Partial<WantedShape>, 'owners' | 'partitions'>): {
  owners?: number
  partitions?: number
} {
  return { ...(owners === undefined ? {} : { owners }), ...(partitions === undefined ? {} : { partitions }) }
}
