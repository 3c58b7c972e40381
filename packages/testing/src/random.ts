import { hashText } from '@gossipgrid/core'
import type { RandomSource } from '@gossipgrid/core'

/**
 * Repeatable chance: sfc32 (Doty-Humphrey, PractRand), whose numbers depend on nothing but the seed. Only whole-number
 * arithmetic and multiplication by fractions, so that every runtime draws the same.
 */
export class Random implements RandomSource {
  readonly #seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#a = this.#seed
    this.#b = 0x9e3779b9
    this.#c = 0x243f6a88
    for (let i = 0; i < 15; i++) this.uint32()
  }

  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0
    return t >>> 0
  }

  /** A separate source for one purpose. Its draws never shift those of another purpose. */
  fork(purpose: string): Random {
    return new Random(hashText(purpose, this.#seed))
  }

  /** A fraction in [0, 1). */
  fraction(): number {
    return this.uint32() / 0x100000000
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** A whole number in [0, count). */
  below(count: number): number {
    return Math.floor(this.fraction() * count)
  }

  /** A whole number in [min, max]. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1)
  }

  /** A whole number in [min, max], mostly small: one in eight is past the middle's half. */
  mostlySmall(min: number, max: number): number {
    const fraction = this.fraction()
    return min + Math.floor(fraction * fraction * fraction * (max - min + 1))
  }

  /** One of the items. Throws `RangeError` when there is none. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)]!
  }

  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
    }
    return shuffled
  }
}
