import type { Instant } from '../instant.ts'
import { COMPARE_PATIENCE_MS, OUT_OF_TOUCH_MS } from '../limits.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { PartitionName } from '../wire/block.ts'

export interface CurrencyDeps {
  readonly neighbours: NeighbourTable
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/**
 * Whether an owner may answer from its copy. One that has just started, that stood still, or that met another owner again may
 * lack what was written meanwhile. So it first has a session with any peer, and with each other owner in reach; for
 * each of those owners it waits for 5 s at most, and then answers from what it has. A peer that was to own the partition for a while,
 * and is not marked as away, is waited for.
 */
export class Currency {
  readonly #deps: CurrencyDeps
  readonly #compared = new Set<PeerId>()
  /** From then on sessions count: it started then, or stood still until then. */
  #sinceMs: number
  /** Since then it has had a session with some peer. */
  #hasMet = false
  #tickedAtMs: number
  /** When it last had a neighbour. */
  #accompaniedAtMs = -Infinity

  constructor(deps: CurrencyDeps, now: Instant) {
    this.#deps = deps
    this.#sinceMs = this.#tickedAtMs = now.monotonicMs
  }

  /** A session has made this peer and a neighbour equal. */
  met(neighbour: PeerId): void {
    this.#compared.add(neighbour)
    this.#hasMet = true
  }

  disconnected(neighbour: PeerId): void {
    this.#compared.delete(neighbour)
  }

  tick(now: Instant): void {
    if (now.monotonicMs - this.#tickedAtMs >= OUT_OF_TOUCH_MS) {
      this.#sinceMs = now.monotonicMs
      this.#compared.clear()
      this.#hasMet = false
    }
    this.#tickedAtMs = now.monotonicMs
    if (this.#deps.neighbours.size > 0) this.#accompaniedAtMs = now.monotonicMs
  }

  /** This peer owns the partition, and what its copy has is the answer. */
  mayRead(name: PartitionName, now: Instant): boolean {
    const { peerId, placement } = this.#deps
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    return owners.has(peerId) && placement.isWhole(name) && this.isCurrent(name, now)
  }

  /**
   * What this former owner has counts: an owner is in reach, this peer has compared with those that are, and with every other peer
   * that has a whole copy, unless that is away. For what was written went to them.
   */
  isInTouch(name: PartitionName, now: Instant): boolean {
    const { neighbours, placement } = this.#deps
    const owners = [...(placement.owners(name) as ReadonlySet<PeerId>)]
    const inReach = owners.filter((owner) => neighbours.has(owner))
    if (owners.length > 0 && inReach.length === 0) return false
    const others = placement.wholeHolders(name).filter((peer) => placement.isExpected(peer))
    return [...inReach, ...others].every((peer) => this.#compared.has(peer)) && this.isCurrent(name, now)
  }

  isCurrent(name: PartitionName, now: Instant): boolean {
    const { neighbours, peerId, placement } = this.#deps
    // Its registry may be as old as its copy, and name it as an owner that it is no more.
    const isAccompanied = neighbours.size > 0 || now.monotonicMs - this.#accompaniedAtMs < COMPARE_PATIENCE_MS
    if (isAccompanied && !this.#hasMet) return false
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    // One that owned the partition for a while may have what was written meanwhile, and no other.
    const isMissed = (peer: PeerId): boolean =>
      !owners.has(peer) && placement.isExpected(peer) && !this.#compared.has(peer)
    if (placement.partialHolders(name).some(isMissed)) return false
    const others = [...owners].filter((owner) => owner !== peerId)
    // No other owner is in reach yet.
    if (others.length > 0 && others.every((owner) => !neighbours.has(owner))) {
      return now.monotonicMs - this.#sinceMs >= COMPARE_PATIENCE_MS
    }
    return others.every((owner) => {
      const connectedAtMs = neighbours.connectedAtMs(owner)
      if (connectedAtMs === undefined || this.#compared.has(owner)) return true
      return now.monotonicMs - Math.max(connectedAtMs, this.#sinceMs) >= COMPARE_PATIENCE_MS
    })
  }
}
