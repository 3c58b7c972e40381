import type { Followed, FollowedKey } from '@gossipgrid/core'

/** What is kept of one partition before it is asked for no more: the bytes of an answer. */
const KEPT_MAX_BYTES: number = 256 * 1024
/** What a key takes besides its rows. */
const KEY_COST_BYTES = 64
const LOOK_MS = 500

/**
 * Changes that are dated too far ahead of this peer's clock, by partition. They are kept until its clock has come there, so that a
 * reader whose clock is behind gets them late, and not never.
 */
export class EarlyKeys {
  readonly #kept = new Map<number, Map<string, FollowedKey>>()
  /** Partitions of which keys were given to the reader that it has not taken yet. */
  readonly #given = new Set<number>()
  readonly #isDue: (key: FollowedKey) => boolean
  readonly #give: (place: number, keys: readonly FollowedKey[]) => void
  #timer: ReturnType<typeof setInterval> | undefined

  /** `give` is called with the keys of one partition whose time has come; `done` is to be called when they are taken. */
  constructor(isDue: (key: FollowedKey) => boolean, give: (place: number, keys: readonly FollowedKey[]) => void) {
    this.#isDue = isDue
    this.#give = give
  }

  /** Takes what an answer has of the future. What it has of the same keys now takes the place of what was kept. */
  take(place: number, { keys, ahead, reset }: Pick<Followed, 'keys' | 'ahead' | 'reset'>): void {
    const kept = this.#kept.get(place) ?? new Map<string, FollowedKey>()
    if (reset) kept.clear()
    for (const { key } of keys) kept.delete(key)
    for (const each of ahead) kept.set(each.key, each)
    this.#set(place, kept)
  }

  /** The reader has taken these. */
  done(place: number, keys: readonly FollowedKey[]): void {
    this.#given.delete(place)
    const kept = this.#kept.get(place)
    if (kept === undefined) return
    // A later version may have come meanwhile.
    for (const each of keys) if (kept.get(each.key) === each) kept.delete(each.key)
    this.#set(place, kept)
  }

  has(place: number): boolean {
    return this.#kept.has(place)
  }

  isFull(place: number): boolean {
    let bytes = 0
    for (const { key, rows } of this.#kept.get(place)?.values() ?? [])
      bytes += KEY_COST_BYTES + 2 * key.length + rows.reduce((sum, row) => sum + row.key.length + row.end, 0)
    return bytes >= KEPT_MAX_BYTES
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#kept.clear()
  }

  #set(place: number, kept: Map<string, FollowedKey>): void {
    if (kept.size > 0) this.#kept.set(place, kept)
    else this.#kept.delete(place)
    if (this.#kept.size === 0) this.stop()
    else this.#timer ??= setInterval(() => this.#look(), LOOK_MS)
  }

  #look(): void {
    for (const [place, kept] of this.#kept) {
      if (this.#given.has(place)) continue
      const due = [...kept.values()].filter((each) => this.#isDue(each))
      if (due.length === 0) continue
      this.#given.add(place)
      this.#give(place, due)
    }
  }
}
