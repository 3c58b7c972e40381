import type { RandomSource } from '../instant.ts'

/** Random numbers that a seed repeats, for the tests of core (mulberry32). */
export class SeededRandom implements RandomSource {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }

  /** A uniform integer in [0, limit). */
  below(limit: number): number {
    return this.uint32() % limit
  }
}

/** A copy of `bytes` as a hostile or broken peer might send it: with bits flipped, or bytes replaced, removed or doubled, or cut short. */
export function mutated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  let copy = [...bytes]
  for (let edits = 1 + random.below(3); edits > 0; edits--) {
    const at = random.below(copy.length + 1)
    switch (random.below(6)) {
      case 0:
        if (at < copy.length) copy[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at < copy.length) copy[at] = random.below(256)
        break
      case 2:
        if (at < copy.length) copy[at] = 0xff
        break
      case 3:
        copy.splice(at, 1 + random.below(4))
        break
      case 4:
        copy.splice(at, 0, ...copy.slice(at, at + 1 + random.below(8)))
        break
      default:
        copy = copy.slice(0, at)
    }
  }
  return Uint8Array.from(copy)
}
