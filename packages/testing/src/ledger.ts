import { compareVersions } from './held-state.ts'
import type { Version } from './held-state.ts'

/** One write that the application asked for. */
export interface LedgerWrite extends Version {
  readonly collection: string
  readonly key: string
  readonly value: Uint8Array | undefined
  readonly peer: number
  readonly writeId: number
  /** The application was told that it is durable. */
  acknowledged: boolean
  /** It was neither acknowledged nor durable when its peer crashed: it never happened, and its dot may be given out again. */
  withdrawn: boolean
  /** Every copy of it went down with a disk. */
  excused: boolean
}

/** The writes to one key, smallest version first. */
export interface LedgerKey {
  readonly collection: string
  readonly key: string
  readonly writes: LedgerWrite[]
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
  #writes = 0
  #deletes = 0
  #acknowledged = 0

  /** `writesMax`: how many of the newest writes of each key are remembered, and so asked for at the end. */
  constructor(writesMax: number = Infinity) {
    this.#writesMax = writesMax
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

  add(write: Omit<LedgerWrite, 'acknowledged' | 'withdrawn' | 'excused'>): LedgerWrite {
    // A copy: an encoder's result may hold on to a buffer many times its size.
    const value = write.value?.slice()
    const added: LedgerWrite = { ...write, value, acknowledged: false, withdrawn: false, excused: false }
    const id = `${write.collection} ${write.key}`
    let key = this.#keys.get(id)
    if (key === undefined) this.#keys.set(id, (key = { collection: write.collection, key: write.key, writes: [] }))
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
    return compareVersions(held, write) >= 0 || (held.hlc === write.hlc && this.reusedIds.has(write.replicaId))
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
      for (const write of writes) if (write.acknowledged && !write.excused) yield write
    }
  }
}
