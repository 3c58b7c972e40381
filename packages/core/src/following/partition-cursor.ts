import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { GridError } from '../errors.ts'
import { VECTOR_RANGES_MAX } from '../limits.ts'
import { Floor } from '../versions/floor.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { decodeForeignVector, encodeVector } from '../versions/vector-codec.ts'
import { commonDots } from '../versions/common-dots.ts'
import type { VersionVector } from '../versions/version-vector.ts'

/** A replica id, and the number of its pairs. */
const STRANGER_MIN_BYTES = 9

/** How far a reader has come in the changes of a partition. */
export interface PartitionCursor {
  /** The dots of which it has the state, with the purge floor that they stand on. */
  readonly seen: VersionVector
  /** When that was, by the grid's time. */
  readonly wallMs: number
  /** It is still being sent what was there when it began: what it lacks may be older than any floor. */
  readonly isFilling: boolean
}

/** Owners make cursors and read them; readers only keep them. About 12 bytes for each replica id. */
export function encodeCursor({ seen, wallMs, isFilling }: PartitionCursor, ids: ReplicaIds): Uint8Array {
  const writer = new ByteWriter(256)
  writer.byte(isFilling ? 1 : 0)
  writer.varint(Math.floor(wallMs))
  for (const bytes of [encodeVector(seen, ids), (seen.floor ?? Floor.empty(ids)).encode()]) {
    writer.varint(bytes.length)
    writer.raw(bytes)
  }
  writer.varint(seen.strangers.size)
  for (const [replicaId, pairs] of seen.strangers) {
    writer.replicaId(replicaId)
    writer.varint(pairs.length)
    for (const each of pairs) writer.varint(each)
  }
  return writer.take()
}

/** Throws `MESSAGE_MALFORMED`. */
export function decodeCursor(bytes: Uint8Array, ids: ReplicaIds): PartitionCursor {
  const reader = new ByteReader(bytes)
  const isFilling = reader.byte() === 1
  const wallMs = reader.varint()
  const seen = decodeForeignVector(reader.piece(), ids)
  const floor = Floor.decode(reader.piece(), ids)
  if (!floor.isEmpty) seen.setFloor(floor)
  for (let left = reader.count(STRANGER_MIN_BYTES); left > 0; left--) {
    const replicaId = reader.replicaId()
    const pairs = Array.from({ length: reader.count(1) }, () => reader.varint())
    const ascends = pairs.every((each, i) => each > 0 && (i === 0 || each >= pairs[i - 1]!))
    if (pairs.length % 2 > 0 || pairs.length > 2 * VECTOR_RANGES_MAX || !ascends)
      throw new GridError('MESSAGE_MALFORMED', 'malformed cursor: dots that do not ascend')
    if (pairs.length > 0) seen.addStranger(replicaId, pairs)
  }
  if (reader.remaining > 0) throw new GridError('MESSAGE_MALFORMED', 'malformed cursor: trailing bytes')
  seen.adopt((replicaId) => ids.indexOf(replicaId))
  return { seen, wallMs, isFilling }
}

/** A cursor that has seen only what both have seen: the first one itself, if the other one has seen all of it. Throws `MESSAGE_MALFORMED`. */
export function earlierCursor(one: Uint8Array, other: Uint8Array, ids: ReplicaIds): Uint8Array {
  const [first, second] = [decodeCursor(one, ids), decodeCursor(other, ids)]
  const both = commonDots(first.seen, second.seen, ids)
  if (both.isFirst) return one
  const wallMs = Math.min(first.wallMs, second.wallMs)
  return encodeCursor({ seen: both.dots, wallMs, isFilling: first.isFilling || second.isFilling }, ids)
}
