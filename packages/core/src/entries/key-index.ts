/** The index is cut into parts by the first bits of the hash: each grows by itself, so that none makes a long pause. */
const PART_BITS = 5
const PART_SHIFT = 32 - PART_BITS
const CELLS_FIRST = 16
/** Probes before a key counts as one too many with its hash. With honest keys the longest stays far below. */
const PROBES_MAX = 64
/** A cell is slot + 1, and above that some bits of the hash, which keep most others' keys from being looked at. */
const SLOT_BITS = 26
const SLOT_MASK = 2 ** SLOT_BITS - 1
/** Left behind by a slot that was taken out, so that probes go on past it. */
const REMOVED = SLOT_MASK
/** Slots that an index can tell apart. */
export const SLOTS_MAX: number = SLOT_MASK - 1

/** What the index asks of a slot, instead of keeping it a second time. */
export interface KeyedSlots {
  key(slot: number): string
  keyHash(slot: number): number
  holdsKey(slot: number, key: string): boolean
}

/** What all parts have before their first key: nothing is ever written here. */
const NO_CELLS = new Int32Array(CELLS_FIRST / 2)

class Part {
  cells = NO_CELLS
  mask = 0
  /** Cells that are not empty, those left behind among them. */
  used = 0
  live = 0

  /** False when the probes found no room. */
  place(slot: number, hash: number): boolean {
    const { cells, mask } = this
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const held = cells[at]
      if (held === 0 || held === REMOVED) {
        if (held === 0) this.used += 1
        this.live += 1
        cells[at] = tagOf(hash) | (slot + 1)
        return true
      }
      at = (at + probe) & mask
    }
    return false
  }
}

/**
 * Finds the slot of a key by its hash. Cells of slot + 1 lie in typed arrays: a `Map` of a million strings costs six times
 * the memory, twice the time of a lookup, and long pauses when it grows.
 *
 * Keys made up to share a hash cannot make it slow: those that find no cell within 64 probes go to a `Map`, whose hash
 * nobody outside knows.
 */
export class KeyIndex {
  readonly #slots: KeyedSlots
  readonly #parts = Array.from({ length: 2 ** PART_BITS }, () => new Part())
  readonly #crowded = new Map<string, number>()
  /** The same by hash. */
  readonly #crowdedAt = new Map<number, Set<number>>()

  /** The owner knows a slot's key and hash before it adds the slot here, and until it has taken it out. */
  constructor(slots: KeyedSlots) {
    this.#slots = slots
  }

  /** Keys that found no cell of their own. */
  get crowdedCount(): number {
    return this.#crowded.size
  }

  find(key: string, hash: number): number | undefined {
    // Where many share a hash, most of them are here, and looking at 64 others first takes ten times as long.
    const crowded = this.#crowded.size === 0 ? undefined : this.#crowded.get(key)
    if (crowded !== undefined) return crowded
    const { cells, mask } = this.#parts[hash >>> PART_SHIFT]!
    const tag = tagOf(hash)
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const cell = cells[at]!
      if (cell === 0) return undefined
      if ((cell & ~SLOT_MASK) === tag && cell !== REMOVED) {
        const slot = (cell & SLOT_MASK) - 1
        if (this.#slots.holdsKey(slot, key)) return slot
      }
      at = (at + probe) & mask
    }
    return undefined
  }

  /** All slots whose keys have this hash, whatever they are. */
  withHash(hash: number): number[] {
    const { cells, mask } = this.#parts[hash >>> PART_SHIFT]!
    const tag = tagOf(hash)
    const found: number[] = []
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const cell = cells[at]!
      if (cell === 0) return found
      if ((cell & ~SLOT_MASK) === tag && cell !== REMOVED) {
        const slot = (cell & SLOT_MASK) - 1
        if (this.#slots.keyHash(slot) === hash) found.push(slot)
      }
      at = (at + probe) & mask
    }
    const crowded = this.#crowdedAt.get(hash)
    return crowded === undefined ? found : [...found, ...crowded]
  }

  /** Takes out a slot, which must be there. */
  remove(slot: number, hash: number): void {
    const part = this.#parts[hash >>> PART_SHIFT]!
    const { cells, mask } = part
    const cell = tagOf(hash) | (slot + 1)
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX && cells[at] !== 0; probe++) {
      if (cells[at] === cell) {
        cells[at] = REMOVED
        part.live -= 1
        return
      }
      at = (at + probe) & mask
    }
    this.#crowded.delete(this.#slots.key(slot))
    const crowded = this.#crowdedAt.get(hash)
    if (crowded?.delete(slot) === true && crowded.size === 0) this.#crowdedAt.delete(hash)
  }

  /** Files a slot whose key is not there yet. */
  add(slot: number, hash: number): void {
    const part = this.#parts[hash >>> PART_SHIFT]!
    // At most two thirds full: above, misses get long.
    if (part.used * 3 >= part.mask * 2) this.#grow(part)
    if (!part.place(slot, hash)) this.#crowd(slot, hash)
  }

  #crowd(slot: number, hash: number): void {
    this.#crowded.set(this.#slots.key(slot), slot)
    const crowded = this.#crowdedAt.get(hash)
    if (crowded === undefined) this.#crowdedAt.set(hash, new Set([slot]))
    else crowded.add(slot)
  }

  #grow(part: Part): void {
    const before = part.cells
    // Where much was taken out, the same room will do.
    const crowdedOut = part.live * 3 >= part.mask
    part.cells = new Int32Array(crowdedOut ? 2 * before.length : before.length)
    part.mask = part.cells.length - 1
    part.used = 0
    part.live = 0
    for (let at = 0; at < before.length; at++) {
      const cell = before[at]!
      if (cell === 0 || cell === REMOVED) continue
      const slot = (cell & SLOT_MASK) - 1
      const hash = this.#slots.keyHash(slot)
      // More room can crowd nobody out, but whoever came through the worst of it stays where it is.
      if (!part.place(slot, hash)) this.#crowd(slot, hash)
    }
  }
}

/** Bits of the hash that choose neither the part nor, in all but the largest, the cell. */
function tagOf(hash: number): number {
  return (hash << PART_BITS) & ~SLOT_MASK
}
