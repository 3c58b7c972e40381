import type { Cluster } from '../cluster/cluster.ts'
import { withDeadline } from '../cluster/deadline.ts'
import type { LiveLines, Screen } from '../screen/screen.ts'

export interface StageDeps {
  readonly cluster: Cluster
  readonly screen: Screen
  /** Rejects when the user wants the story to end. */
  readonly interrupted: Promise<never>
}

/** Where the steps of a story run: each ends with its work, with the first failure, or when it takes too long. */
export class Stage {
  readonly #deps: StageDeps

  constructor(deps: StageDeps) {
    this.#deps = deps
  }

  /** Runs a step, and shows live lines meanwhile. */
  during<T>(what: string, limitMs: number, lines: LiveLines, work: Promise<T>): Promise<T> {
    return this.#deps.screen.during(lines, this.guarded(what, limitMs, work))
  }

  guarded<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
    const { cluster, interrupted } = this.#deps
    return withDeadline(limitMs, what, Promise.race([work, cluster.broken, interrupted]))
  }
}
