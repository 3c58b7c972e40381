import type { TimeSlices } from '../flow/time-slices.ts'

const CHUNK_MAX = 512
/** Chunks that are loaded have room for some more. */
const CHUNK_LOADED = 448

/**
 * Whole numbers in an order of the caller, in chunks of 2 KiB: 6 bytes for each number that came in random order. (The library
 * sorted-btree takes 21, and 1.7 times as long.) The order of numbers that are in it must not change.
 */
export class SortedNumbers {
  readonly #compare: (one: number, other: number) => number
  readonly #chunks: Uint32Array[] = [new Uint32Array(CHUNK_MAX)]
  readonly #counts: number[] = [0]
  #size = 0
  /** What the last search found. */
  #chunk = 0
  #offset = 0

  constructor(compare: (one: number, other: number) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  /** Takes numbers that are in order, in place of all that it had. */
  load(numbers: Uint32Array): void {
    this.#clear()
    for (let from = 0; from < numbers.length; from += CHUNK_LOADED) this.#append(numbers, from)
  }

  /** The same in turns of the event loop. Until it resolves, nothing else may be asked of it. */
  async loadInTurns(numbers: Uint32Array, slices: TimeSlices): Promise<void> {
    this.#clear()
    for (let from = 0; from < numbers.length; from += CHUNK_LOADED) {
      this.#append(numbers, from)
      if (slices.isOverNow()) await slices.next()
    }
  }

  /** Adds a number that is not in it. */
  add(number: number): void {
    this.#search((other) => this.#compare(other, number) < 0)
    const chunk = this.#chunks[this.#chunk]!
    const count = this.#counts[this.#chunk]!
    const offset = this.#offset
    chunk.copyWithin(offset + 1, offset, count)
    chunk[offset] = number
    this.#counts[this.#chunk] = count + 1
    this.#size += 1
    if (count + 1 === CHUNK_MAX) this.#split(this.#chunk)
  }

  remove(number: number): void {
    this.#search((other) => this.#compare(other, number) < 0)
    const chunk = this.#chunks[this.#chunk]!
    const count = this.#counts[this.#chunk]!
    if (chunk[this.#offset] !== number || this.#offset >= count) return
    chunk.copyWithin(this.#offset, this.#offset + 1, count)
    this.#counts[this.#chunk] = count - 1
    this.#size -= 1
    if (count === 1 && this.#chunks.length > 1) {
      this.#chunks.splice(this.#chunk, 1)
      this.#counts.splice(this.#chunk, 1)
    }
  }

  /** How many numbers come first for which `isBefore` is true. It must be true for the first ones and false for the rest. */
  countBefore(isBefore: (number: number) => boolean): number {
    this.#search(isBefore)
    let before = this.#offset
    for (let i = 0; i < this.#chunk; i++) before += this.#counts[i]!
    return before
  }

  /** Visits the numbers at the places [from, to), backwards if asked, until `visit` returns false. They must not change meanwhile. */
  walk(from: number, to: number, backwards: boolean, visit: (number: number) => boolean): void {
    const step = backwards ? -1 : 1
    let left = to - from
    if (left <= 0) return
    let place = backwards ? to - 1 : from
    let chunk = 0
    while (place >= this.#counts[chunk]!) place -= this.#counts[chunk++]!
    for (; left > 0; left--) {
      if (!visit(this.#chunks[chunk]![place]!)) return
      place += step
      if (place === this.#counts[chunk]) {
        chunk += 1
        place = 0
      } else if (place < 0 && chunk > 0) {
        chunk -= 1
        place = this.#counts[chunk]! - 1
      }
    }
  }

  /** Finds the first number for which `isBefore` is false, or the place after the last one. */
  #search(isBefore: (number: number) => boolean): void {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(this.#chunks[middle]![this.#counts[middle]! - 1]!)) low = middle + 1
      else high = middle
    }
    const chunk = this.#chunks[low]!
    let from = 0
    let to = this.#counts[low]!
    while (from < to) {
      const middle = (from + to) >> 1
      if (isBefore(chunk[middle]!)) from = middle + 1
      else to = middle
    }
    this.#chunk = low
    this.#offset = from
  }

  #clear(): void {
    this.#chunks.splice(0, this.#chunks.length, new Uint32Array(CHUNK_MAX))
    this.#counts.splice(0, this.#counts.length, 0)
    this.#size = 0
  }

  /** Takes one chunk of numbers, which come after all others. */
  #append(numbers: Uint32Array, from: number): void {
    const loaded = numbers.subarray(from, from + CHUNK_LOADED)
    const chunk = this.#size === 0 ? this.#chunks[0]! : new Uint32Array(CHUNK_MAX)
    chunk.set(loaded)
    this.#chunks[from / CHUNK_LOADED] = chunk
    this.#counts[from / CHUNK_LOADED] = loaded.length
    this.#size += loaded.length
  }

  #split(at: number): void {
    const half = CHUNK_MAX / 2
    const upper = new Uint32Array(CHUNK_MAX)
    upper.set(this.#chunks[at]!.subarray(half))
    this.#counts[at] = half
    this.#chunks.splice(at + 1, 0, upper)
    this.#counts.splice(at + 1, 0, CHUNK_MAX - half)
  }
}
