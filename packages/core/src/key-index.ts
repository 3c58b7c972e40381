const CELLS_FIRST = 128
/** Probes before a key counts as one too many with its hash. With honest keys the longest stays far below. */
const PROBES_MAX = 128

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
  #cells = new Uint32Array(2 * CELLS_FIRST)
  #mask = CELLS_FIRST - 1
  #used = 0

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

  /** Files a slot whose key is not there yet. */
  add(slot: number, hash: number): void {
    // At most two thirds full: above, misses get long.
    if (this.#used * 3 >= this.#mask * 2) this.#grow()
    if (this.#place(slot + 1, hash)) this.#used += 1
    else this.#crowded.set(this.#keys[slot]!, slot)
  }

  #place(entry: number, hash: number): boolean {
    const cells = this.#cells
    const mask = this.#mask
    let at = hash & mask
    for (let probe = 1; probe <= PROBES_MAX; probe++) {
      if (cells[2 * at + 1] === 0) {
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
    this.#cells = new Uint32Array(2 * before.length)
    this.#mask = this.#cells.length / 2 - 1
    for (let at = 0; at < before.length; at += 2) {
      const entry = before[at + 1]!
      // More room can crowd nobody out, but whoever came through the worst of it stays where it is.
      if (entry !== 0 && !this.#place(entry, before[at]!)) this.#crowded.set(this.#keys[entry - 1]!, entry - 1)
    }
  }
}
