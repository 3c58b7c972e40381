import type { Partition, Peer } from '@gossipgrid/core'
import type { StandingEntry } from '../runtime/write-path.ts'

/** Own writes, by their sequence numbers, that one call made without any other between them. */
interface Stretch {
  readonly call: BulkCall
  /** Number of the replica id that they were made under. */
  readonly replica: number
  readonly first: number
  last: number
}

/**
 * Keeps the order of calls while a method writes its many entries in several turns of the event loop: a key that a later
 * call has written meanwhile stays as that call left it. It tells by the sequence numbers of own writes, so that it keeps
 * nothing of a single write, and of a method that writes many a few numbers for a thousand entries, until it ends.
 */
export class CallOrder {
  readonly #partition: Partition
  readonly #peer: Peer
  readonly #open = new Set<BulkCall>()
  #ended = Promise.withResolvers<void>()
  #stretches: Stretch[] = []
  #calls = 0

  constructor(partition: Partition, peer: Peer) {
    this.#partition = partition
    this.#peer = peer
  }

  /** Entries of an earlier call are still to be written: a delete writes a tombstone for a key that is not here yet. */
  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** What is written from now on, and not by this call or one before it, is later. */
  begin(): BulkCall {
    const call = { number: ++this.#calls, replica: this.#replica, after: this.#sequence }
    this.#open.add(call)
    return call
  }

  /** The call for an entry that is handed out only now: what was written before that is earlier. */
  now(call: BulkCall): BulkCall {
    const after = this.#sequence
    return after === call.after ? call : { ...call, after }
  }

  /** Calls before this one are still to write some of theirs. */
  isBehind(call: BulkCall): boolean {
    return [...this.#open].some(({ number }) => number < call.number)
  }

  /** Resolves when they write no more. */
  async earlierEnded(call: BulkCall): Promise<void> {
    while (this.isBehind(call)) await this.#ended.promise
  }

  /** The call writes no more. */
  end(call: BulkCall): void {
    this.#open.delete(call)
    this.#ended.resolve()
    this.#ended = Promise.withResolvers()
    const oldest = Math.min(...[...this.#open].map(({ after }) => after))
    this.#stretches = this.#stretches.filter(({ last }) => last > oldest)
  }

  /** Makes `write`, which waits for nothing, a part of the call. */
  write<Result>(call: BulkCall, write: () => Result): Result {
    const stretch = this.#stretchOf(call)
    try {
      return write()
    } finally {
      stretch.last = this.#sequence
    }
  }

  /** What a later call has left in one of these rows; undefined where none has. */
  laterEntry(call: BulkCall, slotsOf: () => readonly number[]): StandingEntry | undefined {
    if (this.#isAlone(call)) return undefined
    const { table } = this.#partition.replica
    const slot = slotsOf().find(
      (each) => table.replica(each) === call.replica && this.#isLater(call, table.sequence(each)),
    )
    if (slot === undefined) return undefined
    const replicaId = this.#peer.collections.ids.id(call.replica)
    const version = { hlc: table.hlc(slot), replicaId, sequence: table.sequence(slot) }
    return { partition: this.#partition, version }
  }

  /** Number of the replica id that this peer writes under. */
  get #replica(): number {
    return this.#peer.collections.ids.intern(this.#peer.replicaId)
  }

  /** Of the last own write. */
  get #sequence(): number {
    return this.#partition.replica.vector.highest(this.#replica)
  }

  /** The usual case: since the call nothing else was written. */
  #isAlone({ number, replica, after }: BulkCall): boolean {
    const last = this.#stretches.at(-1)
    return last?.call.number === number && last.replica === replica && last.first <= after + 1
  }

  #isLater({ number, replica, after }: BulkCall, sequence: number): boolean {
    if (sequence <= after) return false
    const stretch = this.#stretches.find((each) => {
      return each.replica === replica && each.first <= sequence && sequence <= each.last
    })
    return stretch === undefined || stretch.call.number > number
  }

  /** For what the call writes next: without end until that is written. */
  #stretchOf(call: BulkCall): Stretch {
    const replica = this.#replica
    const last = this.#stretches.at(-1)
    const first = this.#sequence + 1
    const goesOn = last?.call === call && last.replica === replica && last.last === first - 1
    const stretch = goesOn ? last : { call, replica, first, last: Infinity }
    if (!goesOn) this.#stretches.push(stretch)
    stretch.last = Infinity
    return stretch
  }
}

/** A call whose entries are written in several turns. */
export interface BulkCall {
  /** Counts the calls. */
  readonly number: number
  /** Number of the replica id under which this peer wrote when it began. */
  readonly replica: number
  /** Sequence number of the last own write before it. */
  readonly after: number
}
