import { compareVersions } from './held-state.ts'
import type { Version } from './held-state.ts'
import { WALL_START_MS } from './simulated-clock.ts'
import type { SimulatedCollection } from './simulated-collection.ts'

/** One write of one row that an application asked for. */
export interface LedgerWrite extends Version {
  readonly collection: SimulatedCollection
  readonly key: string
  readonly value: Uint8Array | undefined
  readonly peer: number
  readonly writeId: number
  /** True simulated time of the write. */
  readonly atMs: number
  /** Wall milliseconds at which the entry is gone; Infinity for one that stays. */
  readonly expiresAtMs: number
  /** The application was told that it is durable. */
  acknowledged: boolean
  /** It was neither acknowledged nor durable when its peer crashed: it never happened, and its dot may be given out again. */
  withdrawn: boolean
  /** Every copy of it went down with a disk. */
  excused: boolean
  /** True simulated time at which the first durable peer was found to have seen it; Infinity while none has. */
  seenAtMs: number
}

/** What of a write is yet to come when it is noted. */
type Noted = Omit<LedgerWrite, 'acknowledged' | 'withdrawn' | 'excused' | 'seenAtMs'>

/** The writes to one key, smallest version first. */
export interface LedgerKey {
  readonly collection: SimulatedCollection
  readonly key: string
  readonly writes: LedgerWrite[]
  /** The hash of the key, which all peers of a grid give it: undefined until the first one was asked. */
  keyHash: number | undefined
}

/** When deletes may be forgotten. */
export interface Purging {
  /** True milliseconds, from when a durable peer has seen a delete, before which no peer forgets it. */
  readonly graceMs: number
  nowMs(): number
}

/** What the application did and was told, kept outside of all peers: the truth that they are held against. */
export class Ledger {
  readonly #keys = new Map<string, LedgerKey>()
  /** Writes of each machine's present life that are not acknowledged yet, oldest first. */
  readonly #pending = new Map<number, LedgerWrite[]>()
  /**
   * Replica ids whose dots were given out twice, because a disk was set back. Until all peers have met, no vector can be
   * held to its word; and such a write may be issued anew, with the same HLC reading, under another id.
   */
  readonly reusedIds: Set<string> = new Set<string>()
  readonly #writesMax: number
  readonly #purging: Purging | undefined
  #writes = 0
  #deletes = 0
  #acknowledged = 0

  /**
   * `writesMax`: how many of the newest writes of each key are remembered, and so asked for at the end. Without `purging`
   * no delete may ever be forgotten.
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
    // A copy: an encoder's result may hold on to a buffer many times its size.
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

  /** The application at `peer` hears that all its writes up to `writeId` are durable. Returns those it did not know of. */
  acknowledge(peer: number, writeId: number): LedgerWrite[] {
    const pending = this.pending(peer)
    let count = 0
    while (count < pending.length && pending[count]!.writeId <= writeId) pending[count++]!.acknowledged = true
    this.#acknowledged += count
    return pending.splice(0, count)
  }

  /** Whether a held version is that write or a larger one. */
  fulfils(held: Version | undefined, write: LedgerWrite): boolean {
    if (held === undefined) return false
    if (compareVersions(held, write) >= 0) return true
    return held.hlc === write.hlc && held.removes === write.removes && this.reusedIds.has(write.replicaId)
  }

  /**
   * Whether a peer that ought to hold a version of a key, or a larger one, may rightly hold less: a delete as large was
   * purged by now. Then it holds nothing, or a write that nobody had seen when that happened, and which counts as new.
   */
  mayBePurged(collection: SimulatedCollection, key: string, version: Version, held: Version | undefined): boolean {
    if (this.#purging === undefined) return false
    const { graceMs, nowMs } = this.#purging
    const writes = this.writesOf(collection, key)
    for (let i = writes.length - 1; i >= 0 && compareVersions(writes[i]!, version) >= 0; i--) {
      const write = writes[i]!
      const endsMs = write.value === undefined ? write.atMs : write.expiresAtMs - WALL_START_MS
      const purgedMs = Math.max(write.seenAtMs + graceMs, endsMs)
      if (write.withdrawn || purgedMs > nowMs()) continue
      if (held === undefined) return true
      const kept = writes.find((other) => compareVersions(other, held) === 0)
      if (kept !== undefined && kept.seenAtMs >= purgedMs) return true
    }
    return false
  }

  /** A machine has crashed: its writes that nobody was told of, oldest first. The next life starts with none. */
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
