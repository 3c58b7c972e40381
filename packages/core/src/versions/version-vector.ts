import { includesSeen } from './floor.ts'
import type { Floor, SeenOf } from './floor.ts'
import { addHash, fold32, foldHigh32, mix32 } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { hashReplicaId } from './replica-ids.ts'
import type { ReplicaId, ReplicaIds } from './replica-ids.ts'
import { VECTOR_RANGES_MAX } from '../limits.ts'

/** Consecutive sequence numbers of one replica id, both ends included. */
export interface DotRange {
  readonly writer: number
  readonly first: number
  readonly last: number
}

/** The dots seen of one replica id. */
interface Seen {
  /** All sequence numbers from 1 to this one are seen. */
  head: number
  /** Flat pairs [first, last, first, last, …], sorted, disjoint, not touching each other nor the head. */
  readonly ranges: number[]
}

const NO_RANGES: readonly number[] = []
const NO_STRANGERS: ReadonlyMap<ReplicaId, readonly number[]> = new Map()

/**
 * The dots that a replica has seen: for each replica id the head (all sequence numbers from 1 to the head are seen) and the
 * ranges above it. Replica ids are given by their number in `ReplicaIds`. Dots below the purge floor count as seen, and a
 * retired replica id (all of its seen dots are below the floor) takes no room.
 */
export class VersionVector {
  readonly #seen = new Map<number, Seen>()
  #floor: Floor | undefined
  /** The hash, kept until the next change. */
  #hash: Hash64 | undefined
  #strangers: Map<ReplicaId, readonly number[]> | undefined

  /** Dots below it count as seen. */
  get floor(): Floor | undefined {
    return this.#floor
  }

  /** Sets the floor that another peer's vector stands on. */
  setFloor(floor: Floor | undefined): void {
    this.#floor = floor
  }

  /** Adopts a larger floor. Replica ids that are wholly below it are retired. */
  raiseTo(floor: Floor): void {
    this.#floor = floor
    this.#hash = undefined
    for (const [writer, seen] of this.#seen) {
      const below = floor.seenOf(writer)
      if (below === undefined) continue
      this.addRange(writer, 1, below.head)
      this.addRanges(writer, below.ranges)
      if (includesSeen(below, seen.head, seen.ranges)) this.#seen.delete(writer)
    }
  }

  /** Forgets everything, the floor as well. */
  clear(): void {
    this.#hash = undefined
    this.#seen.clear()
    this.#floor = undefined
  }

  head(writer: number): number {
    return this.#of(writer)?.head ?? 0
  }

  /** The highest sequence number seen, gaps or not. */
  highest(writer: number): number {
    const seen = this.#of(writer)
    return seen === undefined ? 0 : (seen.ranges.at(-1) ?? seen.head)
  }

  /** Nothing has been seen. */
  get isEmpty(): boolean {
    return this.#seen.size === 0 && (this.#floor?.isEmpty ?? true)
  }

  /** Number of replica ids that are not retired: these travel on the wire. */
  get size(): number {
    return this.#seen.size
  }

  /** The replica ids that are not retired. */
  writers(): IterableIterator<number> {
    return this.#seen.keys()
  }

  /** Flat pairs of the ranges seen above the head. */
  rangesAbove(writer: number): readonly number[] {
    return this.#of(writer)?.ranges ?? NO_RANGES
  }

  /** Whether no dot of the replica id was seen that is not below the floor. */
  isRetired(writer: number): boolean {
    return !this.#seen.has(writer)
  }

  has(writer: number, sequence: number): boolean {
    const seen = this.#of(writer)
    if (seen === undefined) return false
    if (sequence <= seen.head) return true
    const at = firstEndingAtOrAfter(seen.ranges, sequence)
    return at < seen.ranges.length && seen.ranges[at]! <= sequence
  }

  /** Marks one dot as seen. False if it was seen before, or if it would need one range too many. */
  add(writer: number, sequence: number): boolean {
    const seen = this.#seen.get(writer)
    if (seen !== undefined && seen.ranges.length === 0 && sequence === seen.head + 1) {
      seen.head = sequence
      this.#hash = undefined
      return true
    }
    return this.addRange(writer, sequence, sequence)
  }

  /** Marks [first, last] as seen. False if all of it was seen before, or if it would need one range too many. */
  addRange(writer: number, first: number, last: number): boolean {
    const seen = this.#seen.get(writer) ?? this.#open(writer, first, last)
    if (seen === undefined || last <= seen.head) return false
    this.#hash = undefined
    if (first > seen.head + 1) return insertRange(seen.ranges, first, last)
    seen.head = absorb(seen.ranges, last)
    return true
  }

  /** Marks flat pairs [first, last, first, last, …] as seen. */
  addRanges(writer: number, ranges: readonly number[]): void {
    for (let i = 0; i < ranges.length; i += 2) this.addRange(writer, ranges[i]!, ranges[i + 1]!)
  }

  /** In another peer's vector: the dots of replica ids that have no number here, as flat pairs. */
  get strangers(): ReadonlyMap<ReplicaId, readonly number[]> {
    return this.#strangers ?? NO_STRANGERS
  }

  addStranger(replicaId: ReplicaId, ranges: readonly number[]): void {
    this.#hash = undefined
    this.#strangers ??= new Map()
    this.#strangers.set(replicaId, ranges)
  }

  /** Moves the strangers that have a number by now to that number. */
  adopt(numberOf: (replicaId: ReplicaId) => number | undefined): void {
    for (const [replicaId, ranges] of this.strangers) {
      const writer = numberOf(replicaId)
      if (writer === undefined) continue
      this.#hash = undefined
      this.addRanges(writer, ranges)
      this.#strangers!.delete(replicaId)
    }
  }

  /** Forgets the dots of one replica id above `head`. */
  truncate(writer: number, head: number): void {
    const seen = this.#seen.get(writer)
    if (seen === undefined) return
    this.#hash = undefined
    const below = this.#floor?.seenOf(writer)
    seen.head = Math.max(Math.min(seen.head, head), below?.head ?? 0)
    seen.ranges.splice(0, seen.ranges.length, ...(below?.ranges ?? NO_RANGES))
    if (seen.head === 0 || below?.head === seen.head) this.#seen.delete(writer)
  }

  /** Marks as seen what `other` has seen above its floor. */
  merge(other: VersionVector): void {
    for (const [writer, { head, ranges }] of other.#seen) {
      if (head > 0) this.addRange(writer, 1, head)
      for (let i = 0; i < ranges.length; i += 2) this.addRange(writer, ranges[i]!, ranges[i + 1]!)
    }
  }

  clone(): VersionVector {
    const copy = new VersionVector()
    for (const [writer, { head, ranges }] of this.#seen) copy.#seen.set(writer, { head, ranges: ranges.slice() })
    copy.#floor = this.#floor
    return copy
  }

  /**
   * The dots that this vector has seen and `other` has not, by replica id and in order of sequence. Those of retired replica
   * ids are left out.
   */
  missingIn(other: VersionVector): DotRange[] {
    const missing: DotRange[] = []
    for (const [writer, { head, ranges }] of this.#seen) {
      if (head > 0) collectUnseen(other, writer, 1, head, missing)
      for (let i = 0; i < ranges.length; i += 2) collectUnseen(other, writer, ranges[i]!, ranges[i + 1]!, missing)
    }
    return missing
  }

  /** The dots of one replica id in `seen` that this vector has not seen. */
  unseenOf(writer: number, { head, ranges }: SeenOf): DotRange[] {
    const unseen: DotRange[] = []
    if (head > 0) collectUnseen(this, writer, 1, head, unseen)
    for (let i = 0; i < ranges.length; i += 2) collectUnseen(this, writer, ranges[i]!, ranges[i + 1]!, unseen)
    return unseen
  }

  /** How many dots this vector has seen and `other` has not. All dots of strangers count. */
  countMissingIn(other: VersionVector): number {
    let count = 0
    for (const [replicaId, ranges] of this.strangers) {
      const below = other.#floor?.seenOfId(replicaId)
      if (below !== undefined && includesSeen(below, 0, ranges)) continue
      for (let i = 0; i < ranges.length; i += 2) count += ranges[i + 1]! - ranges[i]! + 1
    }
    for (const range of this.missingIn(other)) count += range.last - range.first + 1
    return count
  }

  covers(other: VersionVector): boolean {
    return other.missingIn(this).length === 0
  }

  /** Whether all dots below a floor are seen. `numberOf` gives the number of a replica id, if it has one. */
  reaches(floor: Floor, numberOf: (replicaId: ReplicaId) => number | undefined): boolean {
    if (floor.isEmpty || floor.hash === this.#floor?.hash) return true
    for (const { replicaId, head, ranges } of floor.entries()) {
      const writer = numberOf(replicaId)
      const seen = writer === undefined ? this.#ofStranger(replicaId) : this.#of(writer)
      if (seen === undefined || !includesSeen(seen, head, ranges)) return false
    }
    return true
  }

  #ofStranger(replicaId: ReplicaId): SeenOf | undefined {
    const pairs = this.strangers.get(replicaId)
    if (pairs === undefined) return this.#floor?.seenOfId(replicaId)
    return pairs[0] === 1 ? { head: pairs[1]!, ranges: pairs.slice(2) } : { head: 0, ranges: pairs }
  }

  #of(writer: number): SeenOf | undefined {
    return this.#seen.get(writer) ?? this.#floor?.seenOf(writer)
  }

  /** Makes room for a replica id with its first dots above the floor; undefined if all of [first, last] is below it. */
  #open(writer: number, first: number, last: number): Seen | undefined {
    const below = this.#floor?.seenOf(writer)
    if (below !== undefined && includesSeen(below, 0, [first, last])) return undefined
    const seen = { head: below?.head ?? 0, ranges: below?.ranges.slice() ?? [] }
    this.#seen.set(writer, seen)
    return seen
  }

  /** A hash of the dots above the floor. Two vectors that stand on one floor have equal hashes if, and practically only if, they are equal. */
  hash(ids: ReplicaIds): Readonly<Hash64> {
    return (this.#hash ??= this.#makeHash(ids))
  }

  #makeHash(ids: ReplicaIds): Hash64 {
    const sum: Hash64 = { high: 0, low: 0 }
    for (const [writer, { head, ranges }] of this.#seen) addSeen(sum, ids.hash(writer), head, ranges)
    for (const [replicaId, seen] of this.strangers) {
      const head = seen[0] === 1 ? seen[1]! : 0
      addSeen(sum, hashReplicaId(replicaId), head, head > 0 ? seen.slice(2) : seen)
    }
    return sum
  }
}

function addSeen(sum: Hash64, idHash: number, head: number, ranges: readonly number[]): void {
  let low = fold32(idHash, head)
  let high = foldHigh32(mix32(idHash), head)
  for (const bound of ranges) {
    low = fold32(low, bound)
    high = foldHigh32(high, bound)
  }
  addHash(sum, { low: mix32(low), high: mix32(high) })
}

/** Index of the first pair whose end is at or past `sequence`, or the length. */
function firstEndingAtOrAfter(ranges: readonly number[], sequence: number): number {
  let low = 0
  let high = ranges.length >> 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle * 2 + 1]! < sequence) low = middle + 1
    else high = middle
  }
  return low * 2
}

/** Adds [first, last] and joins it with ranges that it touches. False if it was there, or if there are too many ranges. */
function insertRange(ranges: number[], first: number, last: number): boolean {
  const at = firstEndingAtOrAfter(ranges, first - 1)
  let end = at
  let joinedFirst = first
  let joinedLast = last
  while (end < ranges.length && ranges[end]! <= last + 1) {
    joinedFirst = Math.min(joinedFirst, ranges[end]!)
    joinedLast = Math.max(joinedLast, ranges[end + 1]!)
    end += 2
  }
  if (end - at === 2 && joinedFirst === ranges[at] && joinedLast === ranges[at + 1]) return false
  if (end === at && ranges.length >= 2 * VECTOR_RANGES_MAX) return false
  ranges.splice(at, end - at, joinedFirst, joinedLast)
  return true
}

/** Removes the ranges that `head` now reaches from `ranges`, and returns the new head. */
function absorb(ranges: number[], head: number): number {
  let reached = head
  let taken = 0
  while (taken < ranges.length && ranges[taken]! <= reached + 1) {
    reached = Math.max(reached, ranges[taken + 1]!)
    taken += 2
  }
  if (taken > 0) ranges.splice(0, taken)
  return reached
}

/** Pushes the parts of [first, last] that `vector` has not seen. */
function collectUnseen(vector: VersionVector, writer: number, first: number, last: number, into: DotRange[]): void {
  let next = Math.max(first, vector.head(writer) + 1)
  const ranges = vector.rangesAbove(writer)
  for (let i = firstEndingAtOrAfter(ranges, next); i < ranges.length && next <= last; i += 2) {
    if (ranges[i]! > last) break
    if (ranges[i]! > next) into.push({ writer, first: next, last: ranges[i]! - 1 })
    next = Math.max(next, ranges[i + 1]! + 1)
  }
  if (next <= last) into.push({ writer, first: next, last })
}
