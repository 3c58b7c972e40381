import { SEGMENT_MAX_BYTES } from '../limits.ts'
import type { PeerId } from '../ports.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import type { ReplicaId } from '../versions/replica-ids.ts'
import { encodeVector } from '../versions/vector-codec.ts'
import { groupBySegment, segmentBlock, wantedBits } from './segments.ts'
import { BACKUP_PREFIX, META_KEY, STORE_FORMAT, encodeMeta, encodePart, partKey, segmentKey } from './stored-state.ts'

/** One blob of a store that has what a peer holds. */
export interface ImageBlob {
  readonly key: string
  readonly bytes: Uint8Array
  /** Entries in it. */
  readonly entries: number
}

/** What an image is made of. A peer is one. */
export interface ImageSource {
  readonly collections: Collections
  readonly peerId: PeerId
  readonly replicaId: ReplicaId
}

/** The format of the blobs of an image. */
export const IMAGE_FORMAT: number = STORE_FORMAT

/**
 * The blobs of a store that has what a peer holds now: all collections with their tombstones, vectors and purge floors. A
 * partition is as it was when its turn began, or later; what it says to have seen is there. Yields undefined where the peer may go
 * on meanwhile. Returns false if a purge or a drop has disturbed it: then some of it may be missing. The image is to be used only
 * once everything that was written before its end is durable: until then a crash would give out the same dots again.
 */
export function* stateImage(source: ImageSource): Generator<ImageBlob | undefined, boolean, void> {
  const { collections, peerId, replicaId } = source
  let place = 0
  let isSound = true
  for (const partition of [...collections.partitions()]) {
    place += 1
    const floorHash = partition.replica.floor.hash
    yield* partitionImage(source, partition, place)
    if (partition.dropped || partition.replica.floor.hash !== floorHash) isSound = false
  }
  // No peer has this id, so the one that opens the store takes a new replica id. Else dots would be given out twice.
  const meta = { replicaId, peerId: `${BACKUP_PREFIX}${peerId}`, logFirst: 1, parts: place, damaged: false }
  yield { key: META_KEY, bytes: encodeMeta(meta), entries: 0 }
  return isSound
}

function* partitionImage(
  { collections }: ImageSource,
  partition: Partition,
  place: number,
): Generator<ImageBlob | undefined, void, void> {
  const { replica, name } = partition
  const { floor, table } = replica
  const vector = encodeVector(replica.vector, collections.ids)
  const encodedFloor = floor.isEmpty ? {} : { floor: floor.encode() }
  const bits = wantedBits(table, 0, SEGMENT_MAX_BYTES)
  const all = new Set(Array.from({ length: 2 ** bits }, (_, index) => index))
  const grouping = groupBySegment(table, bits, all)
  let step = grouping.next()
  while (step.done !== true) {
    yield undefined
    step = grouping.next()
  }
  const { slots, segments, written } = step.value
  for (const { index, first, end } of segments) {
    const bytes = segmentBlock(collections.ids, partition, bits, slots.subarray(first, end), index)
    yield { key: segmentKey(place, bits, index), bytes, entries: end - first }
  }
  const part = { ...name, vector, ...encodedFloor, segmentBits: bits, segments: written }
  yield { key: partKey(place), bytes: encodePart(part), entries: 0 }
}
