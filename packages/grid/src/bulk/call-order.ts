import type { Partition, Peer } from '@gossipgrid/core'
import type { StandingEntry } from '../runtime/write-path.ts'

/** A range of own sequence numbers that one call wrote without another write in between. */
interface WriteRange {
  readonly call: BulkCall
  /** Index of the replica id of these writes. */
  readonly writer: number
  readonly first: number
  last: number
}

/**
 * Keeps the order of calls while a bulk call writes its entries in several turns of the event loop: an entry that a later
 * call has written meanwhile stays as that call left it. The order follows from the sequence numbers of own writes. So a
 * single write costs no memory, and a bulk call costs a few numbers for a thousand entries, until it ends.
 */
export class CallOrder {
  readonly #partition: Partition
  readonly #peer: Peer
  readonly #open = new Set<BulkCall>()
  #ended = Promise.withResolvers<void>()
  #ranges: WriteRange[] = []
  #calls = 0

  constructor(partition: Partition, peer: Peer) {
    this.#partition = partition
    this.#peer = peer
  }

  /** True while a bulk call is not finished. Then a delete writes a tombstone even for a key that is not here yet. */
  get isOpen(): boolean {
    return this.#open.size > 0
  }

  /** Begins a bulk call. Writes after this moment are later, unless this call or an earlier one makes them. */
  begin(): BulkCall {
    const call = { number: ++this.#calls, writer: this.#writer, after: this.#sequence }
    this.#open.add(call)
    return call
  }

  /** The call as it applies to an entry that its source yields only now: all writes until now are earlier. */
  now(call: BulkCall): BulkCall {
    const after = this.#sequence
    return after === call.after ? call : { ...call, after }
  }

  /** Resolves when one of the earlier bulk calls has ended. Undefined if all of them have. */
  earlierEnded({ number }: BulkCall): Promise<void> | undefined {
    return [...this.#open].some((each) => each.number < number) ? this.#ended.promise : undefined
  }

  /** Ends a bulk call. */
  end(call: BulkCall): void {
    this.#open.delete(call)
    this.#ended.resolve()
    this.#ended = Promise.withResolvers()
    const oldest = Math.min(...[...this.#open].map(({ after }) => after))
    this.#ranges = this.#ranges.filter(({ last }) => last > oldest)
  }

  /** Runs `write`, which is synchronous, as a part of the call. */
  write<Result>(call: BulkCall, write: () => Result): Result {
    const range = this.#rangeOf(call)
    try {
      return write()
    } finally {
      range.last = this.#sequence
    }
  }

  /** The entry as a later call has left it. Undefined if no later call has written it. */
  laterEntry(call: BulkCall, slotsOf: () => readonly number[]): StandingEntry | undefined {
    if (this.#isAlone(call)) return undefined
    const { table } = this.#partition.replica
    const slot = slotsOf().find(
      (each) => table.writer(each) === call.writer && this.#isLater(call, table.sequence(each)),
    )
    if (slot === undefined) return undefined
    const replicaId = this.#peer.collections.ids.id(call.writer)
    const version = { hlc: table.hlc(slot), replicaId, sequence: table.sequence(slot) }
    return { partition: this.#partition, version }
  }

  /** Index of this peer's replica id. */
  get #writer(): number {
    return this.#peer.collections.ids.intern(this.#peer.replicaId)
  }

  /** Sequence number of the last own write. */
  get #sequence(): number {
    return this.#partition.replica.vector.highest(this.#writer)
  }

  /** The usual case: nothing else was written since the call began. */
  #isAlone({ number, writer, after }: BulkCall): boolean {
    const last = this.#ranges.at(-1)
    return last?.call.number === number && last.writer === writer && last.first <= after + 1
  }

  #isLater({ number, writer, after }: BulkCall, sequence: number): boolean {
    if (sequence <= after) return false
    const range = this.#ranges.find((each) => {
      return each.writer === writer && each.first <= sequence && sequence <= each.last
    })
    return range === undefined || range.call.number > number
  }

  /** The range for what the call writes next. It has no end until that is written. */
  #rangeOf(call: BulkCall): WriteRange {
    const writer = this.#writer
    const last = this.#ranges.at(-1)
    const first = this.#sequence + 1
    const continues = last?.call === call && last.writer === writer && last.last === first - 1
    const range = continues ? last : { call, writer, first, last: Infinity }
    if (!continues) this.#ranges.push(range)
    range.last = Infinity
    return range
  }
}

/** A bulk call: its entries are written in several turns of the event loop. */
export interface BulkCall {
  /** Number of the call, in the order of calls. */
  readonly number: number
  /** Index of this peer's replica id when the call began. */
  readonly writer: number
  /** Sequence number of the last own write before it. */
  readonly after: number
}
