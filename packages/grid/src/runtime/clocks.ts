import type { Instant } from '@gossipgrid/core'

/** Few writes look at the second one, which takes longer to read than the rest of a write. */
class Clocks implements Instant {
  readonly wallMs = Date.now()
  #monotonicMs: number | undefined

  get monotonicMs(): number {
    return (this.#monotonicMs ??= performance.now())
  }
}

/** The clocks of this machine. */
export function readClocks(): Instant {
  return new Clocks()
}
