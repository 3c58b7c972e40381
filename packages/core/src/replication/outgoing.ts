import { BlockWriter } from '../wire/block.ts'
import type { Partition } from '../replica/collections.ts'
import type { Row } from '../entries/entry-table.ts'
import { CHUNKS_IN_FLIGHT_MAX, CHUNK_MAX_BYTES, SHARED_DOT_MAX_BYTES } from '../limits.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { VersionVector } from '../versions/version-vector.ts'

/** A partition to bring another peer up to date with. */
export interface Serving {
  readonly partition: Partition
  /** What the other has seen; the copy that a session makes grows with what is sent or passed over. */
  readonly known: VersionVector
}

interface Queued extends Serving {
  /** What the other had seen at the start. */
  readonly reported: VersionVector
}

export interface OutgoingChunk {
  readonly index: number
  readonly last: boolean
  readonly block: Uint8Array
}

/**
 * One direction of a session: the current state of every dot the other peer lacks, in chunks, a few of which travel
 * unacknowledged at a time.
 *
 * Superseded dots, whose entry holds a later version by now, go last and in one piece with the last rows. At that
 * instant every entry they led to has been sent or was known, so the other may count them as seen. Sent any earlier, a
 * broken session would leave the other claiming writes it does not have. They go as whole ranges, with the dots of the
 * rows between them: a key that is written over and over leaves a gap at every other dot, and a million gaps fit
 * neither a message nor a vector.
 */
export class Outgoing {
  readonly #ids: ReplicaIds
  readonly #queue: Queued[]
  #nextIndex = 0
  #inFlight = 0
  #lastSent = false
  #cutDot: { readonly writer: number; readonly sequence: number; readonly slots: ReadonlySet<number> } | undefined
  rowsSent = 0

  constructor(ids: ReplicaIds, servings: readonly Serving[]) {
    this.#ids = ids
    // A copy records what was sent: until the other peer acknowledges it, it does not count as seen there.
    this.#queue = servings.map((serving) => ({ ...serving, known: serving.known.clone(), reported: serving.known }))
  }

  /** Bytes that close a chunk: a seam, so that simulations can do with small ones. */
  get chunkMaxBytes(): number {
    return CHUNK_MAX_BYTES
  }

  /** The other peer has acknowledged everything. */
  get done(): boolean {
    return this.#lastSent && this.#inFlight === 0
  }

  /** The next chunk, or undefined when there is none or too many travel already. */
  next(): OutgoingChunk | undefined {
    if (this.#lastSent || this.#inFlight >= CHUNKS_IN_FLIGHT_MAX) return undefined
    const writer = new BlockWriter(this.#ids)
    while (this.#queue.length > 0 && this.writeRows(writer, this.#queue[0]!)) {
      this.writeSuperseded(writer, this.#queue[0]!)
      this.#queue.shift()
    }
    this.rowsSent += writer.rowCount
    this.#lastSent = this.#queue.length === 0
    this.#inFlight += 1
    return { index: this.#nextIndex++, last: this.#lastSent, block: writer.take() }
  }

  /** Chunks are acknowledged in order; false when it is not this one's turn. */
  acknowledged(index: number): boolean {
    if (this.#inFlight === 0 || index !== this.#nextIndex - this.#inFlight) return false
    this.#inFlight -= 1
    return true
  }

  /** Writes rows until the chunk is full; true when the partition has no more. */
  writeRows(block: BlockWriter, serving: Serving): boolean {
    const { partition, known } = serving
    const { replica, name } = partition
    const row: Row = { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }
    const dot = { writer: -1, sequence: 0 }
    const dotSlots: number[] = []
    for (const range of replica.owed(known)) {
      let next = range.last + 1
      replica.visitDots([range], (slot) => {
        const sequence = replica.table.sequence(slot)
        const shares = sequence === dot.sequence && range.writer === dot.writer
        if (!shares) {
          dot.writer = range.writer
          dot.sequence = sequence
          dotSlots.length = 0
        }
        dotSlots.push(slot)
        if (this.#wasSent(range.writer, sequence, slot)) return true
        // A chunk holds at least one row, however large. Rows that share a dot, as after a restored backup, stay together
        // while a message can hold them, since the other counts the dot as seen with the first of them.
        const limit = shares ? SHARED_DOT_MAX_BYTES : this.chunkMaxBytes
        if (block.rowCount > 0 && block.length + replica.table.valueLength(slot) > limit) {
          next = sequence
          if (shares) this.#cutDot = { writer: range.writer, sequence, slots: new Set(dotSlots.slice(0, -1)) }
          return false
        }
        replica.table.read(slot, row)
        block.row(name, row)
        return true
      })
      // The superseded dots that were passed over count as known, or a gap at every other dot would be kept track of.
      if (next > range.first) known.addRange(range.writer, range.first, next - 1)
      if (next <= range.last) return false
    }
    return true
  }

  /** A chunk goes on from a dot: of one that was cut in two, some rows went with the chunk before. */
  #wasSent(writer: number, sequence: number, slot: number): boolean {
    const cut = this.#cutDot
    return cut !== undefined && cut.sequence === sequence && cut.writer === writer && cut.slots.has(slot)
  }

  /** Writes the ranges that the rows came from, so that the dots without an entry of their own count as seen too. */
  writeSuperseded(block: BlockWriter, { partition, reported }: Queued): void {
    let ranges: number[] = []
    let writer = -1
    for (const range of partition.replica.vector.missingIn(reported)) {
      if (range.writer !== writer && ranges.length > 0) {
        block.superseded(partition.name, writer, ranges)
        ranges = []
      }
      writer = range.writer
      ranges.push(range.first, range.last)
    }
    if (ranges.length > 0) block.superseded(partition.name, writer, ranges)
  }
}
