import { readBlock, readLog } from '../wire/block.ts'
import type { BlockRecord, EntryDot, LogRecord, PartitionName } from '../wire/block.ts'
import type { Collections, Partition } from '../replica/collections.ts'
import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import { Floor } from '../versions/floor.ts'
import { LOG_PREFIX } from './group-commit.ts'
import { hlcFromWall, wallFromHlc } from '../clock/hlc.ts'
import type { HybridClock } from '../clock/hlc.ts'
import type { Replica } from '../replica/replica.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import {
  BACKUP_PREFIX,
  META_KEY,
  PART_PREFIX,
  SEGMENT_PREFIX,
  decodeMeta,
  decodePart,
  placeOf,
  segmentKey,
  segmentOf,
} from './stored-state.ts'
import type { Stored, StoredMeta, StoredPart } from './stored-state.ts'
import { decodeVector } from '../versions/vector-codec.ts'
import { STORED_CLOCK_AHEAD_MAX_MS } from '../limits.ts'

/** Rows for partitions of other peers. */
export const HINT_PREFIX = 'hint/'
/** Purge floors of partitions that are not due yet: see `FloorMarks`. */
export const MARK_PREFIX = 'mark/'

/** Prefixes of core's keys, in the order in which their blobs must be offered. */
export const OPENING_PREFIXES: readonly string[] = [
  ...[META_KEY, PART_PREFIX, SEGMENT_PREFIX],
  ...[LOG_PREFIX, HINT_PREFIX, MARK_PREFIX],
]

/** A blob that could not be used. */
export interface Damage {
  readonly key: string
  readonly reason: string
  /** The bytes, where the store gave any. */
  readonly bytes: Uint8Array | undefined
}

/** What was in the store. */
export interface Opened {
  /** The replica id to go on with; undefined when a new one is needed, and why. */
  readonly replicaId: string | undefined
  readonly reason: string
  readonly damage: readonly Damage[]
  readonly stored: ReadonlyMap<Partition, Stored>
  /** Something was damaged, now or earlier without being repaired since: all of it is to be written again. */
  readonly damaged: boolean
  /** Keys that nothing refers to, once a checkpoint has finished. */
  readonly orphans: readonly string[]
  /** The first place that no key names. */
  readonly nextPlace: number
  readonly logFirst: number
  readonly logLast: number
  readonly logBytes: number
  /** Rows for partitions of other peers, by their key in the store. */
  readonly hints: ReadonlyMap<string, readonly BlockRecord[]>
  /** Purge floors of partitions that are not due yet, by their key in the store; an empty one where it was unreadable. */
  readonly marks: ReadonlyMap<string, Uint8Array>
}

interface OfferedPart {
  readonly part: StoredPart
  readonly partition: Partition
  /** Segments of entries that only the log holds: they must be written before the log is cut. */
  readonly dirty: Set<number>
}

/**
 * Rebuilds a peer's state from its blobs. What is unreadable is set aside and the rest is kept; but a partition that may
 * have lost entries loses its vector, which then says only what is really here, so that it can claim nothing it lacks.
 */
export class Opening {
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #clock: HybridClock
  readonly #peerId: string
  readonly #damage: Damage[] = []
  readonly #parts = new Map<number, OfferedPart>()
  readonly #segments = new Map<number, Set<string>>()
  readonly #damagedPartitions = new Set<Partition>()
  readonly #orphans: string[] = []
  readonly #logs: number[] = []
  readonly #hints = new Map<string, readonly BlockRecord[]>()
  readonly #marks = new Map<string, Uint8Array>()
  #nextPlace = 1
  #damagedParts = 0
  #allDamaged = false
  #meta: StoredMeta | undefined
  /** The stored clock, where it is not believed. */
  #aheadAt: string | undefined
  #logBytes = 0

  constructor(collections: Collections, ids: ReplicaIds, clock: HybridClock, peerId: string) {
    this.#collections = collections
    this.#ids = ids
    this.#clock = clock
    this.#peerId = peerId
  }

  /**
   * Takes one blob; `bytes` undefined when the store could not read it. All `OPENING_PREFIXES` in order, keys sorted.
   * Throws `STORAGE_FORMAT` when a later version wrote the store.
   */
  offer(key: string, bytes: Uint8Array | undefined, reason: string = 'unreadable'): void {
    if (key.startsWith(LOG_PREFIX)) this.#logs.push(Number(key.slice(LOG_PREFIX.length)))
    else if (key !== META_KEY && !isBesideCopies(key)) this.#nextPlace = Math.max(this.#nextPlace, placeOf(key) + 1)
    if (bytes === undefined) {
      this.#damaged(key, undefined, reason)
      return
    }
    try {
      if (key === META_KEY) this.#offerMeta(bytes)
      else if (key.startsWith(PART_PREFIX)) this.#offerPart(key, bytes)
      else if (key.startsWith(SEGMENT_PREFIX)) this.#offerSegment(key, bytes)
      else if (key.startsWith(LOG_PREFIX)) this.#offerLog(bytes)
      else if (key.startsWith(HINT_PREFIX)) this.#offerHints(key, bytes)
      else if (key.startsWith(MARK_PREFIX)) this.#marks.set(key, bytes)
    } catch (error) {
      if (error instanceof GridError && error.code === 'STORAGE_FORMAT') throw error
      this.#damaged(key, bytes, error instanceof Error ? error.message : String(error))
    }
  }

  /** The store itself has lost something, and it is not known what: as bad as an unreadable log. */
  lost(reason: string): void {
    this.#damaged('', undefined, reason)
  }

  finish(wallMs: number): Opened {
    this.#checkComplete()
    this.#checkClock(wallMs)
    const damagedPartitions = this.#allDamaged ? [...this.#collections.partitions()] : this.#damagedPartitions
    for (const partition of damagedPartitions) this.forgetVector(partition)
    // Segments that no checkpoint has written since still hold what was purged.
    for (const { replica } of this.#collections.partitions()) replica.purge()
    const stored = new Map<Partition, Stored>()
    for (const [place, { part, partition, dirty }] of this.#parts) {
      stored.set(partition, {
        place,
        segmentBits: part.segmentBits,
        segments: new Set(part.segments),
        dirty,
        vector: part.vector,
        floor: part.floor,
      })
    }
    return {
      ...this.#identity(),
      damage: this.#damage,
      damaged: this.#damage.length > 0 || this.#meta?.damaged === true,
      stored,
      orphans: this.#orphans,
      nextPlace: this.#nextPlace,
      logFirst: this.#logs[0] ?? this.#meta?.logFirst ?? 1,
      logLast: this.#logs.at(-1) ?? (this.#meta?.logFirst ?? 1) - 1,
      logBytes: this.#logBytes,
      hints: this.#hints,
      marks: this.#marks,
    }
  }

  /** Replaces a partition's vector, and its purge floor, by exactly the dots of the entries it holds. */
  forgetVector(partition: Partition): void {
    const { vector, table } = partition.replica
    vector.clear()
    for (const slot of table.slots()) vector.add(table.writer(slot), table.sequence(slot))
  }

  #identity(): { replicaId: string | undefined; reason: string } {
    const withNewId = (reason: string): { replicaId: undefined; reason: string } => ({ replicaId: undefined, reason })
    if (this.#damage.length > 0) return withNewId('the stored state was damaged')
    if (this.#meta === undefined) return withNewId('nothing was stored')
    if (this.#meta.damaged) return withNewId('the stored state was damaged and not repaired since')
    const { peerId } = this.#meta
    if (peerId.startsWith(BACKUP_PREFIX))
      return withNewId(`the store was made from a backup of peer ${peerId.slice(BACKUP_PREFIX.length)}`)
    if (peerId !== this.#peerId) return withNewId(`the stored state is that of peer id ${peerId}`)
    if (this.#aheadAt !== undefined) return withNewId(`the stored clock is at ${this.#aheadAt}, over a day ahead`)
    return { replicaId: this.#meta.replicaId, reason: '' }
  }

  /** A clock that is not believed must not date new writes either: other peers would refuse them. */
  #checkClock(wallMs: number): void {
    if (this.#clock.last <= hlcFromWall(wallMs + STORED_CLOCK_AHEAD_MAX_MS)) return
    this.#aheadAt = new Date(wallFromHlc(this.#clock.last)).toISOString()
    this.#clock.reset()
  }

  /** Missing blobs are damage too: a segment that a part names, a log blob in the middle, the meta blob beside others. */
  #checkComplete(): void {
    for (const [place, { part, partition }] of this.#parts) {
      for (const index of part.segments) {
        const key = segmentKey(place, part.segmentBits, index)
        if (this.#segments.get(place)?.has(key) === true) continue
        this.#damage.push({ key, reason: 'missing', bytes: undefined })
        this.#damagedPartitions.add(partition)
      }
    }
    const offered = this.#parts.size + this.#damagedParts
    if (offered < (this.#meta?.parts ?? 0)) this.#damaged(`${PART_PREFIX}?`, undefined, 'missing')
    let expected = this.#meta?.logFirst ?? this.#logs[0]
    for (const number of this.#logs) {
      if (expected !== undefined && number > expected)
        this.#damaged(`${LOG_PREFIX}before ${number}`, undefined, 'missing')
      expected = number + 1
    }
    const anything = this.#logs.length > 0 || this.#parts.size > 0
    const isMetaMissing = this.#meta === undefined && this.#damage.every(({ key }) => key !== META_KEY)
    if (isMetaMissing && anything) this.#damaged(META_KEY, undefined, 'missing')
  }

  #damaged(key: string, bytes: Uint8Array | undefined, reason: string): void {
    this.#damage.push({ key, bytes, reason })
    const part = key.startsWith(SEGMENT_PREFIX) ? this.#parts.get(placeOf(key)) : undefined
    if (key.startsWith(PART_PREFIX)) this.#damagedParts += 1
    // Unless it is written again under the same key, it must go, or every opening would find the damage again.
    if ([PART_PREFIX, SEGMENT_PREFIX].some((prefix) => key.startsWith(prefix))) this.#orphans.push(key)
    if (isBesideCopies(key)) {
      // No copy depends on it. Its class deletes it, so that no later one gets its key before it is gone.
      if (key.startsWith(HINT_PREFIX)) this.#hints.set(key, [])
      else this.#marks.set(key, new Uint8Array(0))
      return
    }
    if (part === undefined) {
      // A log blob or a part may have contained anything, and `meta` that an earlier damage is not repaired yet.
      this.#allDamaged = true
    } else {
      this.#damagedPartitions.add(part.partition)
      this.#segmentsAt(placeOf(key)).add(key)
    }
  }

  #offerMeta(bytes: Uint8Array): void {
    this.#meta = decodeMeta(bytes)
    if (this.#meta.damaged) this.#allDamaged = true
  }

  #offerPart(key: string, bytes: Uint8Array): void {
    const part = decodePart(bytes)
    const partition = this.#collections.restore(part)
    if (part.floor !== undefined) partition.replica.vector.raiseTo(Floor.decode(part.floor, this.#ids))
    partition.replica.vector.merge(decodeVector(part.vector, this.#ids))
    this.#parts.set(placeOf(key), { part, partition, dirty: new Set() })
  }

  #offerSegment(key: string, bytes: Uint8Array): void {
    const place = placeOf(key)
    const part = this.#parts.get(place)?.part
    const bits = Number(key.split('/')[2]!.slice(0, 2))
    if (part !== undefined && bits === part.segmentBits) {
      this.#restore(bytes)
      this.#segmentsAt(place).add(key)
      return
    }
    this.#orphans.push(key)
    // Written by a checkpoint that never finished: everything in it is in the log, and from there in need of a segment.
    if (part !== undefined) return
    // All that is left of a damaged part.
    this.#restore(bytes)
  }

  #offerHints(key: string, bytes: Uint8Array): void {
    const records = readBlock(bytes, this.#ids)
    for (const record of records) if (record.type === 'rows') this.#each(record.rows, () => undefined)
    this.#hints.set(key, records)
  }

  #offerLog(bytes: Uint8Array): void {
    for (const { part, partition, dirty } of this.#parts.values()) {
      partition.replica.touched ??= (keyHash) => dirty.add(segmentOf(keyHash, part.segmentBits))
    }
    for (const record of readLog(bytes, this.#ids)) this.#replay(record)
    this.#logBytes += bytes.length
  }

  /** A segment: what is in it was not purged. */
  #restore(bytes: Uint8Array): void {
    for (const record of readBlock(bytes, this.#ids)) {
      if (record.type === 'superseded') continue
      const { replica } = this.#partition(record.partition)
      this.#each(record.rows, (row) => replica.restore(row))
    }
  }

  #replay(record: LogRecord): void {
    const { replica } = this.#partition(record.partition)
    switch (record.type) {
      case 'rows':
        this.#each(record.rows, (row) => replica.merge(row))
        break
      case 'superseded':
        replica.vector.addRanges(this.#ids.intern(record.replicaId), record.ranges)
        break
      case 'floor': {
        const floor = Floor.decode(record.floor, this.#ids)
        replica.raiseFloor(replica.floor.with(floor.entries(), floor.dateMs))
        break
      }
      case 'drops':
        for (const drop of record.drops) this.#drop(replica, drop)
    }
  }

  #each(rows: readonly Row[], take: (row: Row) => void): void {
    for (const row of rows) {
      take(row)
      this.#clock.observe(row.hlc)
    }
  }

  #drop(replica: Replica, { key, replicaId, sequence }: EntryDot): void {
    const { table } = replica
    const slot = table.slotOf(key)
    if (slot === undefined || table.sequence(slot) !== sequence) return
    if (table.writer(slot) === this.#ids.indexOf(replicaId)) replica.drop(slot)
  }

  #partition(name: PartitionName): Partition {
    return this.#collections.restore(name)
  }

  #segmentsAt(place: number): Set<string> {
    let keys = this.#segments.get(place)
    if (keys === undefined) this.#segments.set(place, (keys = new Set()))
    return keys
  }
}

/** A blob that says nothing of the copies of this peer. */
function isBesideCopies(key: string): boolean {
  return key.startsWith(HINT_PREFIX) || key.startsWith(MARK_PREFIX)
}
