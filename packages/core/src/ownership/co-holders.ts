import type { Instant } from '../instant.ts'
import { COPIES_COMPARED_MAX_MS, COPIES_QUIET_MS, COPIES_RETRY_MS } from '../limits.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { isReplicated } from '../wire/partition-numbers.ts'

export interface CoHoldersDeps {
  readonly antiEntropy: AntiEntropy
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly neighbours: NeighbourTable
}

/** When a neighbour is asked again. */
interface Retry {
  readonly atMs: number
  readonly gapMs: number
}

/**
 * Compares what this peer has copies of with the other peers that have copies of it: heartbeats say nothing of partitions.
 * After a change, a session begins as soon as nothing more changes, or after a while; then nothing is sent until the next
 * change.
 */
export class CoHolders {
  readonly #deps: CoHoldersDeps
  /** By neighbour: the root over what both hold when they last were equal. */
  readonly #equalAt = new Map<PeerId, string>()
  readonly #retries = new Map<PeerId, Retry>()
  /** Neighbours that were not equal when they were last compared, and since when. */
  readonly #behindSinceMs = new Map<PeerId, number>()
  /** Neighbours with which a session is wanted although both may be equal. */
  #wanted: ReadonlySet<PeerId> = new Set()
  readonly #nothing: string
  #changes = -1
  #changedAtMs = -Infinity
  #comparedAtMs = -Infinity
  #comparedChanges = -1

  constructor(deps: CoHoldersDeps) {
    this.#deps = deps
    this.#nothing = deps.collections.root(() => false)
  }

  /** A session with a neighbour has ended with both having the same. */
  completed(neighbour: PeerId): void {
    this.#equalAt.set(neighbour, this.#root(neighbour))
    this.#behindSinceMs.delete(neighbour)
    if (!this.#wanted.has(neighbour)) this.#retries.delete(neighbour)
  }

  /** `wanted`: neighbours to begin a session with although they may be equal. */
  look(wanted: ReadonlySet<PeerId>, now: Instant): void {
    const { commit, neighbours } = this.#deps
    this.#wanted = wanted
    for (const peer of this.#equalAt.keys()) if (!neighbours.has(peer)) this.#equalAt.delete(peer)
    for (const peer of this.#behindSinceMs.keys()) if (!neighbours.has(peer)) this.#behindSinceMs.delete(peer)
    for (const peer of this.#retries.keys()) if (!neighbours.has(peer)) this.#retries.delete(peer)
    for (const peer of wanted) this.#ask(peer, now)
    if (commit.changes !== this.#changes) this.#changedAtMs = now.monotonicMs
    this.#changes = commit.changes
    const isQuiet = now.monotonicMs - this.#changedAtMs >= COPIES_QUIET_MS
    if (!isQuiet && now.monotonicMs - this.#comparedAtMs < COPIES_COMPARED_MAX_MS) return
    // While nothing changes, only neighbours that were not equal yet are asked again.
    const isNews = commit.changes !== this.#comparedChanges
    for (const peer of neighbours.ids()) {
      if (!isNews && this.#equalAt.has(peer)) continue
      const root = this.#root(peer)
      if (this.#equalAt.get(peer) === root || root === this.#nothing) continue
      this.#equalAt.delete(peer)
      if (!this.#behindSinceMs.has(peer)) this.#behindSinceMs.set(peer, now.monotonicMs)
      this.#ask(peer, now)
    }
    this.#comparedAtMs = now.monotonicMs
    this.#comparedChanges = commit.changes
  }

  /** For how long a neighbour has been known to lack something that this peer has, or the other way round; 0 while both are equal. */
  behindMs(neighbour: PeerId, now: Instant): number {
    const sinceMs = this.#behindSinceMs.get(neighbour)
    return sinceMs === undefined ? 0 : now.monotonicMs - sinceMs
  }

  /** A peer with which sessions change nothing is asked less and less often. */
  #ask(peer: PeerId, now: Instant): void {
    const retry = this.#retries.get(peer)
    if (retry !== undefined && now.monotonicMs < retry.atMs) return
    const gapMs = retry === undefined ? COPIES_RETRY_MS : Math.min(2 * retry.gapMs, COPIES_COMPARED_MAX_MS)
    this.#retries.set(peer, { atMs: now.monotonicMs + gapMs, gapMs })
    this.#deps.antiEntropy.compare(peer, now)
  }

  /** One hash over the partitions that both have copies of, as far as this peer knows. */
  #root(peer: PeerId): string {
    const { collections } = this.#deps
    return collections.root((name) => !isReplicated(name) && collections.placement.shares(name, peer))
  }
}
