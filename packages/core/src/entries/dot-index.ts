/** The live dots of one replica id in parallel columns: sorted by sequence number up to `sorted`, unsorted after it. */
class OriginIndex {
  sequences = new Uint32Array(4)
  slots = new Uint32Array(4)
  count = 0
  /** How many entries at the front are in order. The tail is sorted in when the index is read. */
  sorted = 0
}

/** Whether a slot still has the dot under which it was added. */
export type HoldsDot = (slot: number, writer: number, sequence: number) => boolean

/**
 * Finds slots by dot: (replica id, sequence number) -> slot. A write only appends. Superseded dots stay, and are removed
 * when they outnumber the live ones.
 */
export class DotIndex {
  readonly #origins = new Map<number, OriginIndex>()
  readonly #holds: HoldsDot

  constructor(holds: HoldsDot) {
    this.#holds = holds
  }

  /** The numbers of all replica ids that were ever added. */
  writers(): IterableIterator<number> {
    return this.#origins.keys()
  }

  add(writer: number, sequence: number, slot: number): void {
    let origin = this.#origins.get(writer)
    if (origin === undefined) this.#origins.set(writer, (origin = new OriginIndex()))
    if (origin.count === origin.sequences.length) this.#makeRoom(origin, writer)
    const at = origin.count
    origin.sequences[at] = sequence
    origin.slots[at] = slot
    origin.count = at + 1
    if (origin.sorted === at && (at === 0 || origin.sequences[at - 1]! <= sequence)) origin.sorted = at + 1
  }

  /**
   * Calls `visit` with the slots whose dots lie in [first, last], in order of sequence, until it returns false.
   * Returns the sequence number to go on from: past `last` when all were visited.
   */
  visit(writer: number, first: number, last: number, visit: (slot: number, sequence: number) => boolean): number {
    const origin = this.#origins.get(writer)
    if (origin === undefined) return last + 1
    if (origin.sorted < origin.count) sortTail(origin)
    for (let i = lowerBound(origin, first); i < origin.count; i++) {
      const sequence = origin.sequences[i]!
      if (sequence > last) break
      const slot = origin.slots[i]!
      if (this.#holds(slot, writer, sequence) && !visit(slot, sequence)) return sequence
    }
    return last + 1
  }

  #makeRoom(origin: OriginIndex, writer: number): void {
    if (origin.count >= 1024) {
      // Remove superseded dots first: a key that is written again and again must not make the index grow.
      let kept = 0
      let sorted = 0
      for (let i = 0; i < origin.count; i++) {
        const sequence = origin.sequences[i]!
        const slot = origin.slots[i]!
        if (!this.#holds(slot, writer, sequence)) continue
        origin.sequences[kept] = sequence
        origin.slots[kept] = slot
        kept += 1
        if (i < origin.sorted) sorted = kept
      }
      origin.count = kept
      origin.sorted = sorted
      if (kept * 4 < origin.sequences.length * 3) return
    }
    const capacity = Math.ceil(origin.sequences.length * (origin.sequences.length < 65_536 ? 2 : 1.25))
    const sequences = new Uint32Array(capacity)
    const slots = new Uint32Array(capacity)
    const isFull = origin.count === origin.sequences.length
    sequences.set(isFull ? origin.sequences : origin.sequences.subarray(0, origin.count))
    slots.set(isFull ? origin.slots : origin.slots.subarray(0, origin.count))
    origin.sequences = sequences
    origin.slots = slots
  }
}

function lowerBound(origin: OriginIndex, sequence: number): number {
  let low = 0
  let high = origin.count
  while (low < high) {
    const middle = (low + high) >> 1
    if (origin.sequences[middle]! < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/** Longer tails are sorted in pieces. A sequence number times this is still an exact number. */
const PIECE_MAX = 1 << 20

/** Sorts the loose tail and merges it with the sorted front. */
function sortTail(origin: OriginIndex): void {
  while (origin.sorted < origin.count) {
    sortPiece(origin, Math.min(origin.count, origin.sorted + PIECE_MAX))
  }
}

function sortPiece(origin: OriginIndex, end: number): void {
  const { sorted } = origin
  const span = end - sorted
  // Two 32-bit columns do not fit into one exact number, so each sequence number is sorted with its position in the piece.
  const order = new Float64Array(span)
  for (let i = 0; i < span; i++) order[i] = origin.sequences[sorted + i]! * span + i
  order.sort()
  const sequences = new Uint32Array(span)
  const slots = new Uint32Array(span)
  for (let i = 0; i < span; i++) {
    const position = sorted + (order[i]! % span)
    sequences[i] = origin.sequences[position]!
    slots[i] = origin.slots[position]!
  }
  let front = sorted - 1
  let back = span - 1
  for (let target = end - 1; back >= 0; target--) {
    if (front >= 0 && origin.sequences[front]! > sequences[back]!) {
      origin.sequences[target] = origin.sequences[front]!
      origin.slots[target] = origin.slots[front--]!
    } else {
      origin.sequences[target] = sequences[back]!
      origin.slots[target] = slots[back--]!
    }
  }
  origin.sorted = end
}
