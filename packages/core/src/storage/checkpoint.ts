import type { Collections, Partition } from '../replica/collections.ts'
import { logKey } from './group-commit.ts'
import type { GroupCommit } from './group-commit.ts'
import { CHECKPOINT_LOG_MIN_BYTES, SEGMENT_MAX_BYTES } from '../limits.ts'
import type { Opened } from './opening.ts'
import { groupBySegment, segmentBlock, storedBytes, wantedBits } from './segments.ts'
import type { Grouped } from './segments.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId, StorageOperation } from '../ports.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import { ASIDE_PREFIX, META_KEY, encodeMeta, encodePart, partKey, segmentKey, segmentOf } from './stored-state.ts'
import type { Stored } from './stored-state.ts'
import { encodeVector } from '../versions/vector-codec.ts'

const NO_VECTOR = new Uint8Array(0)
/** A checkpoint under way over one partition. */
interface Rewrite {
  readonly partition: Partition
  readonly stored: Stored
  readonly bits: number
  /** The segments to write. Those in which nothing is left are deleted. */
  readonly dirty: ReadonlySet<number>
  /** The vector and the floor at the start: what is written is at least that. */
  readonly vector: Uint8Array
  readonly floor: Uint8Array | undefined
  /** Groups the slots to write by segment, a piece at a time. */
  readonly grouping: Generator<void, Grouped, void>
  grouped: Grouped | undefined
}

/** A checkpoint under way. */
interface Run {
  readonly rewrites: Rewrite[]
  readonly logFirst: number
  readonly logLast: number
  readonly logBytes: number
  readonly finish: StorageOperation[]
  /** Of the part blobs in `finish`. */
  readonly places: number[]
  /** Partitions that were removed before it began: with the log that names them, all of theirs goes at its end. */
  readonly leaving: readonly Leaving[]
}

/** A partition that was removed and is still in the store. */
interface Leaving {
  readonly stored: Stored
  readonly forgotten: () => void
}

export interface CheckpointDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly identity: { readonly id: ReplicaId }
  readonly ids: ReplicaIds
  readonly outbox: Outbox
  readonly peerId: PeerId
}

/**
 * Keeps opening fast by rewriting the segments that have changed and cutting the log, one segment at a time so that the
 * peer goes on working. A segment may hold more than the vector says: the log from the start of the checkpoint on is
 * kept, and merging is idempotent. The last batch swaps vectors and cuts the log at once.
 */
export class Checkpoint {
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #commit: GroupCommit
  readonly #identity: CheckpointDeps['identity']
  readonly #outbox: Outbox
  readonly #peerId: PeerId
  readonly #stored = new Map<Partition, Stored>()
  /** Places whose part blob is in the store. */
  readonly #parts = new Set<number>()
  #run: Run | undefined
  #waiting = false
  #nextPlace = 1
  #logFirst = 1
  #wanted = false
  /** A damaged blob was found, and not all is written again since: a crash would cost vectors, floors, and that copies are whole. */
  damaged = false
  #orphans: readonly string[] = []
  #leaving: Leaving[] = []

  constructor({ collections, commit, identity, ids, outbox, peerId }: CheckpointDeps) {
    this.#collections = collections
    this.#commit = commit
    this.#identity = identity
    this.#ids = ids
    this.#outbox = outbox
    this.#peerId = peerId
  }

  /** Bytes of log below which none is cut: a seam, so that simulations can do with short ones. */
  get logMinBytes(): number {
    return CHECKPOINT_LOG_MIN_BYTES
  }

  /** Follows a partition's changes. `stored` says how opening found it. */
  follow(partition: Partition, stored?: Stored): void {
    if (stored !== undefined) this.#parts.add(stored.place)
    const state = stored ?? newStored(this.#nextPlace, partition)
    this.#nextPlace = Math.max(this.#nextPlace, state.place + 1)
    this.#stored.set(partition, state)
    partition.replica.touched = (keyHash) => state.dirty.add(segmentOf(keyHash, state.segmentBits))
  }

  /** Bytes above which a partition is cut into more segments: a seam like `logMinBytes`. */
  get segmentMaxBytes(): number {
    return SEGMENT_MAX_BYTES
  }

  /**
   * Goes on with the store where opening left it, and follows every partition from here on. Damaged blobs are kept aside,
   * and the state is written again.
   */
  takeUp(opened: Opened): void {
    this.#commit.resume(opened.logLast, opened.logBytes)
    this.#logFirst = opened.logFirst
    this.#nextPlace = opened.nextPlace
    this.#orphans = opened.orphans
    for (const partition of this.#collections.partitions()) this.follow(partition, opened.stored.get(partition))
    this.#collections.created = (partition) => this.follow(partition)
    this.#collections.removed = (partition, forgotten) => this.#release(partition, forgotten)
    if (opened.damaged) this.repair()
    if (opened.replicaId === undefined) this.recordIdentity()
    for (const { key, bytes, reason } of opened.damage) {
      if (bytes !== undefined) this.#commit.operations([{ type: 'put', key: ASIDE_PREFIX + key, bytes }])
      this.#outbox.event({ type: 'damaged', key, reason })
    }
  }

  /** The replica id has changed: the store must say so before it holds writes under the new one. */
  recordIdentity(): void {
    if (this.#commit.persistent) this.#commit.operations([this.#meta()])
  }

  /** The blob that says whose store this is and where the log begins. */
  #meta(): StorageOperation {
    const meta = {
      replicaId: this.#identity.id,
      peerId: this.#peerId,
      logFirst: this.#logFirst,
      parts: this.#parts.size,
      damaged: this.damaged,
    }
    return { type: 'put', key: META_KEY, bytes: encodeMeta(meta) }
  }

  /**
   * Asks for a checkpoint whatever the log's size, with every segment written again. Until it has finished, `meta` says
   * that the store is damaged: sound segments may stand beside vectors that claim what was in the damaged ones.
   */
  repair(): void {
    this.#wanted = true
    this.damaged = true
    for (const [partition, stored] of this.#stored) {
      for (const slot of partition.replica.table.slots()) {
        stored.dirty.add(segmentOf(partition.replica.table.keyHash(slot), stored.segmentBits))
      }
      // A segment whose entries are all lost is not written again, and would be reported missing at every start.
      stored.segments = new Set(stored.dirty)
    }
  }

  /**
   * Takes a removed partition out of the store with the next checkpoint that begins after its last rows were logged: until
   * then a crash brings the whole of it back, and never a vector without its entries.
   */
  #release(partition: Partition, forgotten: () => void): void {
    const stored = this.#stored.get(partition)!
    this.#stored.delete(partition)
    this.#commit.whenDurable(() => {
      this.#leaving.push({ stored, forgotten })
      this.#wanted = true
    })
  }

  /** Does the next piece of work, if one is due: at most one segment, or the grouping of some thousand slots. */
  tick(): void {
    if (this.#waiting || this.#commit.failing) return
    if (this.#run === undefined && !this.#due()) return
    this.#run ??= this.#start()
    const operations = this.#piece(this.#run)
    if (operations.length === 0) return
    this.#waiting = true
    this.#commit.operations(operations, () => (this.#waiting = false))
  }

  /** True while there is more to do at once. */
  get busy(): boolean {
    return !this.#waiting && !this.#commit.failing && (this.#run !== undefined || this.#due())
  }

  #due(): boolean {
    if (this.#wanted) return true
    const { logBytes } = this.#commit
    if (logBytes <= this.logMinBytes) return false
    let liveBytes = 0
    for (const { replica } of this.#collections.partitions()) liveBytes += storedBytes(replica.table)
    return logBytes > liveBytes
  }

  #start(): Run {
    this.#wanted = false
    const rewrites: Rewrite[] = []
    for (const [partition, stored] of this.#stored) {
      const { floor } = partition.replica
      const reported = {
        vector: encodeVector(partition.replica.vector, this.#ids),
        floor: floor.isEmpty ? undefined : floor.encode(),
      }
      // A vector may have grown without an entry changing: by superseded dots, and by rows that lost.
      const seenSame = sameBytes(reported.vector, stored.vector) && sameBytes(reported.floor, stored.floor)
      if (stored.dirty.size > 0 || !seenSame) rewrites.push(this.#plan(partition, stored, reported))
    }
    const leaving = this.#leaving
    this.#leaving = []
    return {
      rewrites,
      leaving,
      logFirst: this.#logFirst,
      logLast: this.#commit.lastLog,
      logBytes: this.#commit.logBytes,
      finish: [],
      places: [],
    }
  }

  #plan(partition: Partition, stored: Stored, reported: Pick<Rewrite, 'vector' | 'floor'>): Rewrite {
    const { table } = partition.replica
    const bits = wantedBits(table, stored.segmentBits, this.segmentMaxBytes)
    if (bits !== stored.segmentBits) {
      // Every entry moves to another segment.
      stored.dirty = new Set(Array.from({ length: 2 ** bits }, (_, index) => index))
    }
    const { dirty } = stored
    stored.dirty = new Set()
    const grouping = groupBySegment(table, bits, dirty)
    const rewrite: Rewrite = { partition, stored, bits, dirty, ...reported, grouping, grouped: undefined }
    // What changes from here on is dirty for the next checkpoint, by the new bits.
    partition.replica.touched = (keyHash) => stored.dirty.add(segmentOf(keyHash, bits))
    return rewrite
  }

  #piece(run: Run): StorageOperation[] {
    const rewrite = run.rewrites[0]
    if (rewrite === undefined) return this.#finish(run)
    // It was removed since the start. What the store has of it stays as it was, until all of it goes.
    if (!this.#stored.has(rewrite.partition)) {
      run.rewrites.shift()
      return this.#piece(run)
    }
    if (rewrite.grouped === undefined) {
      const step = rewrite.grouping.next()
      if (step.done === true) rewrite.grouped = step.value
      return []
    }
    const segment = rewrite.grouped.segments.shift()
    if (segment !== undefined) return [this.#segment(rewrite, rewrite.grouped.slots, segment)]
    run.rewrites.shift()
    run.finish.push(...this.#swap(run, rewrite, rewrite.grouped.written))
    return this.#piece(run)
  }

  #segment(
    rewrite: Rewrite,
    slots: Uint32Array,
    segment: { index: number; first: number; end: number },
  ): StorageOperation {
    const { partition, stored, bits } = rewrite
    const bytes = segmentBlock(this.#ids, partition, bits, slots.subarray(segment.first, segment.end), segment.index)
    return { type: 'put', key: segmentKey(stored.place, bits, segment.index), bytes }
  }

  /** The part blob that makes the new segments count, and the removal of those that no longer do. */
  #swap(run: Run, rewrite: Rewrite, written: readonly number[]): StorageOperation[] {
    const { partition, stored, bits, dirty, vector, floor } = rewrite
    const operations: StorageOperation[] = []
    const isCut = bits !== stored.segmentBits
    const kept = new Set(written)
    for (const index of stored.segments) {
      if (!isCut && (!dirty.has(index) || kept.has(index))) continue
      operations.push({ type: 'delete', key: segmentKey(stored.place, stored.segmentBits, index) })
      stored.segments.delete(index)
    }
    for (const index of written) stored.segments.add(index)
    stored.segmentBits = bits
    stored.vector = vector
    stored.floor = floor
    run.places.push(stored.place)
    const ofFloor = floor === undefined ? {} : { floor }
    const part = { ...partition.name, vector, ...ofFloor, segmentBits: bits, segments: [...stored.segments] }
    operations.push({ type: 'put', key: partKey(stored.place), bytes: encodePart(part) })
    return operations
  }

  #finish(run: Run): StorageOperation[] {
    const operations = run.finish
    for (let log = run.logFirst; log <= run.logLast; log++) operations.push({ type: 'delete', key: logKey(log) })
    this.#logFirst = run.logLast + 1
    for (const key of this.#orphans) if (!this.#isLive(key)) operations.push({ type: 'delete', key })
    this.#orphans = []
    this.damaged = false
    for (const place of run.places) this.#parts.add(place)
    for (const { stored, forgotten } of run.leaving) {
      operations.push(...removalOf(stored))
      this.#parts.delete(stored.place)
      forgotten()
    }
    operations.push(this.#meta())
    this.#commit.cut(run.logBytes)
    this.#run = undefined
    return operations
  }

  #isLive(key: string): boolean {
    for (const { place, segmentBits, segments } of this.#stored.values()) {
      if (key === partKey(place)) return true
      for (const index of segments) if (key === segmentKey(place, segmentBits, index)) return true
    }
    return false
  }
}

function removalOf({ place, segmentBits, segments }: Stored): StorageOperation[] {
  const keys = [partKey(place), ...Array.from(segments, (index) => segmentKey(place, segmentBits, index))]
  return keys.map((key) => ({ type: 'delete', key }))
}

/** A partition that no checkpoint has written yet: what the log has brought is all in its one segment. */
function newStored(place: number, partition: Partition): Stored {
  const dirty = new Set(partition.replica.table.size > 0 ? [0] : [])
  return { place, segmentBits: 0, segments: new Set(), dirty, vector: NO_VECTOR, floor: undefined }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
