import type { Instant } from '@gossipgrid/core'

/** Reads the monotonic clock only when asked: that takes longer than the rest of a write, and few writes need it. */
class Clocks implements Instant {
  readonly wallMs: number
  #monotonicMs: number | undefined

  constructor(wallMs: number) {
    this.wallMs = wallMs
  }

  get monotonicMs(): number {
    return (this.#monotonicMs ??= performance.now())
  }
}

/** Reads the clocks of this machine; the wall clock from `wallMs` if a test has set one. */
export function readClocks(wallMs?: () => number): Instant {
  return new Clocks(wallMs === undefined ? Date.now() : wallMs())
}
