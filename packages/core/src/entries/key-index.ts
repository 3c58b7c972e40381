/** The first bits of the hash choose one of 32 parts. Each part grows by itself, so that growing causes no long pause. */
const PART_BITS = 5
const PART_SHIFT = 32 - PART_BITS
const CELLS_FIRST = 16
/** With no more keys than this one part is enough: a partition with few entries takes 9 kB less. */
const KEYS_OF_ONE_PART_MAX = 512
/** After so many probes a key goes to the `Map` of crowded keys. Honest keys need far fewer probes. */
const PROBES_MAX = 64
/** A cell is slot + 1 and, above it, some bits of the hash. These bits rule out most other keys without reading them. */
const SLOT_BITS = 26
const SLOT_MASK = 2 ** SLOT_BITS - 1
/** Marks the cell of a removed slot, so that probes continue past it. */
const REMOVED = SLOT_MASK
/** The number of slots that fit into an index. */
export const SLOTS_MAX: number = SLOT_MASK - 1

/** What the index asks about a slot, instead of storing it a second time. */
export interface KeyedSlots {
  key(slot: number): string
  keyHash(slot: number): number
  holdsKey(slot: number, key: string): boolean
}

/** Shared by all parts that have no key yet. Never written to. */
const NO_CELLS = new Int32Array(CELLS_FIRST / 2)

class Part {
  cells = NO_CELLS
  mask = 0
  /** Cells that are not empty, removed ones included. */
  used = 0
  live = 0

  /** Returns false if the probes found no free cell. */
  place(slot: number, hash: number): boolean {
    const { cells, mask } = this
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const cell = cells[at]
      if (cell === 0 || cell === REMOVED) {
        if (cell === 0) this.used += 1
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
 * Finds the slot of a key by its hash. The cells are in typed arrays. A `Map` of a million strings takes six times the
 * memory and twice the time for a lookup, and pauses for long when it grows.
 *
 * Keys that were chosen to share a hash cannot make it slow: a key that finds no cell within 64 probes goes to a `Map`,
 * whose hash function is unknown to other peers.
 */
export class KeyIndex {
  readonly #slots: KeyedSlots
  /** One part, or 32. */
  #parts = [new Part()]
  readonly #crowded = new Map<string, number>()
  /** The crowded slots by hash. */
  readonly #crowdedAt = new Map<number, Set<number>>()

  /** `slots` must know a slot's key and hash from before `add` until after `remove`. */
  constructor(slots: KeyedSlots) {
    this.#slots = slots
  }

  /** Number of keys that found no cell. */
  get crowdedCount(): number {
    return this.#crowded.size
  }

  find(key: string, hash: number): number | undefined {
    // If many keys share a hash, most of them are here. To probe 64 cells first would take ten times as long.
    const crowded = this.#crowded.size === 0 ? undefined : this.#crowded.get(key)
    if (crowded !== undefined) return crowded
    const { cells, mask } = this.#part(hash)
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

  /** All slots whose keys have this hash. */
  withHash(hash: number): number[] {
    const { cells, mask } = this.#part(hash)
    const tag = tagOf(hash)
    const found: number[] = []
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const cell = cells[at]!
      // Some may have found no cell before the last growth, and cells are free now.
      if (cell === 0) break
      if ((cell & ~SLOT_MASK) === tag && cell !== REMOVED) {
        const slot = (cell & SLOT_MASK) - 1
        if (this.#slots.keyHash(slot) === hash) found.push(slot)
      }
      at = (at + probe) & mask
    }
    const crowded = this.#crowdedAt.get(hash)
    return crowded === undefined ? found : [...found, ...crowded]
  }

  /** Removes a slot, which must be there. */
  remove(slot: number, hash: number): void {
    const part = this.#part(hash)
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

  /** Adds a slot whose key is not there yet. */
  add(slot: number, hash: number): void {
    if (this.#parts.length === 1 && this.#parts[0]!.live >= KEYS_OF_ONE_PART_MAX) this.#split()
    this.#addTo(this.#part(hash), slot, hash)
  }

  #part(hash: number): Part {
    const parts = this.#parts
    return parts.length === 1 ? parts[0]! : parts[hash >>> PART_SHIFT]!
  }

  #split(): void {
    const { cells } = this.#parts[0]!
    this.#parts = Array.from({ length: 2 ** PART_BITS }, () => new Part())
    for (const slot of slotsIn(cells)) {
      const hash = this.#slots.keyHash(slot)
      this.#addTo(this.#part(hash), slot, hash)
    }
  }

  #addTo(part: Part, slot: number, hash: number): void {
    // At most two thirds full: above that, looking up an absent key takes many probes.
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
    // If many slots were removed, the same size is enough.
    const crowdedOut = part.live * 3 >= part.mask
    part.cells = new Int32Array(crowdedOut ? 2 * before.length : before.length)
    part.mask = part.cells.length - 1
    part.used = 0
    part.live = 0
    for (const slot of slotsIn(before)) {
      const hash = this.#slots.keyHash(slot)
      // With more cells, no key becomes crowded. Keys that are crowded already stay where they are.
      if (!part.place(slot, hash)) this.#crowd(slot, hash)
    }
  }
}

function* slotsIn(cells: Int32Array): Generator<number, void, undefined> {
  for (const cell of cells) if (cell !== 0 && cell !== REMOVED) yield (cell & SLOT_MASK) - 1
}

/** Bits of the hash that choose neither the part nor, except in the largest parts, the cell. */
function tagOf(hash: number): number {
  return (hash << PART_BITS) & ~SLOT_MASK
}
