import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { GridError } from '../errors.ts'
import type { SeenOf } from './floor.ts'
import type { ReplicaId, ReplicaIds } from './replica-ids.ts'
import { SEQUENCE_MAX, VECTOR_RANGES_MAX } from '../limits.ts'
import { VersionVector } from './version-vector.ts'

/** Bytes of a replica id without ranges: the id, its head, and the number of ranges. */
export const REPLICA_MIN_BYTES = 10

/** Encodes a vector: about 12 bytes for each replica id, and 2 to 10 for each range above its head. */
export function encodeVector(vector: VersionVector, ids: ReplicaIds): Uint8Array {
  const out = new ByteWriter(256)
  const present = [...vector.writers()]
  out.varint(present.length)
  for (const writer of present) {
    const ranges = vector.rangesAbove(writer)
    out.replicaId(ids.id(writer))
    out.varint(vector.head(writer))
    out.varint(ranges.length / 2)
    let last = vector.head(writer)
    for (let i = 0; i < ranges.length; i += 2) {
      out.varint(ranges[i]! - last)
      out.varint(ranges[i + 1]! - ranges[i]!)
      last = ranges[i + 1]!
    }
  }
  return out.take()
}

/** Reads a vector from this peer's own store. Every replica id gets a number. Throws `MESSAGE_MALFORMED`. */
export function decodeVector(bytes: Uint8Array, ids: ReplicaIds): VersionVector {
  const vector = decodeForeignVector(bytes, ids)
  vector.adopt((replicaId) => ids.intern(replicaId))
  return vector
}

/**
 * Reads a vector of another peer. Replica ids without a number here get none, because a number is kept for ever: they are
 * strangers in the vector. Throws `MESSAGE_MALFORMED`.
 */
export function decodeForeignVector(bytes: Uint8Array, ids: ReplicaIds): VersionVector {
  const reader = new ByteReader(bytes)
  const vector = new VersionVector()
  const count = reader.count(REPLICA_MIN_BYTES)
  for (let i = 0; i < count; i++) {
    const replicaId = reader.replicaId()
    const writer = ids.indexOf(replicaId)
    if (writer === undefined ? vector.strangers.has(replicaId) : vector.highest(writer) > 0)
      throw malformed('a replica id twice')
    const ranges = readSeen(reader)
    if (ranges.length === 0) continue
    if (writer === undefined) vector.addStranger(replicaId, ranges)
    else vector.addRanges(writer, ranges)
  }
  if (reader.remaining > 0) throw malformed('trailing bytes')
  return vector
}

/** Reads a vector replica id by replica id, and gives no numbers. Throws `MESSAGE_MALFORMED`. */
export function* readVector(bytes: Uint8Array): Generator<SeenOf & { readonly replicaId: ReplicaId }, void, undefined> {
  const reader = new ByteReader(bytes)
  for (let left = reader.count(REPLICA_MIN_BYTES); left > 0; left--) {
    const replicaId = reader.replicaId()
    const seen = readSeen(reader)
    const head = seen[0] === 1 ? seen[1]! : 0
    yield { replicaId, head, ranges: head > 0 ? seen.slice(2) : seen }
  }
  if (reader.remaining > 0) throw malformed('trailing bytes')
}

/** Flat pairs of the dots seen of one replica id: [1, head] and the ranges above it. */
function readSeen(reader: ByteReader): number[] {
  let last = reader.varint()
  if (last > SEQUENCE_MAX) throw malformed(`sequence number ${last}`)
  const seen: number[] = last > 0 ? [1, last] : []
  const ranges = reader.count(2)
  if (ranges > VECTOR_RANGES_MAX) throw malformed(`${ranges} ranges`)
  for (let i = 0; i < ranges; i++) {
    const first = last + reader.varint()
    // If ranges could touch each other or the head, equal vectors could have different bytes.
    if (first <= last + 1) throw malformed('ranges do not ascend')
    last = first + reader.varint()
    if (last > SEQUENCE_MAX) throw malformed(`sequence number ${last}`)
    seen.push(first, last)
  }
  return seen
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed vector: ${what}`)
}
