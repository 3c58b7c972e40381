import type { Fields } from './fields.ts'
import { MAP_CODE } from '../kinds/kinds.ts'
import { MESSAGE_PARTS_MAX } from '../limits.ts'

/** What a peer reports of one partition when vectors are compared. */
export interface PartDigest {
  readonly collection: string
  readonly kind: number
  readonly partition: number
  /** Sixteen hexadecimal digits, equal if two peers have the same entries. */
  readonly fingerprint: string
  /** In the encoding of `encodeVector`. Dots below the purge floor are left out. */
  readonly vector: Uint8Array
  /** The hash of the purge floor that the vector stands on; left out if there is none. */
  readonly floorHash?: string
  /** The floor, in the encoding of `Floor.encode`; sent if the two peers stand on different floors. */
  readonly floor?: Uint8Array
}

/**
 * Version 1 would take vectors of kinds that it does not know for writes that it lacks. So these are in a list of their own,
 * which version 1 ignores, and so are those of partitions. If that list is full, the rest goes with the maps, because no version
 * reads longer lists.
 */
export function partsHeader(parts: readonly PartDigest[]): {
  parts: readonly PartDigest[]
  others?: readonly PartDigest[]
} {
  const isMap = ({ kind, partition }: PartDigest): boolean => kind === MAP_CODE && partition === 0
  const others = parts.filter((part) => !isMap(part))
  if (others.length === 0) return { parts }
  const maps = parts.filter(isMap)
  return { parts: [...maps, ...others.slice(MESSAGE_PARTS_MAX)], others: others.slice(0, MESSAGE_PARTS_MAX) }
}

export function readParts(fields: Fields): PartDigest[] {
  const others = fields.has('others') ? fields.list('others', MESSAGE_PARTS_MAX) : []
  return [...fields.list('parts', MESSAGE_PARTS_MAX), ...others].map((part) => ({
    collection: part.text('collection', 128),
    kind: part.count('kind'),
    partition: part.count('partition'),
    fingerprint: part.hash('fingerprint'),
    vector: part.bytes('vector'),
    ...(part.has('floorHash') ? { floorHash: part.hash('floorHash') } : {}),
    ...(part.has('floor') ? { floor: part.bytes('floor') } : {}),
  }))
}
