import type { ReplicaId, ReplicaIds } from './replica-ids.ts'
import { VersionVector } from './version-vector.ts'

/** The dots that two vectors have both seen. */
export interface CommonDots {
  /** Stands on no floor: what is below one is named. */
  readonly dots: VersionVector
  /** Those are all dots that the first vector has seen. */
  readonly isFirst: boolean
}

export function commonDots(one: VersionVector, other: VersionVector, ids: ReplicaIds): CommonDots {
  const dots = new VersionVector()
  const others = pairsById(other, ids)
  let isFirst = true
  for (const [replicaId, pairs] of pairsById(one, ids)) {
    const both = overlapOf(pairs, others.get(replicaId) ?? [])
    isFirst &&= both.length === pairs.length && both.every((bound, i) => bound === pairs[i])
    const writer = ids.indexOf(replicaId)
    if (writer !== undefined) dots.addRanges(writer, both)
    else if (both.length > 0) dots.addStranger(replicaId, both)
  }
  return { dots, isFirst }
}

/** What a vector has seen of each replica id, as flat pairs, with what is below its floor. */
function pairsById(vector: VersionVector, ids: ReplicaIds): Map<ReplicaId, readonly number[]> {
  const pairs = new Map<ReplicaId, readonly number[]>()
  for (const { replicaId, head, ranges } of vector.floor?.entries() ?? []) pairs.set(replicaId, flat(head, ranges))
  for (const writer of vector.writers())
    pairs.set(ids.id(writer), flat(vector.head(writer), vector.rangesAbove(writer)))
  for (const [replicaId, ranges] of vector.strangers) pairs.set(replicaId, ranges)
  return pairs
}

function flat(head: number, ranges: readonly number[]): readonly number[] {
  return head > 0 ? [1, head, ...ranges] : ranges
}

/** Of two lists of flat pairs that ascend, what is in both. */
function overlapOf(one: readonly number[], other: readonly number[]): number[] {
  const both: number[] = []
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    const first = Math.max(one[i]!, other[j]!)
    const last = Math.min(one[i + 1]!, other[j + 1]!)
    if (first <= last) both.push(first, last)
    if (one[i + 1]! < other[j + 1]!) i += 2
    else j += 2
  }
  return both
}
