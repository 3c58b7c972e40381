import { BlockWriter } from '../wire/block.ts'
import type { Partition } from '../replica/collections.ts'
import type { Row } from '../entries/entry-table.ts'
import { CHUNKS_IN_FLIGHT_MAX, CHUNK_MAX_BYTES, SHARED_DOT_MAX_BYTES } from '../limits.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { DotRange, VersionVector } from '../versions/version-vector.ts'

const dotKey = (writer: number, sequence: number): string => `${writer} ${sequence}`

/** A partition to bring another peer up to date with. */
export interface Serving {
  readonly partition: Partition
  /** What the other has seen; the copy that a session makes grows with what is sent or passed over. */
  readonly known: VersionVector
}

interface Queued extends Serving {
  /** What the other had seen at the start. */
  readonly reported: VersionVector
  /** What either side had seen at the start, and what was sent or passed over since. The rest is news. */
  readonly past: VersionVector
  /** Rows that went with an earlier chunk, of dots that were cut in two: slots, by `dotKey`. */
  readonly cut: Map<string, ReadonlySet<number>>
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
 * What this peer writes or learns while the session is under way goes into the next chunk, before the rest: a peer that
 * loads a large collection sees edits that are made meanwhile, also those whose frames it did not get. They take up to
 * half of a chunk, so that the rest goes on.
 *
 * Superseded dots, whose entry holds a later version by now, go last and in one piece with the last rows. At that
 * instant every entry they led to has been sent or was known, so the other may count them as seen. Sent any earlier, a
 * broken session would leave the other claiming writes it does not have. They go as whole ranges, with the dots of the
 * rows between them: a key that is written over and over leaves a gap at every other dot, and a million gaps fit
 * neither a message nor a vector.
 */
export class Outgoing {
  readonly #ids: ReplicaIds
  readonly #all: readonly Queued[]
  /** Partitions of which there is more to send. */
  readonly #queue: Queued[]
  #nextIndex = 0
  #inFlight = 0
  #lastSent = false
  rowsSent = 0

  constructor(ids: ReplicaIds, servings: readonly Serving[]) {
    this.#ids = ids
    // A copy records what was sent: until the other peer acknowledges it, it does not count as seen there.
    this.#all = servings.map(({ partition, known: reported }) => {
      const past = partition.replica.vector.clone()
      past.merge(reported)
      return { partition, known: reported.clone(), reported, past, cut: new Map() }
    })
    this.#queue = [...this.#all]
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
    for (const serving of this.#all) this.#writeNews(writer, serving)
    while (this.#queue.length > 0 && this.writeRows(writer, this.#queue[0]!)) {
      // What was dropped meanwhile must not count as seen at the other peer, which may not have got the drop yet.
      if (!this.#queue[0]!.partition.dropped) this.writeSuperseded(writer, this.#queue[0]!)
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
  writeRows(block: BlockWriter, serving: Queued): boolean {
    return this.#writeOwed(block, serving, serving.partition.replica.owed(serving.known), this.chunkMaxBytes)
  }

  /** Writes what has come since the session began, until the chunk is half full. */
  #writeNews(block: BlockWriter, serving: Queued): void {
    const { partition, past } = serving
    if (partition.dropped) return
    this.#writeOwed(block, serving, partition.replica.vector.missingIn(past), this.chunkMaxBytes / 2)
  }

  /** Writes the rows of dots until the chunk has so many bytes; true when all are written. */
  #writeOwed(block: BlockWriter, serving: Queued, owed: readonly DotRange[], maxBytes: number): boolean {
    const { partition, known, past, cut } = serving
    const { replica, name } = partition
    const row: Row = { key: '', hlc: 0, writer: 0, sequence: 0, replaced: 0, bytes: undefined, start: 0, end: 0 }
    const dot = { writer: -1, sequence: 0 }
    const dotSlots: number[] = []
    for (const range of owed) {
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
        if (cut.size > 0 && cut.get(dotKey(range.writer, sequence))?.has(slot) === true) return true
        // A chunk holds at least one row, however large. Rows that share a dot, as after a restored backup, stay together
        // while a message can hold them, since the other counts the dot as seen with the first of them.
        const limit = shares ? SHARED_DOT_MAX_BYTES : maxBytes
        if (block.rowCount > 0 && block.length + replica.table.valueLength(slot) > limit) {
          next = sequence
          if (shares) cut.set(dotKey(range.writer, sequence), new Set(dotSlots.slice(0, -1)))
          return false
        }
        replica.table.read(slot, row)
        block.row(name, row)
        return true
      })
      // The superseded dots that were passed over count as known, or a gap at every other dot would be kept track of.
      if (next > range.first) {
        known.addRange(range.writer, range.first, next - 1)
        past.addRange(range.writer, range.first, next - 1)
      }
      if (next <= range.last) return false
    }
    return true
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
