import type { Convergence, ConvergenceState } from './convergence.ts'

/** How this peer stands with others. The same frozen object until something in it changes. */
export interface GridStanding {
  /** The grid is open. */
  readonly open: boolean
  /** False between `grid.disconnect()` and `grid.connect()`. */
  readonly online: boolean
  /** Neighbours. */
  readonly peers: number
  /** See `ConvergenceState`. */
  readonly state: ConvergenceState
  /** Writes that this peer lacks, as far as is known. */
  readonly behind: number
  /** Writes of this peer that another one lacks, as far as is known. */
  readonly ahead: number
}

export interface StandingDeps {
  isOpen(): boolean
  convergence(): Convergence
  /** Calls `changed` when one of the two may have changed, until the returned function is called. */
  follow(changed: () => void): () => void
}

/** The standing of a grid as a store for user interfaces: what `useSyncExternalStore` and its like ask for. From `grid.standing`. */
export class StandingStore {
  readonly #deps: StandingDeps
  #shown: GridStanding | undefined
  #listeners = 0

  /** @internal */
  constructor(deps: StandingDeps) {
    this.#deps = deps
  }

  /** Calls `listener` after a change. The returned function ends that. */
  readonly subscribe = (listener: () => unknown): (() => void) => {
    const before = this.getSnapshot()
    let last = before
    this.#listeners += 1
    const end = this.#deps.follow(() => {
      this.#refresh()
      if (this.#shown === last) return
      last = this.#shown!
      listener()
    })
    return () => {
      this.#listeners -= 1
      end()
    }
  }

  /** The standing now. While there are subscribers, it is that of the last change. */
  readonly getSnapshot = (): GridStanding => {
    if (this.#listeners === 0 || this.#shown === undefined) this.#refresh()
    return this.#shown!
  }

  #refresh(): void {
    const open = this.#deps.isOpen()
    const { state, online, neighbours, worst } = this.#deps.convergence()
    const writes = worst?.writes ?? 0
    const next: GridStanding = {
      ...{ open, online: open && online, peers: open ? neighbours : 0, state },
      behind: state === 'behind' ? writes : 0,
      ahead: state === 'ahead' ? writes : 0,
    }
    const shown = this.#shown
    const names = Object.keys(next) as (keyof GridStanding)[]
    if (shown === undefined || names.some((name) => next[name] !== shown[name])) this.#shown = Object.freeze(next)
  }
}
