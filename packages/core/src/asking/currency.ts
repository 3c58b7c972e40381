import type { Instant } from '../instant.ts'
import { COMPARE_PATIENCE_MAX_MS, COMPARE_PATIENCE_MS, OUT_OF_TOUCH_MS } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import type { PeerId } from '../ports.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'

export interface CurrencyDeps {
  readonly antiEntropy: {
    compare(neighbour: PeerId, now: Instant): void
    isReceivingFrom(neighbour: PeerId): boolean
  }
  readonly membership: Pick<Membership, 'get'>
  readonly neighbours: NeighbourTable
  readonly peerId: PeerId
  readonly placement: Rendezvous
}

/** A partition that this peer owns again, with a copy that it had kept since it owned it last. */
interface Regained {
  readonly sinceMs: number
  /** Peers with which a session has begun and ended since. */
  readonly compared: Set<PeerId>
}

/**
 * Whether an owner may answer from its copy. An owner that has just started, that stood still, or that met another owner again may
 * lack what was written meanwhile. So it first has a session with each storage peer that it connects to in its first 5 s, since each
 * may know of later owners, and with each other owner in reach. It waits for each of these peers for 5 s at most, or for 15 s while a
 * session brings something, and then answers from what it has. It waits for a peer that was to own the partition for a while, until
 * that peer is marked as away. A former owner gets no writes, so one that owns the partition again compares again.
 */
export class Currency {
  readonly #deps: CurrencyDeps
  readonly #compared = new Set<PeerId>()
  /** Peers that have closed in order, after a session with this one: they take no writes until they run again. */
  readonly #closed = new Set<PeerId>()
  /** By partition. */
  readonly #regained = new Map<string, Regained>()
  /** The copies of this peer that it owned and did not own when it last looked, by partition. */
  #former: ReadonlySet<string> = new Set()
  #lookedAt = -1
  /** From then on sessions count: it started then, or stood still until then. */
  #sinceMs: number
  /** The same, or when it came in reach of others after it had been alone. */
  #accompaniedSinceMs: number
  /** Since it started, or stood still, it has had a session with some peer. */
  #hasMet = false
  #tickedAtMs: number
  /** When it last had a neighbour. */
  #accompaniedAtMs = -Infinity

  constructor(deps: CurrencyDeps, now: Instant) {
    this.#deps = deps
    this.#sinceMs = this.#accompaniedSinceMs = this.#tickedAtMs = now.monotonicMs
  }

  /** A session that began at `startedAtMs` has made this peer and a neighbour equal. */
  met(neighbour: PeerId, startedAtMs: number): void {
    this.#compared.add(neighbour)
    this.#closed.delete(neighbour)
    this.#hasMet = true
    for (const { compared, sinceMs } of this.#regained.values()) if (startedAtMs >= sinceMs) compared.add(neighbour)
  }

  /** A neighbour says that it closes. */
  departed(neighbour: PeerId): void {
    if (this.#compared.has(neighbour)) this.#closed.add(neighbour)
  }

  disconnected(neighbour: PeerId): void {
    this.#compared.delete(neighbour)
  }

  tick(now: Instant): void {
    const isAccompanied = this.#deps.neighbours.size > 0
    const aloneMs = now.monotonicMs - this.#accompaniedAtMs
    if (!this.#hasStoodStill(now) && isAccompanied && aloneMs >= OUT_OF_TOUCH_MS) this.#compareWithFirst(now)
    this.#tickedAtMs = now.monotonicMs
    if (isAccompanied) this.#accompaniedAtMs = now.monotonicMs
    this.#look(now)
  }

  /** This peer owns the partition, and what its copy has is the answer. */
  mayRead(name: PartitionName, now: Instant): boolean {
    const { peerId, placement } = this.#deps
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    return owners.has(peerId) && placement.isWhole(name) && this.isCurrent(name, now)
  }

  /**
   * What this former owner has counts: an owner is in reach, this peer has compared with those that are, and with every other peer
   * that has a copy, whole or not, unless that is away. For what was written went to them.
   */
  isInTouch(name: PartitionName, now: Instant): boolean {
    const { neighbours, placement } = this.#deps
    const owners = [...(placement.owners(name) as ReadonlySet<PeerId>)]
    const inReach = owners.filter((owner) => neighbours.has(owner))
    if (owners.length > 0 && inReach.length === 0) return false
    const holders = [...placement.wholeHolders(name), ...placement.partialHolders(name)]
    const others = holders.filter((peer) => placement.isExpected(peer))
    return this.isCurrent(name, now) && [...inReach, ...others].every((peer) => this.#compared.has(peer))
  }

  isCurrent(name: PartitionName, now: Instant): boolean {
    const { neighbours, peerId, placement } = this.#deps
    // A question may come before the first tick.
    this.#hasStoodStill(now)
    this.#look(now)
    // Its registry may be as old as its copy, and name it as an owner that it is no more.
    const isAccompanied = neighbours.size > 0 || now.monotonicMs - this.#accompaniedAtMs < COMPARE_PATIENCE_MS
    const accompaniedMs = now.monotonicMs - this.#accompaniedSinceMs
    if (isAccompanied && !this.#hasMet && accompaniedMs < COMPARE_PATIENCE_MAX_MS) return false
    // Later none of the first ones is awaited any more.
    const mayAwaitFirst = accompaniedMs < COMPARE_PATIENCE_MS + COMPARE_PATIENCE_MAX_MS
    const isAwaited = (neighbour: PeerId): boolean => this.#isFirst(neighbour) && this.#isAwaited(neighbour, now)
    if (mayAwaitFirst && neighbours.ids().some(isAwaited)) return false
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    if (placement.partialHolders(name).some((peer) => !owners.has(peer) && this.#isMissed(peer))) return false
    if (!this.#isLevelSinceRegained(name, now)) return false
    const others = [...owners].filter((owner) => owner !== peerId)
    // No other owner is in reach yet.
    if (others.length > 0 && others.every((owner) => !neighbours.has(owner))) {
      return now.monotonicMs - this.#sinceMs >= COMPARE_PATIENCE_MS
    }
    return others.every((owner) => !this.#isAwaited(owner, now))
  }

  /** Whether this peer has just gone on after it stood still. What it has compared before counts no longer then. */
  #hasStoodStill(now: Instant): boolean {
    if (now.monotonicMs - this.#tickedAtMs < OUT_OF_TOUCH_MS) return false
    this.#tickedAtMs = this.#sinceMs = now.monotonicMs
    this.#hasMet = false
    this.#compareWithFirst(now)
    return true
  }

  #compareWithFirst(now: Instant): void {
    this.#accompaniedSinceMs = now.monotonicMs
    this.#compared.clear()
    this.#closed.clear()
    const { antiEntropy, neighbours } = this.#deps
    for (const neighbour of neighbours.ids()) if (this.#isFirst(neighbour)) antiEntropy.compare(neighbour, now)
  }

  /** Notices which partitions this peer owns again. Its copies of them were kept, and got no writes meanwhile. */
  #look(now: Instant): void {
    const { peerId, placement } = this.#deps
    if (this.#lookedAt === placement.changes) return
    this.#lookedAt = placement.changes
    const former = new Set<string>()
    for (const name of placement.copies.names()) {
      const key = nameKey(name)
      if (!(placement.owners(name) as ReadonlySet<PeerId>).has(peerId)) former.add(key)
      else if (this.#former.has(key)) this.#regain(name, now)
    }
    for (const key of former) this.#regained.delete(key)
    this.#former = former
  }

  #regain(name: PartitionName, now: Instant): void {
    this.#regained.set(nameKey(name), { sinceMs: now.monotonicMs, compared: new Set() })
    for (const peer of this.#othersWith(name)) this.#deps.antiEntropy.compare(peer, now)
  }

  /** The peers that writes to a partition have gone to. */
  #othersWith(name: PartitionName): PeerId[] {
    const { peerId, placement } = this.#deps
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    return [...owners, ...placement.wholeHolders(name)].filter((peer) => peer !== peerId)
  }

  /** It is a storage peer, or may be one, and was there soon after this peer began. */
  #isFirst(neighbour: PeerId): boolean {
    const { membership, neighbours } = this.#deps
    const afterMs = (neighbours.connectedAtMs(neighbour) ?? Infinity) - this.#accompaniedSinceMs
    return afterMs < COMPARE_PATIENCE_MS && (membership.get(neighbour)?.record.role ?? 'storage') === 'storage'
  }

  /** A session with this neighbour is to come first, and may come. */
  #isAwaited(neighbour: PeerId, now: Instant, compared = this.#compared, sinceMs = this.#sinceMs): boolean {
    const { antiEntropy, neighbours } = this.#deps
    const connectedAtMs = neighbours.connectedAtMs(neighbour)
    if (connectedAtMs === undefined || compared.has(neighbour)) return false
    const patienceMs = antiEntropy.isReceivingFrom(neighbour) ? COMPARE_PATIENCE_MAX_MS : COMPARE_PATIENCE_MS
    return now.monotonicMs - Math.max(connectedAtMs, sinceMs) < patienceMs
  }

  /** It owned the partition for a while, may have what was written meanwhile, and no other peer has that. */
  #isMissed(peer: PeerId): boolean {
    const { membership, placement } = this.#deps
    const isClosed = this.#closed.has(peer) && (membership.get(peer)?.state ?? 'gone') === 'gone'
    return placement.isExpected(peer) && !this.#compared.has(peer) && !isClosed
  }

  #isLevelSinceRegained(name: PartitionName, now: Instant): boolean {
    if (this.#regained.size === 0) return true
    const key = nameKey(name)
    const regained = this.#regained.get(key)
    if (regained === undefined) return true
    const { compared, sinceMs } = regained
    if (this.#othersWith(name).some((peer) => this.#isAwaited(peer, now, compared, sinceMs))) return false
    this.#regained.delete(key)
    return true
  }
}
