import type { Grid } from 'gossipgrid'
import type { PartitionCopy, PartitionsState } from './peer-calls.ts'

/** The code of maps in names of partitions. Peers store and send it, so it stays. */
const MAP_CODE = 1

/** What a peer has of a partitioned map, as a picture and in numbers. */
export function partitionsState(grid: Grid, map: string): PartitionsState {
  const { partitions, sessions } = grid.metrics()
  const { underReplicated, hints } = partitions
  return { picture: pictureOf(grid, map), underReplicated, hints, movedRows: sessions.rowsReceived }
}

/** A letter for each partition: see `PartitionsState`. */
export function pictureOf(grid: Grid, map: string): string {
  const { collections, partitions } = grid.pump.peer
  const { placement } = collections
  const count = partitions.registered(map)?.partitions ?? 0
  const letters = Array.from({ length: count }, (_, index) => {
    const name = { collection: map, kind: MAP_CODE, partition: count + index }
    const owners = placement.owners(name)
    if (typeof owners !== 'string' && owners.has(grid.peerId)) return partitions.isWhole(name) ? 'w' : 'c'
    return placement.holds(name) ? 'h' : '.'
  })
  return letters.join('')
}

/**
 * The copies that a peer has of a partitioned map. A read would ask one of the owners, whichever is near; the demo is to know what each
 * of them has, which the grid tells no application.
 */
export function copiesAt(grid: Grid, map: string): PartitionCopy[] {
  const copies: PartitionCopy[] = []
  for (const { name, replica } of partitionsAt(grid, map)) {
    const { table } = replica
    const entries: [string, number][] = []
    for (const slot of table.slots()) if (!table.deleted(slot)) entries.push([table.key(slot), table.hlc(slot)])
    copies.push({ index: indexOf(name), entries })
  }
  return copies
}

/** Some entry of a copy here. */
export function anEntryAt(grid: Grid, map: string): { readonly partition: object; readonly key: string } {
  for (const partition of partitionsAt(grid, map)) {
    const { table } = partition.replica
    for (const slot of table.slots()) if (!table.deleted(slot)) return { partition, key: table.key(slot) }
  }
  throw new Error('this peer has no entry')
}

function partitionsAt(grid: Grid, map: string): CollectionHere['partitions'] {
  return [...grid.pump.peer.collections].find(({ title }) => title === map)?.partitions ?? []
}

type CollectionHere = NonNullable<ReturnType<Grid['pump']['peer']['collections']['get']>>

/** A partition goes by its number and that of all partitions, added up. */
function indexOf({ partition }: { readonly partition: number }): number {
  const count = 2 ** Math.floor(Math.log2(partition))
  return partition - count
}
