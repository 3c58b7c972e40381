import type { Partition, PartitionCursor, Replica } from '@gossipgrid/core'

interface Standing {
  readonly cursor: PartitionCursor
  /** `GroupCommit.changes` when the cursor was last found to have all. */
  changes: number
}

/** What a guest got, and where it stands then. */
interface Shared<Piece> {
  readonly changes: number
  readonly piece: Piece
  readonly cursor: PartitionCursor
}

/**
 * What guests of a member read alike. Guests that have all of a map stand at one cursor: whether there is anything new is looked up once for all of
 * them, and guests with the same grants get one piece, which is put together and encoded once.
 */
export class SharedReads<Piece> {
  readonly #standing = new WeakMap<Partition, Standing>()
  readonly #pieces = new WeakMap<PartitionCursor, Map<string, Shared<Piece>>>()

  /** Whether a cursor of a connected guest has all of a map. False also where that is not known at once. */
  hasAll(partition: Partition, cursor: PartitionCursor, changes: number): boolean {
    const standing = this.#standing.get(partition)
    if (standing?.cursor !== cursor) return false
    if (standing.changes !== changes && !isAllOf(partition.replica, cursor)) return false
    standing.changes = changes
    return true
  }

  /** The one cursor of all that have all of a map, if this one has. */
  common(partition: Partition, cursor: PartitionCursor, changes: number): PartitionCursor {
    if (!isAllOf(partition.replica, cursor)) return cursor
    const standing = this.#standing.get(partition)
    if (standing !== undefined && isAllOf(partition.replica, standing.cursor)) {
      standing.changes = changes
      return standing.cursor
    }
    this.#standing.set(partition, { cursor, changes })
    return cursor
  }

  /** What a guest has got that stood at this cursor and reads the same keys. */
  find(since: PartitionCursor, reading: string, changes: number): Shared<Piece> | undefined {
    const shared = this.#pieces.get(since)?.get(reading)
    return shared?.changes === changes ? shared : undefined
  }

  keep(since: PartitionCursor, reading: string, shared: Shared<Piece>): void {
    const pieces = this.#pieces.get(since) ?? new Map<string, Shared<Piece>>()
    pieces.set(reading, shared)
    this.#pieces.set(since, pieces)
  }
}

function isAllOf({ floor, vector }: Replica, { isFilling, seen }: PartitionCursor): boolean {
  if (isFilling || seen.strangers.size > 0 || (seen.floor?.hash ?? floor.hash) !== floor.hash) return false
  return vector.covers(seen) && seen.covers(vector)
}
