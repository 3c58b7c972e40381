import { DOCUMENTS, deletedDocumentHeader, isDelete, isSwept, splitKey } from '@gossipgrid/core'
import { changesSince, commonDots, fromStart } from '@gossipgrid/core/following'
import type { ChangesSince, Collections, Partition, PartitionCursor, Peer, Row } from '@gossipgrid/core'
import { DOCUMENT_ROWS, calledSo, covers, mapsOf, readingKey } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { DOCUMENT_KIND, KIND_CODES, grantKeyOf, isSlotted } from '../map-kinds.ts'
import type { SentRow } from '../messages.ts'
import type { SealedCursor } from './cursor-seal.ts'
import { SharedReads } from './shared-reads.ts'

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
  /** The cursor that the guest keeps: it may have seen what this copy lacks. */
  kept: PartitionCursor | undefined
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
  /** Undefined where there is none here. */
  readonly partition: Partition | undefined
  /** Where the guest is after this piece; undefined where it could not go on from there. */
  readonly sealed: SealedCursor | undefined
}

/** The replicated collection here that guests and members call so, of whichever of its kinds. */
export function mapPartition(collections: Collections, map: string): Partition | undefined {
  if (map === DOCUMENT_ROWS) return collections.internal(DOCUMENTS)
  const { name: title, what } = calledSo(map)
  const name = collections.dropped.current(title)
  const found = KIND_CODES[what].map((kind) => collections.get(name, kind)?.partitions[0])
  const usable = found.filter((partition) => partition !== undefined && partition.mismatch === undefined)
  return usable.find((partition) => !partition!.replica.vector.isEmpty) ?? usable[0]
}

/** What one guest lacks of the maps that its pass covers. Everything that it gives out is covered by the grants. */
export class GuestReads {
  readonly #peer: Peer
  readonly #wallMs: () => number
  readonly #shared: SharedReads<ReadPiece>
  readonly #followed = new Map<string, Followed>()
  #grants: readonly Grant[]
  #maps: readonly string[]

  /** `cursors` are those of an earlier connection; `shared` is that of all guests of a member. */
  constructor(
    peer: Peer,
    wallMs: () => number,
    grants: readonly Grant[],
    cursors: ReadonlyMap<string, { readonly partition: Partition; readonly sealed: SealedCursor }>,
    shared: SharedReads<ReadPiece> = new SharedReads(),
  ) {
    this.#shared = shared
    this.#peer = peer
    this.#wallMs = wallMs
    this.#grants = grants
    this.#maps = mapsOf(grants)
    for (const [map, { partition, sealed }] of cursors) {
      const { cursor, reading } = sealed
      if (this.goesOn(map, reading))
        this.#followed.set(map, { partition, reading, cursor, kept: cursor, isReset: false, ...NOT_LOOKED })
    }
  }

  /** From here on other grants count. What they read otherwise is sent again. */
  regrant(grants: readonly Grant[]): void {
    this.#grants = grants
    this.#maps = mapsOf(grants)
    for (const [map, { reading }] of this.#followed) if (!this.goesOn(map, reading)) this.#followed.delete(map)
  }

  /** Whether a guest that was sent these keys of a map can go on. A cursor of other grants says nothing of what these cover. */
  goesOn(map: string, reading: string): boolean {
    return reading === readingKey(this.#grants, map)
  }

  /** What has changed in a map since a cursor, in keys that the guest may read. */
  changed({ name }: Partition, since: PartitionCursor, mayRead: (key: string) => boolean): ChangesSince {
    // Objects come whole, as they were written. A document may be large, and its rows may come in any order.
    const given = name.kind === DOCUMENT_KIND ? 'new rows' : 'all rows'
    return changesSince(this.#peer.collections, name, since, mayRead, this.#wallMs(), given)
  }

  /** What was put together of a map was not sent: it begins again. */
  restart(map: string): void {
    this.#followed.delete(map)
  }

  /**
   * The next piece; undefined when the guest has all that there is now. `looking` where much of what others have was looked through, of which a guest
   * learns nothing: not even how much it is.
   */
  next(): ReadPiece | 'looking' | undefined {
    for (const map of this.#maps) {
      const piece = this.#nextOf(map)
      if (piece !== undefined) return piece
    }
    return undefined
  }

  /**
   * What a guest is to be sent before the row of an answer, which it takes as it is here: if this copy lacks what the guest has seen, its cursor must not
   * say so any more. Else it would never be sent again what an older row has taken the place of.
   */
  beforeAnswer(map: string, kind: number): ReadPiece | undefined {
    // It learns nothing of others, not even whether they are there.
    if (!this.#maps.includes(map)) return undefined
    const partition = mapPartition(this.#peer.collections, map)
    if (partition === undefined) {
      this.#followed.delete(map)
      return { map, kind, ...VOID, partition }
    }
    const followed = this.#followedOf(map, partition)
    if (followed.isReset) return { map, kind: partition.name.kind, ...VOID, more: true, partition }
    if (followed.kept === undefined || hasSeen(partition, followed.kept)) return undefined
    const { ids } = this.#peer.collections
    const { cursor, reading } = followed
    followed.cursor = { ...cursor, seen: commonDots(cursor.seen, partition.replica.vector, ids).dots }
    followed.kept = followed.cursor
    const sealed = { cursor: followed.cursor, reading }
    return { map, kind: partition.name.kind, ...VOID, isReset: false, partition, sealed }
  }

  /** What a row is now, for a guest that may read it, and its date. */
  rowOf(
    partition: Partition | undefined,
    map: string,
    rowKey: string,
  ): { readonly bytes: Uint8Array | undefined; readonly hlc: number } | undefined {
    if (partition === undefined) return undefined
    if (!covers(this.#grants, 'read', map, grantKeyOf(partition.name.kind, rowKey))) return undefined
    const { replica } = partition
    const slot = replica.table.slotOf(rowKey)
    return slot === undefined
      ? undefined
      : { bytes: bytesOf(partition.name.kind, replica.row(slot)), hlc: replica.table.hlc(slot) }
  }

  #nextOf(map: string): ReadPiece | 'looking' | undefined {
    const { collections, commit } = this.#peer
    const partition = mapPartition(collections, map)
    const known = this.#followed.get(map)
    if (partition === undefined) {
      if (known === undefined) return undefined
      this.#followed.delete(map)
      return { map, kind: known.partition.name.kind, ...VOID, partition: known.partition }
    }
    const followed = this.#followedOf(map, partition)
    const { changes } = commit
    const isDue = performance.now() - followed.givenAtMs >= CURSOR_GAP_MS
    if (followed.changes === changes) return undefined
    if (!followed.isReset && !isDue && this.#shared.hasAll(partition, followed.cursor, changes)) {
      followed.changes = changes
      return undefined
    }
    const shared = followed.isReset ? undefined : this.#shared.find(followed.cursor, followed.reading, changes)
    if (shared !== undefined) {
      followed.cursor = shared.cursor
      followed.kept = shared.cursor
      followed.changes = changes
    }
    const piece = shared?.piece ?? this.#read(map, partition, followed, isDue)
    if (piece !== undefined && piece !== 'looking') followed.givenAtMs = performance.now()
    return piece
  }

  #read(map: string, partition: Partition, followed: Followed, isDue: boolean): ReadPiece | 'looking' | undefined {
    const { changes } = this.#peer.commit
    const wallMs = this.#wallMs()
    const { cursor: since, reading } = followed
    const { kind } = partition.name
    const mayRead = (key: string): boolean => covers(this.#grants, 'read', map, grantKeyOf(kind, key))
    // A guest that is connected has ended by itself what has expired meanwhile.
    const from = followed.changes < 0 ? since : { ...since, wallMs }
    const { cursor, keys, more, reset } = this.changed(partition, from, mayRead)
    followed.cursor = more ? cursor : this.#shared.common(partition, cursor, changes)
    if (!more) followed.changes = changes
    const isReset = followed.isReset || reset
    if (keys.length === 0 && !isReset && more) return 'looking'
    if (keys.length === 0 && !isReset && !isDue) return undefined
    followed.isReset = false
    // What is sent may be older than what the guest has seen elsewhere, so its cursor goes back with it, also where more follows. A first load has none.
    const isWhole = !more || !followed.cursor.isFilling
    followed.kept = isWhole ? followed.cursor : undefined
    const found = keys.flatMap((each) => each.rows)
    const rows = found.map((row) => sentRow(kind, row))
    const hlc = found.reduce((latest, row) => Math.max(latest, row.hlc), 0)
    const sealed = isWhole ? { cursor: { ...followed.cursor, wallMs }, reading } : undefined
    const piece = { map, kind, isReset, rows, more, hlc, partition, sealed }
    if (!isReset && keys.length > 0 && !more)
      this.#shared.keep(since, reading, { changes, piece, cursor: followed.cursor })
    return piece
  }

  #followedOf(map: string, partition: Partition): Followed {
    const known = this.#followed.get(map)
    return known?.partition === partition ? known : this.#begin(map, partition)
  }

  #begin(map: string, partition: Partition): Followed {
    const followed = {
      partition,
      reading: readingKey(this.#grants, map),
      cursor: fromStart(this.#wallMs()),
      kept: undefined,
      isReset: true,
      ...NOT_LOOKED,
    }
    this.#followed.set(map, followed)
    return followed
  }
}

const NOT_LOOKED = { changes: -1, givenAtMs: -Infinity } as const
const VOID = { isReset: true, rows: [], more: false, hlc: 0, sealed: undefined } as const

/** Whether a copy has all that a cursor has seen. */
function hasSeen({ replica: { floor, vector } }: Partition, { seen }: PartitionCursor): boolean {
  return seen.strangers.size === 0 && (seen.floor === undefined || floor.includes(seen.floor)) && vector.covers(seen)
}

function sentRow(kind: number, row: Readonly<Row>): SentRow {
  const sent = { rowKey: row.key, bytes: bytesOf(kind, row) }
  return isSlotted(kind) ? { ...sent, hlc: row.hlc } : sent
}

/** The bytes of a row, in memory of their own. Undefined for a delete, but for one of a guest in a map; and for what has expired and was swept. */
function bytesOf(kind: number, { bytes, end, hlc, key, start }: Readonly<Row>): Uint8Array | undefined {
  // Guests keep no tombstones, and that of a document says how the next one of its name is numbered.
  if (kind === DOCUMENT_KIND && bytes === undefined && splitKey(key).sub === undefined)
    return deletedDocumentHeader(hlc)
  const own = bytes?.slice(start, end)
  return own === undefined || (isSwept(own, 0, own.length) && !isDelete(own)) ? undefined : own
}
