import { compareVersions } from './peer-state.ts'
import type { Version } from './peer-state.ts'
import { WALL_START_MS } from './simulated-clock.ts'
import type { SimulatedCollection } from './simulated-collection.ts'

/** One write of one row that an application asked for. */
export interface LedgerWrite extends Version {
  readonly collection: SimulatedCollection
  readonly key: string
  readonly value: Uint8Array | undefined
  readonly peer: number
  readonly writeId: number
  /** Simulated time of the write, by no machine's clock. */
  readonly atMs: number
  /** Wall milliseconds at which the entry is gone; Infinity for one that stays. */
  readonly expiresAtMs: number
  /** The peer acknowledged that it is durable. */
  acknowledged: boolean
  /**
   * It was neither acknowledged nor durable when its peer crashed. So it never happened, and its dot may be given out
   * again.
   */
  withdrawn: boolean
  /** Every copy of it was lost with a disk. */
  excused: boolean
  /** Simulated time at which the checks first found it at a durable peer; Infinity before. */
  seenAtMs: number
}

/** A write as it is recorded, before anything has become of it. */
type Noted = Omit<LedgerWrite, 'acknowledged' | 'withdrawn' | 'excused' | 'seenAtMs'>

/** The writes to one key, smallest version first. */
export interface LedgerKey {
  readonly collection: SimulatedCollection
  readonly key: string
  readonly writes: LedgerWrite[]
  /** The hash of the key, the same at all peers of a grid. Undefined until a peer computed it. */
  keyHash: number | undefined
}

/** When deletes may be purged. */
export interface Purging {
  /** No peer purges a delete earlier than this after a durable peer has seen it, in simulated milliseconds. */
  readonly graceMs: number
  nowMs(): number
}

/**
 * What the applications wrote, and which writes the peers acknowledged. Checks compare the peers with this record,
 * which no peer sees.
 */
export class Ledger {
  readonly #keys = new Map<string, LedgerKey>()
  /** Writes that a machine has not acknowledged since it started, oldest first. */
  readonly #pending = new Map<number, LedgerWrite[]>()
  /**
   * Replica ids whose dots were given out twice, because a disk was set back. Until all peers have met, their vectors
   * prove nothing. And such a write may be issued again under another id, with the same HLC reading.
   */
  readonly reusedIds: Set<string> = new Set<string>()
  /** Whether a write may be gone although it was acknowledged: its collection was dropped. */
  mayBeDropped: (write: LedgerWrite) => boolean = () => false
  readonly #writesMax: number
  readonly #purging: Purging | undefined
  #writes = 0
  #deletes = 0
  #acknowledged = 0

  /**
   * `writesMax`: how many of the newest writes of each key the ledger remembers and checks at the end. Without
   * `purging` no delete may ever be forgotten.
   */
  constructor(writesMax: number = Infinity, purging?: Purging) {
    this.#writesMax = writesMax
    this.#purging = purging
  }

  get keys(): IterableIterator<LedgerKey> {
    return this.#keys.values()
  }

  get writes(): number {
    return this.#writes
  }

  get deletes(): number {
    return this.#deletes
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  add(write: Noted): LedgerWrite {
    // A copy: the encoder's array may be a view of a much larger buffer.
    const value = write.value?.slice()
    const added: LedgerWrite = {
      ...write,
      value,
      acknowledged: false,
      withdrawn: false,
      excused: false,
      seenAtMs: Infinity,
    }
    const id = idOf(write.collection, write.key)
    let key = this.#keys.get(id)
    if (key === undefined) this.#keys.set(id, (key = newKey(write)))
    const { writes } = key
    let at = writes.length
    while (at > 0 && compareVersions(writes[at - 1]!, added) > 0) at -= 1
    writes.splice(at, 0, added)
    if (writes.length > this.#writesMax) writes.shift()
    this.pending(write.peer).push(added)
    this.#writes += 1
    if (write.value === undefined) this.#deletes += 1
    return added
  }

  /** All writes to a key, smallest version first. */
  writesOf(collection: SimulatedCollection, key: string): readonly LedgerWrite[] {
    return this.#keys.get(idOf(collection, key))?.writes ?? []
  }

  /** Whether the dot of a version belongs to a write of a value. */
  isAdd(collection: SimulatedCollection, key: string, { replicaId, sequence }: Version): boolean {
    const write = this.writesOf(collection, key).find(
      (each) => each.replicaId === replicaId && each.sequence === sequence,
    )
    return write?.value !== undefined
  }

  pending(peer: number): LedgerWrite[] {
    let pending = this.#pending.get(peer)
    if (pending === undefined) this.#pending.set(peer, (pending = []))
    return pending
  }

  /** The peer acknowledges all its writes up to `writeId`. Returns the ones that were not acknowledged before. */
  acknowledge(peer: number, writeId: number): LedgerWrite[] {
    const pending = this.pending(peer)
    let count = 0
    while (count < pending.length && pending[count]!.writeId <= writeId) pending[count++]!.acknowledged = true
    this.#acknowledged += count
    return pending.splice(0, count)
  }

  /** Whether a version that a peer has is that write or a larger one. */
  fulfils(found: Version | undefined, write: LedgerWrite): boolean {
    if (found === undefined) return false
    if (compareVersions(found, write) >= 0) return true
    return found.hlc === write.hlc && found.removes === write.removes && this.reusedIds.has(write.replicaId)
  }

  /**
   * Whether a peer may lack a version of a key: a delete that is as large or larger may have been purged. After that
   * the peer has nothing for the key, or a write that no durable peer had seen by then and that counts as new.
   */
  mayBePurged(collection: SimulatedCollection, key: string, version: Version, found: Version | undefined): boolean {
    if (this.#purging === undefined) return false
    const { graceMs, nowMs } = this.#purging
    const writes = this.writesOf(collection, key)
    for (let i = writes.length - 1; i >= 0 && compareVersions(writes[i]!, version) >= 0; i--) {
      const write = writes[i]!
      const endsMs = write.value === undefined ? write.atMs : write.expiresAtMs - WALL_START_MS
      const purgedMs = Math.max(write.seenAtMs + graceMs, endsMs)
      if (write.withdrawn || purgedMs > nowMs()) continue
      if (found === undefined) return true
      const kept = writes.find((other) => compareVersions(other, found) === 0)
      if (kept !== undefined && kept.seenAtMs >= purgedMs) return true
    }
    return false
  }

  /** A machine has crashed. Returns its unacknowledged writes, oldest first, and forgets them. */
  endLife(peer: number): LedgerWrite[] {
    const pending = this.pending(peer)
    this.#pending.set(peer, [])
    return pending
  }

  /** All writes that were acknowledged and must be found again. */
  *owed(): Generator<LedgerWrite, void, undefined> {
    for (const { writes } of this.#keys.values()) {
      for (const write of writes) if (isOwed(write)) yield write
    }
  }
}

/** It was acknowledged and must be found again. */
export function isOwed({ acknowledged, excused }: LedgerWrite): boolean {
  return acknowledged && !excused
}

function newKey({ collection, key }: Noted): LedgerKey {
  return { collection, key, writes: [], keyHash: undefined }
}

function idOf({ name, kind }: SimulatedCollection, key: string): string {
  return `${kind} ${name} ${key}`
}
