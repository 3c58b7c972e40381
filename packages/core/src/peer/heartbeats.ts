import type { Announcements } from '../replication/announcements.ts'
import type { Broadcaster } from '../replication/broadcaster.ts'
import { HEARTBEAT_MS } from '../limits.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { heartbeatMs } from '../members/membership.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'

export interface HeartbeatsDeps {
  readonly announcements: Announcements
  readonly broadcaster: Broadcaster
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly random: RandomSource
  readonly signals: Signals
  readonly time: Timekeeping
}

/** Broadcasts what this peer has seen at regular intervals, and redials neighbours whose heartbeats do not come. */
export class Heartbeats {
  readonly #deps: HeartbeatsDeps

  constructor(deps: HeartbeatsDeps) {
    this.#deps = deps
  }

  tick(now: Instant): void {
    const { broadcaster, membership, neighbours, outbox, random } = this.#deps
    if (now.monotonicMs >= broadcaster.announceAtMs || membership.heartbeatDue(now, random)) this.#announce(now)
    const stretch = heartbeatMs(membership.size) / HEARTBEAT_MS
    for (const neighbour of neighbours.deaf(stretch, now)) outbox.redial(neighbour)
  }

  #announce(now: Instant): void {
    const { announcements, broadcaster, neighbours, signals, time } = this.#deps
    const bulk = now.monotonicMs >= broadcaster.announceAtMs
    if (bulk) broadcaster.announced()
    if (neighbours.size === 0) return
    broadcaster.gossip({ ...announcements.compose(bulk, time.gridClock.announcedMs(now)), ...signals.ownPresence() })
  }
}
