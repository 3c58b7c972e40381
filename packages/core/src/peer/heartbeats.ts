import type { Announce, Announcements } from '../replication/announcements.ts'
import type { Broadcaster } from '../replication/broadcaster.ts'
import type { Collections } from '../replica/collections.ts'
import type { DirectRoute } from '../replication/direct-route.ts'
import type { Instant, RandomSource } from '../instant.ts'
import type { LagTable } from '../digests/lag.ts'
import { STILL_MAX_MS } from '../limits.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { rareHeartbeatMs } from '../members/membership.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { PresenceRecord } from '../wire/presence-record.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

export interface HeartbeatsDeps {
  readonly announcements: Announcements
  readonly broadcaster: Broadcaster
  readonly collections: Collections
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly random: RandomSource
  readonly route: DirectRoute
  readonly signals: Signals
  readonly time: Timekeeping
}

/** What this peer last announced on the stream of a neighbour. */
interface Announced {
  readonly atMs: number
  /** The connection that it went on. */
  readonly connectedAtMs: number
  readonly member: MemberRecord
  readonly presence: PresenceRecord | undefined
  readonly root: string
  /** Whether it named the time. */
  readonly timed: boolean
}

/**
 * Says at regular intervals that this peer is there and what it has seen, and redials neighbours whose heartbeats do not come.
 *
 * While every member is a neighbour, heartbeats travel on the streams to them, and rarely by gossip. On a stream, a neighbour
 * that holds the same as this peer and has heard it all before gets a message of a few bytes, with each second heartbeat. The rare ones by gossip are for
 * peers that take each other for gone: they find each other through a third one.
 */
export class Heartbeats {
  readonly #deps: HeartbeatsDeps
  readonly #announced = new Map<PeerId, Announced>()
  #gossipAtMs = -Infinity
  /** The last heartbeat said on streams that nothing has changed. */
  #saidStill = false

  constructor(deps: HeartbeatsDeps) {
    this.#deps = deps
  }

  tick(now: Instant): void {
    const { broadcaster, membership, neighbours, outbox, random } = this.#deps
    if (now.monotonicMs >= broadcaster.announceAtMs || membership.heartbeatDue(now, random)) this.#announce(now)
    const deaf = neighbours.deaf(membership.size, now)
    if (deaf !== undefined) outbox.redial(deaf)
  }

  #announce(now: Instant): void {
    const { announcements, broadcaster, collections, membership, neighbours, route, signals, time } = this.#deps
    const bulk = now.monotonicMs >= broadcaster.announceAtMs
    if (bulk) broadcaster.announced()
    if (neighbours.size === 0) return
    const root = collections.root()
    let composed: Announce | undefined
    const announce = (): Announce => {
      return (composed ??= {
        ...announcements.compose(root, bulk, time.gridClock.announcedMs(now)),
        ...signals.ownPresence(),
      })
    }
    const { reachesAll } = route
    if (reachesAll) this.#announceOnStreams(root, bulk, announce, now)
    else this.#announced.clear()
    if (reachesAll && now.monotonicMs - this.#gossipAtMs < rareHeartbeatMs(membership.size)) return
    this.#gossipAtMs = now.monotonicMs
    broadcaster.gossip(announce())
  }

  #announceOnStreams(root: string, bulk: boolean, announce: () => Announce, now: Instant): void {
    const { membership, neighbours, outbox, signals, time } = this.#deps
    const atMs = now.monotonicMs
    const timed = time.gridClock.announcedMs(now) !== undefined
    const said = { atMs, member: membership.self, presence: signals.presence.own, root, timed }
    const since = neighbours.since()
    const news: PeerId[] = []
    const still: PeerId[] = []
    for (const [neighbour, connectedAtMs] of since) {
      const current = { ...said, connectedAtMs }
      if (!bulk && this.#knows(neighbour, current)) still.push(neighbour)
      else {
        news.push(neighbour)
        this.#announced.set(neighbour, current)
      }
    }
    for (const neighbour of this.#announced.keys()) if (!since.has(neighbour)) this.#announced.delete(neighbour)
    if (news.length > 0) outbox.sendEach(news, announce())
    // Each second one of these keeps a lease. A presence lasts for three heartbeats, and needs each.
    this.#saidStill = !this.#saidStill || signals.presence.own?.value !== undefined
    if (this.#saidStill) outbox.sendEach(still, { type: 'still' })
  }

  /** Whether a neighbour would learn nothing from this announcement, and lacks nothing either. */
  #knows(neighbour: PeerId, current: Announced): boolean {
    const { lag, neighbours } = this.#deps
    const last = this.#announced.get(neighbour)
    if (last === undefined || current.atMs - last.atMs >= STILL_MAX_MS) return false
    const isSame =
      last.connectedAtMs === current.connectedAtMs &&
      last.member === current.member &&
      last.presence === current.presence &&
      last.root === current.root &&
      last.timed === current.timed
    return isSame && lag.rootOf(neighbour) === current.root && !neighbours.isInDoubt(neighbour)
  }
}
