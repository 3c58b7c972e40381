import type { Instant } from '@gossipgrid/core'

/** Reads the monotonic clock only when asked: that takes longer than the rest of a write, and few writes need it. */
class Clocks implements Instant {
  readonly wallMs = Date.now()
  #monotonicMs: number | undefined

  get monotonicMs(): number {
    return (this.#monotonicMs ??= performance.now())
  }
}

/** Reads the clocks of this machine. */
export function readClocks(): Instant {
  return new Clocks()
}
