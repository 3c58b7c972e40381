import type { Collections } from '../replica/collections.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { raiseFloor } from '../replication/full-resync.ts'
import { GRACE_MS } from '../limits.ts'
import type { Candidate, CandidatePart, Registered, Registry } from './registry.ts'

export interface PurgingDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly registry: Registry
}

/**
 * Decides when tombstones are purged.
 *
 * 1. About once a day, the leader (the durable member with the smallest peer id of those that are here) proposes its vectors
 *    as the next purge floor.
 * 2. Each durable member acknowledges the proposal when its own vectors cover it.
 * 3. The grace period of 14 days begins with the last acknowledgement. After it, every peer whose vectors cover the proposal
 *    adopts it as its floor.
 *
 * A durable member that is away delays this until it has been silent for 90 days, has left, or is forgotten. What only durable
 * members do is in `DurableWork`.
 */
export class Purging {
  readonly #deps: PurgingDeps

  /** Proposals that were adopted as a whole. */
  readonly #taken = new Set<string>()

  constructor(deps: PurgingDeps) {
    this.#deps = deps
  }

  /** The work of every peer: adopt the floors whose grace period is over. */
  ripen(wallMs: number): void {
    const { collections, registry } = this.#deps
    const candidates = registry.candidates()
    const versions = new Set(candidates.map(({ version }) => version))
    for (const version of this.#taken) if (!versions.has(version)) this.#taken.delete(version)
    if (candidates.length === 0) return
    const members = registry.members(wallMs)
    for (const candidate of candidates) {
      if (this.#taken.has(candidate.version) || !this.isRipe(candidate, members, wallMs)) continue
      if (this.ownParts(candidate).every((part) => this.#stands(part))) this.#taken.add(candidate.version)
      for (const part of candidate.parts) {
        const partition = collections.find(part)
        if (partition === undefined || this.#stands(part) || !this.covers(part)) continue
        const floor = partition.replica.floor.with(part.floor.entries(), part.floor.dateMs)
        raiseFloor(partition, floor, collections.ids, (block) => this.#deps.commit.remote(block))
      }
    }
  }

  isRipe(candidate: Candidate, members: readonly Registered[], wallMs: number): boolean {
    const acknowledgedMs = this.#deps.registry.acknowledgedMs(candidate, members)
    return acknowledgedMs !== undefined && wallMs - acknowledgedMs >= GRACE_MS
  }

  /** The parts of a proposal that are about partitions of this peer. Of what was dropped there is nothing to purge. */
  ownParts({ parts }: Candidate): readonly CandidatePart[] {
    const { dropped, placement } = this.#deps.collections
    return parts.filter((part) => placement.holds(part) && !dropped.isDropped(part))
  }

  covers(part: CandidatePart): boolean {
    const { collections } = this.#deps
    const vector = collections.find(part)?.replica.vector
    return vector?.reaches(part.floor, (replicaId) => collections.ids.indexOf(replicaId)) === true
  }

  /** Whether a partition stands on this floor or a larger one. */
  #stands(part: CandidatePart): boolean {
    const floor = this.#deps.collections.find(part)?.replica.floor
    if (floor === undefined || floor.dateMs < part.floor.dateMs) return false
    return floor.includes(part.floor)
  }
}
