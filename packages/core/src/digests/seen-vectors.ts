import type { Collections } from '../replica/collections.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from './lag.ts'
import type { LocalWrites } from '../writes/local-writes.ts'
import type { SeenPart } from './part-digests.ts'
import type { PeerId } from '../ports.ts'

export interface SeenVectorsDeps {
  readonly collections: Collections
  readonly lag: LagTable
  readonly writes: LocalWrites
}

/** Receives the version vectors of other peers, whether an announcement or a session brought them. */
export class SeenVectors {
  readonly #deps: SeenVectorsDeps

  constructor(deps: SeenVectorsDeps) {
    this.#deps = deps
  }

  /** Records them. If they show a write of this peer's replica id that it has not given out, the id is in use twice. */
  record(from: PeerId, parts: readonly SeenPart[], now: Instant): void {
    const { collections, lag, writes } = this.#deps
    lag.recordVectors(from, parts, now.monotonicMs)
    const writer = writes.identity.index
    for (const part of parts) {
      const theirs = part.seen.highest(writer)
      const own = collections.find(part)?.replica.vector.highest(writer) ?? 0
      if (theirs <= own || !collections.placement.hasAllOwn(part)) continue
      writes.cloned(`${from} has seen write ${theirs} of this replica id, which has given out ${own}`, now)
      return
    }
  }
}
