import type { Random } from '../../../packages/testing/src/random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a workload does again and again, until it ends. */
export class Rounds {
  readonly #random: Random
  readonly #time: VirtualTime
  #isOver = false

  constructor({ random, time }: { readonly random: Random; readonly time: VirtualTime }) {
    this.#random = random
    this.#time = time
  }

  /** Does it on and on, with gaps of at most so many milliseconds. */
  begin(act: () => void, gapMaxMs: number): void {
    this.#time.timer(
      () => {
        if (this.#isOver) return
        act()
        this.begin(act, gapMaxMs)
      },
      this.#random.between(20, gapMaxMs),
    )
  }

  end(): void {
    this.#isOver = true
  }
}
