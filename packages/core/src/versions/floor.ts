import { ByteReader, ByteWriter } from '../bytes/bytes.ts'
import { GridError } from '../errors.ts'
import { addHash, fold32, foldHigh32, hashHex, mix32 } from '../bytes/hash.ts'
import type { Hash64 } from '../bytes/hash.ts'
import { hashReplicaId } from './replica-ids.ts'
import type { ReplicaId, ReplicaIds } from './replica-ids.ts'
import { SEQUENCE_MAX } from '../limits.ts'

/** The dots seen of one replica id: [1, head], and the ranges above it as flat pairs. */
export interface SeenOf {
  readonly head: number
  readonly ranges: readonly number[]
}

interface FloorEntry extends SeenOf {
  readonly replicaId: ReplicaId
}

const NO_RANGES: readonly number[] = []
/** A replica id, its head, and the number of its ranges. */
const ENTRY_MIN_BYTES = 10

/**
 * The purge floor: the dots that every durable member had seen a grace period ago, and the date of that. Below the floor,
 * tombstones are purged, and so are entries that had expired by its date. A replica id that is wholly below it is retired
 * and takes no room in vectors. A floor only grows; peers that exchange their floors end with the same one. It costs 12
 * bytes for each replica id, for ever.
 *
 * Immutable: `with` returns a new floor.
 */
export class Floor {
  /** The date in wall milliseconds: entries below the floor that had expired by then are purged. */
  readonly dateMs: number
  readonly #ids: ReplicaIds
  readonly #high: Uint32Array
  readonly #low: Uint32Array
  readonly #heads: Uint32Array
  readonly #ranges: ReadonlyMap<ReplicaId, readonly number[]>
  #hash: string | undefined

  /** `entries` are in ascending order of their ids. */
  private constructor(ids: ReplicaIds, entries: readonly FloorEntry[], dateMs: number) {
    this.#ids = ids
    this.dateMs = dateMs
    this.#high = new Uint32Array(entries.length)
    this.#low = new Uint32Array(entries.length)
    this.#heads = new Uint32Array(entries.length)
    const ranges = new Map<ReplicaId, readonly number[]>()
    for (const [i, entry] of entries.entries()) {
      this.#high[i] = Number.parseInt(entry.replicaId.slice(0, 8), 16)
      this.#low[i] = Number.parseInt(entry.replicaId.slice(8), 16)
      this.#heads[i] = entry.head
      if (entry.ranges.length > 0) ranges.set(entry.replicaId, entry.ranges)
    }
    this.#ranges = ranges
  }

  static empty(ids: ReplicaIds): Floor {
    return new Floor(ids, [], 0)
  }

  /** Reads the bytes of `encode`, also from a hostile peer. Throws `MESSAGE_MALFORMED`. */
  static decode(bytes: Uint8Array, ids: ReplicaIds): Floor {
    const reader = new ByteReader(bytes)
    const dateMs = reader.varint()
    const count = reader.count(ENTRY_MIN_BYTES)
    const entries: FloorEntry[] = []
    for (let i = 0; i < count; i++) {
      const entry = { replicaId: reader.replicaId(), ...readSeen(reader) }
      if (i > 0 && entries[i - 1]!.replicaId >= entry.replicaId) throw malformed('replica ids do not ascend')
      entries.push(entry)
    }
    if (reader.remaining > 0) throw malformed('trailing bytes')
    return new Floor(ids, entries, dateMs)
  }

  get isEmpty(): boolean {
    return this.#heads.length === 0
  }

  /** Number of replica ids. */
  get size(): number {
    return this.#heads.length
  }

  /** Sixteen hexadecimal digits, equal for equal floors; '' for the empty floor. */
  get hash(): string {
    return (this.#hash ??= this.isEmpty ? '' : this.#makeHash())
  }

  /** The dots of one replica id that are below the floor; undefined if there are none. */
  seenOf(writer: number): SeenOf | undefined {
    return this.isEmpty ? undefined : this.seenOfId(this.#ids.id(writer))
  }

  seenOfId(replicaId: ReplicaId): SeenOf | undefined {
    const at = this.#find(replicaId)
    return at < 0 ? undefined : { head: this.#heads[at]!, ranges: this.#ranges.get(replicaId) ?? NO_RANGES }
  }

  has(writer: number, sequence: number): boolean {
    const seen = this.seenOf(writer)
    if (seen === undefined) return false
    if (sequence <= seen.head) return true
    for (let i = 0; i < seen.ranges.length; i += 2) {
      if (sequence >= seen.ranges[i]! && sequence <= seen.ranges[i + 1]!) return true
    }
    return false
  }

  /** Whether everything below `other` is below this floor too. */
  includes(other: Floor): boolean {
    for (const { replicaId, head, ranges } of other.entries()) {
      const seen = this.seenOfId(replicaId)
      if (seen === undefined || !includesSeen(seen, head, ranges)) return false
    }
    return true
  }

  /** The union of this floor and `others`. */
  with(others: Iterable<FloorEntry>, dateMs: number): Floor {
    const byId = new Map<ReplicaId, SeenOf>()
    for (const { replicaId, head, ranges } of this.entries()) byId.set(replicaId, { head, ranges })
    for (const { replicaId, head, ranges } of others) {
      if (head === 0 && ranges.length === 0) continue
      const known = byId.get(replicaId)
      byId.set(replicaId, known === undefined ? { head, ranges } : unionOf(known, { head, ranges }))
    }
    const entries = Array.from(byId, ([replicaId, seen]) => ({ replicaId, ...seen }))
    entries.sort((a, b) => (a.replicaId < b.replicaId ? -1 : 1))
    return new Floor(this.#ids, entries, Math.max(this.dateMs, dateMs))
  }

  *entries(): Generator<FloorEntry, void, undefined> {
    for (let at = 0; at < this.#heads.length; at++) {
      const replicaId = hex32(this.#high[at]!) + hex32(this.#low[at]!)
      yield { replicaId, head: this.#heads[at]!, ranges: this.#ranges.get(replicaId) ?? NO_RANGES }
    }
  }

  /** About 12 bytes for each replica id. */
  encode(): Uint8Array {
    const writer = new ByteWriter(16 + 14 * this.size)
    writer.varint(this.dateMs)
    writer.varint(this.size)
    for (const { replicaId, head, ranges } of this.entries()) {
      writer.replicaId(replicaId)
      writer.varint(head)
      writer.varint(ranges.length / 2)
      let last = head
      for (const bound of ranges) {
        writer.varint(bound - last)
        last = bound
      }
    }
    return writer.take()
  }

  #find(replicaId: ReplicaId): number {
    const high = Number.parseInt(replicaId.slice(0, 8), 16)
    const low = Number.parseInt(replicaId.slice(8), 16)
    let first = 0
    let end = this.#heads.length
    while (first < end) {
      const middle = (first + end) >> 1
      const order = this.#high[middle]! - high || this.#low[middle]! - low
      if (order === 0) return middle
      if (order < 0) first = middle + 1
      else end = middle
    }
    return -1
  }

  #makeHash(): string {
    const sum: Hash64 = { high: Math.floor(this.dateMs / 2 ** 32), low: this.dateMs >>> 0 }
    for (const { replicaId, head, ranges } of this.entries()) {
      let low = fold32(hashReplicaId(replicaId), head)
      let high = foldHigh32(mix32(low), head)
      for (const bound of ranges) {
        low = fold32(low, bound)
        high = foldHigh32(high, bound)
      }
      addHash(sum, { low: mix32(low), high: mix32(high) })
    }
    return hashHex(sum)
  }
}

function readSeen(reader: ByteReader): SeenOf {
  const head = reader.varint()
  if (head > SEQUENCE_MAX) throw malformed(`sequence number ${head}`)
  const count = reader.count(2)
  const ranges: number[] = []
  let last = head
  for (let i = 0; i < 2 * count; i++) {
    const step = reader.varint()
    if (i % 2 === 0 && step < 2) throw malformed('ranges do not ascend')
    last += step
    if (last > SEQUENCE_MAX) throw malformed(`sequence number ${last}`)
    ranges.push(last)
  }
  return { head, ranges }
}

/** Whether [1, head] and all of `ranges` are in `seen`. */
export function includesSeen(seen: SeenOf, head: number, ranges: readonly number[]): boolean {
  if (head > seen.head) return false
  for (let i = 0, at = 0; i < ranges.length; i += 2) {
    const [first, last] = [Math.max(ranges[i]!, seen.head + 1), ranges[i + 1]!]
    if (last < first) continue
    while (at < seen.ranges.length && seen.ranges[at + 1]! < last) at += 2
    if (at >= seen.ranges.length || seen.ranges[at]! > first) return false
  }
  return true
}

/** The union of both, with ranges that neither overlap nor touch. */
function unionOf(a: SeenOf, b: SeenOf): SeenOf {
  const pairs = [a, b].flatMap(({ head, ranges }) => [...(head > 0 ? [[1, head] as const] : []), ...pairsOf(ranges)])
  pairs.sort((x, y) => x[0] - y[0])
  const joined: number[] = []
  for (const [first, last] of pairs) {
    const end = joined.length - 1
    if (end > 0 && first <= joined[end]! + 1) joined[end] = Math.max(joined[end]!, last)
    else joined.push(first, last)
  }
  return joined[0] === 1 ? { head: joined[1]!, ranges: joined.slice(2) } : { head: 0, ranges: joined }
}

function pairsOf(ranges: readonly number[]): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = []
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i]!, ranges[i + 1]!])
  return pairs
}

function hex32(word: number): string {
  return word.toString(16).padStart(8, '0')
}

function malformed(what: string): GridError {
  return new GridError('MESSAGE_MALFORMED', `malformed purge floor: ${what}`)
}
