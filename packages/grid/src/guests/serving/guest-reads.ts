import { changesSince, entryKeyOf, fromStart, isSwept } from '@gossipgrid/core'
import type { Collections, Partition, PartitionCursor, Peer, Row } from '@gossipgrid/core'
import { covers, mapsOf, readingKey } from '../grants.ts'
import type { Grant } from '../grants.ts'
import { MAP_KINDS } from '../map-kinds.ts'
import type { SentRow } from '../messages.ts'
import type { SealedCursor } from './cursor-seal.ts'

/** A guest whose maps change in what it does not see gets a cursor this often, so that it need not start again after a long time. */
const CURSOR_GAP_MS = 300_000

/** A map that a guest follows. */
interface Followed {
  readonly partition: Partition
  readonly reading: string
  cursor: PartitionCursor
  /** What the guest has of it is void. */
  isReset: boolean
  /** `GroupCommit.changes` when the guest had all that there was; -1 before. */
  changes: number
  /** When it was last given a cursor, in monotonic milliseconds. */
  givenAtMs: number
}

/** A part of what a guest lacks of one map. */
export interface ReadPiece {
  readonly map: string
  readonly kind: number
  readonly isReset: boolean
  readonly rows: readonly SentRow[]
  readonly more: boolean
  /** The latest date of the rows. */
  readonly hlc: number
  /** Where the guest is after this piece; undefined where it could not go on from there. */
  readonly partition: Partition
  readonly sealed: SealedCursor | undefined
}

/** The replicated map of that name here, of whole values or of fields. */
export function mapPartition(collections: Collections, map: string): Partition | undefined {
  const name = collections.dropped.current(map)
  const found = MAP_KINDS.map((kind) => collections.get(name, kind)?.partitions[0])
  const usable = found.filter((partition) => partition !== undefined && partition.mismatch === undefined)
  return usable.find((partition) => !partition!.replica.vector.isEmpty) ?? usable[0]
}

/** What one guest lacks of the maps that its pass covers. Everything that it gives out is covered by the grants. */
export class GuestReads {
  readonly #peer: Peer
  readonly #wallMs: () => number
  readonly #followed = new Map<string, Followed>()
  #grants: readonly Grant[]
  #maps: readonly string[]

  /** `cursors` are those of an earlier connection. */
  constructor(
    peer: Peer,
    wallMs: () => number,
    grants: readonly Grant[],
    cursors: ReadonlyMap<string, { readonly partition: Partition; readonly sealed: SealedCursor }>,
  ) {
    this.#peer = peer
    this.#wallMs = wallMs
    this.#grants = grants
    this.#maps = mapsOf(grants)
    for (const [map, { partition, sealed }] of cursors) {
      const reading = readingKey(grants, map)
      // A cursor of other grants says nothing of what these cover.
      if (sealed.reading !== reading) continue
      this.#followed.set(map, { partition, reading, cursor: sealed.cursor, isReset: false, ...NOT_LOOKED })
    }
  }

  /** From here on other grants count. What they read otherwise is sent again. */
  regrant(grants: readonly Grant[]): void {
    this.#grants = grants
    this.#maps = mapsOf(grants)
    for (const [map, { reading }] of this.#followed) if (reading !== readingKey(grants, map)) this.#followed.delete(map)
  }

  /** What was put together of a map was not sent: it begins again. */
  restart(map: string): void {
    this.#followed.delete(map)
  }

  /** The next piece; undefined when the guest has all that there is now. */
  next(): ReadPiece | undefined {
    for (const map of this.#maps) {
      const piece = this.#nextOf(map)
      if (piece !== undefined) return piece
    }
    return undefined
  }

  /** What a row is now, for a guest that may read it, and its date. */
  rowOf(
    partition: Partition | undefined,
    map: string,
    rowKey: string,
  ): { readonly bytes: Uint8Array | undefined; readonly hlc: number } | undefined {
    if (partition === undefined) return undefined
    if (!covers(this.#grants, 'read', map, entryKeyOf(partition.name.kind, rowKey))) return undefined
    const { replica } = partition
    const slot = replica.table.slotOf(rowKey)
    return slot === undefined ? undefined : { bytes: bytesOf(replica.row(slot)), hlc: replica.table.hlc(slot) }
  }

  #nextOf(map: string): ReadPiece | undefined {
    const { collections, commit } = this.#peer
    const partition = mapPartition(collections, map)
    const known = this.#followed.get(map)
    if (partition === undefined) {
      if (known === undefined) return undefined
      this.#followed.delete(map)
      return { map, kind: known.partition.name.kind, ...VOID, partition: known.partition }
    }
    const followed = known?.partition === partition ? known : this.#begin(map, partition)
    if (followed.changes === commit.changes) return undefined
    const { changes: now } = commit
    const follows = (key: string): boolean => covers(this.#grants, 'read', map, key)
    const wasReset = followed.isReset
    const { name } = partition
    const { cursor, keys, more, reset } = changesSince(collections, name, followed.cursor, follows, this.#wallMs())
    followed.cursor = cursor
    followed.isReset = false
    if (!more) followed.changes = now
    const isReset = wasReset || reset
    const isDue = performance.now() - followed.givenAtMs >= CURSOR_GAP_MS
    if (keys.length === 0 && !isReset && !more && !isDue) return undefined
    followed.givenAtMs = performance.now()
    const found = keys.flatMap((each) => each.rows)
    const rows = found.map((row) => ({ rowKey: row.key, bytes: bytesOf(row) }))
    const hlc = found.reduce((latest, row) => Math.max(latest, row.hlc), 0)
    const sealed = more ? undefined : { cursor, reading: followed.reading }
    return { map, kind: name.kind, isReset, rows, more, hlc, partition, sealed }
  }

  #begin(map: string, partition: Partition): Followed {
    const followed = {
      partition,
      reading: readingKey(this.#grants, map),
      cursor: fromStart(this.#wallMs()),
      isReset: true,
      ...NOT_LOOKED,
    }
    this.#followed.set(map, followed)
    return followed
  }
}

const NOT_LOOKED = { changes: -1, givenAtMs: -Infinity } as const
const VOID = { isReset: true, rows: [], more: false, hlc: 0, sealed: undefined } as const

/** The bytes of a row, in memory of their own. Undefined for a delete, and for what has expired and was swept. */
function bytesOf({ bytes, end, start }: Readonly<Row>): Uint8Array | undefined {
  return bytes === undefined || isSwept(bytes, start, end) ? undefined : bytes.slice(start, end)
}
