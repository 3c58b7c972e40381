const CELLS_FIRST = 128
/** Probes before a key counts as one too many with its hash. With honest keys the longest stays far below. */
const PROBES_MAX = 128
/** Left behind by a slot that was taken out, so that probes go on past it. */
const REMOVED = 0xffffffff

/**
 * Finds the slot of a key by its hash. Cells of (hash, slot + 1) lie in one typed array: a `Map` of a million strings
 * costs three times the memory, twice the time of a lookup, and long pauses when it grows.
 *
 * Keys made up to share a hash cannot make it slow: those that find no cell within 128 probes go to a `Map`, whose hash
 * nobody outside knows.
 */
export class KeyIndex {
  readonly #keys: readonly string[]
  readonly #crowded = new Map<string, number>()
  /** The same by hash. */
  readonly #crowdedAt = new Map<number, Set<number>>()
  #cells = new Uint32Array(2 * CELLS_FIRST)
  #mask = CELLS_FIRST - 1
  /** Cells that are not empty, those left behind among them. */
  #used = 0
  #live = 0

  /** `keys` by slot: the owner adds to it before it adds a slot here. */
  constructor(keys: readonly string[]) {
    this.#keys = keys
  }

  /** Keys that found no cell of their own. */
  get crowdedCount(): number {
    return this.#crowded.size
  }

  find(key: string, hash: number): number | undefined {
    const cells = this.#cells
    const mask = this.#mask
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const slot = cells[2 * at + 1]!
      if (slot === 0) return undefined
      if (cells[2 * at] === hash && this.#keys[slot - 1] === key) return slot - 1
      at = (at + probe) & mask
    }
    return this.#crowded.get(key)
  }

  /** All slots whose keys have this hash, whatever they are. */
  withHash(hash: number): number[] {
    const cells = this.#cells
    const mask = this.#mask
    const slots: number[] = []
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const slot = cells[2 * at + 1]!
      if (slot === 0) return slots
      if (cells[2 * at] === hash && slot !== REMOVED) slots.push(slot - 1)
      at = (at + probe) & mask
    }
    const crowded = this.#crowdedAt.get(hash)
    return crowded === undefined ? slots : [...slots, ...crowded]
  }

  /** Takes out a slot, which must be there. */
  remove(slot: number, hash: number): void {
    const cells = this.#cells
    const mask = this.#mask
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX && cells[2 * at + 1] !== 0; probe++) {
      if (cells[2 * at + 1] === slot + 1) {
        cells[2 * at + 1] = REMOVED
        this.#live -= 1
        return
      }
      at = (at + probe) & mask
    }
    this.#crowded.delete(this.#keys[slot]!)
    const crowded = this.#crowdedAt.get(hash)
    if (crowded?.delete(slot) === true && crowded.size === 0) this.#crowdedAt.delete(hash)
  }

  /** Files a slot whose key is not there yet. */
  add(slot: number, hash: number): void {
    // At most two thirds full: above, misses get long.
    if (this.#used * 3 >= this.#mask * 2) this.#grow()
    if (this.#place(slot + 1, hash)) this.#live += 1
    else this.#crowd(slot, hash)
  }

  #crowd(slot: number, hash: number): void {
    this.#crowded.set(this.#keys[slot]!, slot)
    const crowded = this.#crowdedAt.get(hash)
    if (crowded === undefined) this.#crowdedAt.set(hash, new Set([slot]))
    else crowded.add(slot)
  }

  #place(entry: number, hash: number): boolean {
    const cells = this.#cells
    const mask = this.#mask
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      const held = cells[2 * at + 1]
      if (held === 0 || held === REMOVED) {
        if (held === 0) this.#used += 1
        cells[2 * at] = hash
        cells[2 * at + 1] = entry
        return true
      }
      at = (at + probe) & mask
    }
    return false
  }

  #grow(): void {
    const before = this.#cells
    // Where much was taken out, the same room will do.
    const crowdedOut = this.#live * 3 >= this.#mask
    this.#cells = new Uint32Array(crowdedOut ? 2 * before.length : before.length)
    this.#mask = this.#cells.length / 2 - 1
    this.#used = 0
    for (let at = 0; at < before.length; at += 2) {
      const entry = before[at + 1]!
      if (entry === 0 || entry === REMOVED) continue
      // More room can crowd nobody out, but whoever came through the worst of it stays where it is.
      if (this.#place(entry, before[at]!)) continue
      this.#live -= 1
      this.#crowd(entry - 1, before[at]!)
    }
  }
}
