import {
  ByteReader,
  ByteWriter,
  Floor,
  GridError,
  NAME_MAX_BYTES,
  decodeForeignVector,
  encodeVector,
  plainName,
  shown,
} from '@gossipgrid/core'
import type { Collections, Partition, VersionVector } from '@gossipgrid/core'
import { fromBase64Url, toBase64Url } from '../receipts/base64url.ts'

const CURSOR_VERSION = 1

/** What had been delivered of a partition: the dots seen, with their purge floor, and the grid's wall time. */
export interface Cursor {
  readonly seen: VersionVector
  readonly wallMs: number
  /** It is from after a drop of the map that this peer does not know of yet. */
  readonly isAhead: boolean
}

/** Everything that is applied now, as text. It takes some 16 bytes for each replica id. */
export function cursorOf({ seed, ids }: Collections, { name, replica }: Partition, wallMs: number): string {
  const writer = new ByteWriter(256)
  writer.byte(CURSOR_VERSION)
  writer.varint(seed >>> 0)
  writer.text(name.collection)
  for (const number of [name.kind, name.partition, Math.floor(wallMs)]) writer.varint(number)
  for (const bytes of [encodeVector(replica.vector, ids), replica.floor.encode()]) {
    writer.varint(bytes.length)
    writer.raw(bytes)
  }
  return toBase64Url(writer.take())
}

/**
 * Throws `INVALID_TOKEN` for text that is no cursor of the partition's map, and `CURSOR_EXPIRED` for one from before a drop of it.
 */
export function readCursor(text: unknown, { seed, ids, dropped }: Collections, partition: Partition): Cursor {
  if (typeof text !== 'string') throw invalid(`since is text, not ${shown(text)}`)
  const { name } = partition
  let found: readonly unknown[]
  let from: { readonly collection: string; readonly kind: number }
  let cursor: Omit<Cursor, 'isAhead'>
  try {
    const reader = new ByteReader(fromBase64Url(text))
    const [version, owner] = [reader.byte(), reader.varint()]
    from = { collection: reader.text(NAME_MAX_BYTES), kind: reader.varint() }
    found = [owner, plainName(from.collection), from.kind, reader.varint()]
    const wallMs = reader.varint()
    const seen = decodeForeignVector(reader.piece(), ids)
    seen.setFloor(Floor.decode(reader.piece(), ids))
    if (version !== CURSOR_VERSION || reader.remaining > 0) throw invalid('')
    cursor = { seen, wallMs }
  } catch {
    throw invalid('since is no cursor that this version reads: pass what a change has as cursor, unchanged')
  }
  const wanted = [seed >>> 0, plainName(name.collection), name.kind, name.partition]
  const isOf = (parts: number): boolean => wanted.slice(0, parts).every((each, i) => each === found[i])
  if (isOf(2) && (partition.dropped || dropped.isDropped(from))) throw droppedSince()
  // A drop of a later number is one that this peer does not know of. The map may be of another kind by then.
  const isAhead = isOf(2) && from.collection !== name.collection
  if (!isAhead && !isOf(4)) throw invalid('since is a cursor of another map or another grid')
  return { ...cursor, isAhead }
}

/**
 * The name of the map, replicated or partitioned, whose changes had this cursor. It opens no map, so it also tells of one that this peer
 * does not know. Throws `INVALID_TOKEN` for text that is no cursor.
 */
export function collectionOfCursor(cursor: string): string {
  try {
    const reader = new ByteReader(fromBase64Url(cursor))
    // Both kinds of cursors begin so. What follows is for the one that goes on from them.
    if (reader.byte() !== CURSOR_VERSION) throw invalid('')
    reader.varint()
    return plainName(reader.text(NAME_MAX_BYTES))
  } catch {
    throw invalid('that is no cursor that this version reads: pass what a change has as cursor, unchanged')
  }
}

/** The map of a cursor was dropped. */
export function droppedSince(): GridError {
  return new GridError(
    'CURSOR_EXPIRED',
    'the map was dropped since this cursor: open it again by its name, watch again without since, and drop the entries that do not come',
  )
}

function invalid(message: string): GridError {
  return new GridError('INVALID_TOKEN', message)
}
