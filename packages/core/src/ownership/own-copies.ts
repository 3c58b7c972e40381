import { kindCode } from '../kinds/kinds.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import { partitionNumber } from '../wire/partition-numbers.ts'
import { includes } from '../placement/placement.ts'
import type { PartitionedCollection, Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import type { Session } from '../replication/sessions.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'

/** Of a collection that is not registered yet. */
const NO_ORIGIN = '0'.repeat(16)

/** A copy that is not whole. */
interface PartialCopy {
  readonly name: PartitionName
  /** Monotonic milliseconds from which on this peer durably publishes the copy; Infinity until then. */
  publishedAtMs: number
  /** Peers with a whole copy that it has had sessions with since. */
  readonly met: Set<PeerId>
  /** Peers with any copy that it has had sessions with since. */
  readonly metAny: Set<PeerId>
  /** No whole copy is left, and this one is to go on with what there is in reach. */
  again: boolean
  /** At the last look. */
  isOwned: boolean
}

export interface OwnCopiesDeps {
  readonly neighbours: NeighbourTable
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/**
 * The copies of this peer: when one begins, and when it is whole. A whole copy descends from a complete history, so what it
 * does not have does not exist.
 *
 * - The peer that registers a collection has all of its history: nothing.
 * - Any other copy becomes whole by sessions with peers that say in them that theirs is whole. They begin after this peer
 *   has published its copy, so that writers who know that have sent it what the session no longer contains. Every whole
 *   copy is asked, because writers may have reached only some of them. One that is out of reach is waited for until its peer
 *   is marked as away: those in reach may be former owners that lack what was written since. If all whole copies are those of
 *   former owners, the copies that are not whole are asked as well, and waited for in the same way.
 * - An owner begins a copy only if a whole one is in reach. So a peer that is alone does not take nothing for everything.
 * - When no whole copy is left, and an operator says so, the first owner goes on with what there still is.
 */
export class OwnCopies {
  readonly #deps: OwnCopiesDeps
  readonly #copies: PartitionCopies
  readonly #partial = new Map<string, PartialCopy>()
  #lookedAt = ''

  constructor(deps: OwnCopiesDeps) {
    this.#deps = deps
    this.#copies = deps.placement.copies
  }

  /** This peer has registered a collection, of which nothing was ever written. */
  originate({ descriptor, origin }: PartitionedCollection): void {
    for (const name of partitionsOf({ descriptor, origin })) {
      this.#copies.begin(name, origin)
      this.#copies.complete(name, origin)
    }
  }

  /** What this peer had published when it ended, and what else its store has: of that it is not known whether it is whole. */
  restore(published: readonly CopyGroup[], stored: Iterable<PartitionName>): void {
    this.#copies.take(published)
    for (const name of stored) this.#copies.begin(name, this.#deps.placement.registered(name)?.origin ?? NO_ORIGIN)
  }

  /** Begins what this peer owns and can fetch, and watches what is not whole, if the registry or the neighbours have changed. */
  look(nowMs: number): void {
    const { neighbours, placement } = this.#deps
    const seen = `${placement.changes} ${neighbours.ids().join()}`
    if (seen === this.#lookedAt) return
    this.#lookedAt = seen
    for (const collection of placement.collections) {
      for (const name of partitionsOf(collection)) {
        if (this.#copies.has(name)) {
          if (!this.#copies.isWhole(name, collection.origin)) this.#watch(name)
        } else if (this.#isOwned(name) && this.#holdersInReach(name).length > 0) {
          this.#copies.begin(name, collection.origin)
          this.#watch(name)
        }
      }
    }
    for (const copy of this.#partial.values()) {
      this.#restartIfRegained(copy, nowMs)
      this.#settle(copy)
    }
  }

  /** The copy is dropped. If this peer owns the partition again, another one begins. */
  drop(name: PartitionName): void {
    this.#copies.drop(name)
    this.#partial.delete(nameKey(name))
    this.#lookedAt = ''
  }

  /** What this peer durably publishes. */
  published(copies: PartitionCopies, nowMs: number): void {
    for (const copy of this.#partial.values()) {
      if (copy.publishedAtMs === Infinity && copies.has(copy.name)) copy.publishedAtMs = nowMs
    }
  }

  /** A session has brought all that another peer had of what both have copies of. */
  completed({ neighbour, startedAtMs, isShared, published, floorsDiffer, named }: Session): void {
    if (published === undefined || isShared === undefined || floorsDiffer) return
    const theirs = PartitionCopies.of(published)
    for (const copy of this.#partial.values()) {
      const { name, met, metAny, publishedAtMs } = copy
      const origin = this.#deps.placement.registered(name)?.origin
      if (origin === undefined || publishedAtMs > startedAtMs || !isShared(name)) continue
      if (named !== undefined && !named.has(nameKey(name))) continue
      metAny.add(neighbour)
      if (theirs.isWhole(name, origin)) met.add(neighbour)
      this.#settle(copy)
    }
  }

  /** Neighbours from which this peer needs something for a copy to be whole. */
  wantedFrom(): ReadonlySet<PeerId> {
    const wanted = new Set<PeerId>()
    for (const copy of this.#partial.values()) {
      const { name, met, metAny, publishedAtMs, again } = copy
      if (publishedAtMs === Infinity) continue
      for (const peer of this.#partialWanted(copy)) {
        if (!metAny.has(peer) && this.#deps.neighbours.has(peer)) wanted.add(peer)
      }
      for (const peer of this.#holdersInReach(name)) if (!met.has(peer)) wanted.add(peer)
      if (again) for (const peer of this.#anyInReach(name)) if (!metAny.has(peer)) wanted.add(peer)
    }
    return wanted
  }

  /** No whole copy of the partition is left: this one is whole as soon as it has what all others in reach have of it. */
  beginAgain(name: PartitionName, origin: string): void {
    this.#copies.begin(name, origin)
    this.#watch(name)
    const copy = this.#partial.get(nameKey(name))!
    copy.again = true
    this.#settle(copy)
  }

  #watch(name: PartitionName): void {
    const key = nameKey(name)
    if (this.#partial.has(key)) return
    const isOwned = this.#isOwned(name)
    this.#partial.set(key, { name, publishedAtMs: Infinity, met: new Set(), metAny: new Set(), again: false, isOwned })
  }

  /** Former owners get no writes. One that owns the partition again has to meet the others again. */
  #restartIfRegained(copy: PartialCopy, nowMs: number): void {
    const isOwned = this.#isOwned(copy.name)
    if (isOwned && !copy.isOwned) {
      copy.met.clear()
      copy.metAny.clear()
      if (copy.publishedAtMs < Infinity) copy.publishedAtMs = nowMs
    }
    copy.isOwned = isOwned
  }

  #isOwned(name: PartitionName): boolean {
    return includes(this.#deps.placement.owners(name), this.#deps.peerId)
  }

  /** The copy is whole once it has met every other whole one. */
  #settle(copy: PartialCopy): void {
    const { name, met, metAny, publishedAtMs, again } = copy
    const { placement } = this.#deps
    const origin = placement.registered(name)?.origin
    if (origin === undefined) return
    const holders = placement.wholeHolders(name)
    if (again && holders.length === 0) {
      if (publishedAtMs === Infinity || this.#anyInReach(name).some((peer) => !metAny.has(peer))) return
    } else {
      const isThere = (peer: PeerId): boolean => this.#deps.neighbours.has(peer) || placement.isExpected(peer)
      if (met.size === 0 || holders.some((peer) => !met.has(peer) && isThere(peer))) return
      if (this.#partialWanted(copy).some((peer) => !metAny.has(peer) && isThere(peer))) return
    }
    this.#copies.complete(name, origin)
    this.#partial.delete(nameKey(name))
  }

  /**
   * The peers with copies that are not whole, where those are wanted. Former owners get no writes: if only their whole copies were met, what
   * was written meanwhile is in the copies that are not whole.
   */
  #partialWanted({ name, met }: PartialCopy): readonly PeerId[] {
    const { placement } = this.#deps
    const hasMetOwner = [...met].some((peer) => includes(placement.owners(name), peer))
    return met.size === 0 || hasMetOwner ? [] : placement.partialHolders(name)
  }

  #anyInReach(name: PartitionName): PeerId[] {
    const { neighbours, placement } = this.#deps
    return neighbours.ids().filter((peer) => placement.isPublishedBy(name, peer))
  }

  #holdersInReach(name: PartitionName): PeerId[] {
    return this.#deps.placement.wholeHolders(name).filter((peer) => this.#deps.neighbours.has(peer))
  }
}

function* partitionsOf({ descriptor }: PartitionedCollection): Generator<PartitionName, void, undefined> {
  const { name: collection, partitions } = descriptor
  const kind = kindCode(descriptor)
  for (let index = 0; index < partitions; index++) {
    yield { collection, kind, partition: partitionNumber(partitions, index) }
  }
}
