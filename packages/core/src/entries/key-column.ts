const CHUNK_BITS = 9
const CHUNK_SLOTS = 1 << CHUNK_BITS
const NO_KEYS: readonly (string | undefined)[] = Array.from({ length: CHUNK_SLOTS }, () => undefined)

/** Keys by slot, in chunks of 512. A chunk without keys takes no memory, and growing copies no keys. */
export class KeyColumn {
  readonly #chunks: ((string | undefined)[] | undefined)[] = []
  /** Number of keys in each chunk. */
  readonly #counts: number[] = []

  get(slot: number): string | undefined {
    return this.#chunks[slot >>> CHUNK_BITS]?.[slot & (CHUNK_SLOTS - 1)]
  }

  set(slot: number, key: string): void {
    const at = slot >>> CHUNK_BITS
    while (this.#chunks.length <= at) {
      this.#chunks.push(undefined)
      this.#counts.push(0)
    }
    let chunk = this.#chunks[at]
    if (chunk === undefined) this.#chunks[at] = chunk = NO_KEYS.slice()
    const within = slot & (CHUNK_SLOTS - 1)
    if (chunk[within] === undefined) this.#counts[at]! += 1
    chunk[within] = key
  }

  clear(slot: number): void {
    const at = slot >>> CHUNK_BITS
    const chunk = this.#chunks[at]
    const within = slot & (CHUNK_SLOTS - 1)
    if (chunk?.[within] === undefined) return
    chunk[within] = undefined
    this.#counts[at]! -= 1
    if (this.#counts[at] === 0) this.#chunks[at] = undefined
  }
}
