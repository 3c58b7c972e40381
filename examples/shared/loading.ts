import type { Convergence } from 'gossipgrid'

/** A tab that is ready and falls behind by less than this catches up without showing it. */
const LATE_MIN_WRITES = 1000

/** How far a tab is with loading the data of its grid. */
export class Loading {
  /** The most writes that were missing since loading began. */
  #total = 0

  /**
   * The loaded part, from 0 to 1; `waiting` while no peer has said how much there is; undefined when nothing is being loaded.
   * `ready`: everything has been exchanged with a peer.
   */
  next({ state, worst, neighbours }: Pick<Convergence, 'state' | 'worst' | 'neighbours'>, ready: boolean): Progress {
    const missing = state === 'behind' && neighbours > 0 ? (worst?.writes ?? 0) : 0
    if (missing > 0 && (!ready || this.#total > 0 || missing >= LATE_MIN_WRITES)) {
      this.#total = Math.max(this.#total, missing)
      return 1 - missing / this.#total
    }
    this.#total = 0
    return ready || neighbours === 0 ? undefined : 'waiting'
  }
}

export type Progress = number | 'waiting' | undefined
