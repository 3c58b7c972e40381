import { Following } from '../following/following.ts'
import type { Instant } from '../instant.ts'
import type { PeerId } from '../ports.ts'
import { Routing } from '../routing/routing.ts'
import type { RoutingDeps } from '../routing/routing.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { FollowingMessage } from '../wire/follow-messages.ts'
import type { RoutingMessage } from '../wire/read-messages.ts'
import type { ReplicaIdentity } from '../writes/replica-identity.ts'
import { RepairingReads } from './repairing-reads.ts'

export interface PartitionReadingDeps extends RoutingDeps {
  readonly commit: GroupCommit
  readonly identity: ReplicaIdentity
}

/** All that this peer reads of partitions: at one owner, and at all of them, once and as they change. */
export class PartitionReading {
  readonly routing: Routing
  readonly repairing: RepairingReads
  readonly following: Following

  constructor(deps: PartitionReadingDeps, now: Instant) {
    this.routing = new Routing(deps, now)
    const reading = { ...deps, ...this.routing.reading }
    this.repairing = new RepairingReads({ ...reading, reads: this.routing.reads })
    this.following = new Following({ ...reading, answering: this.routing.answering })
  }

  get wakeAtMs(): number {
    return Math.min(this.routing.wakeAtMs, this.repairing.wakeAtMs, this.following.wakeAtMs)
  }

  /** Throws `MESSAGE_MALFORMED`. */
  receive(from: PeerId, message: RoutingMessage | FollowingMessage, now: Instant): void {
    if (message.type === 'follow' || message.type === 'followed') this.following.receive(from, message, now)
    else if (message.type !== 'found' || !this.repairing.answered(from, message, now))
      this.routing.receive(from, message, now)
  }

  /** Other peers may be worth asking now. */
  neighboursChanged(): void {
    this.routing.neighboursChanged()
    this.following.neighboursChanged()
  }

  disconnected(neighbour: PeerId): void {
    this.routing.disconnected(neighbour)
    this.repairing.disconnected(neighbour)
    this.following.disconnected(neighbour)
  }

  tick(now: Instant): void {
    this.routing.tick(now)
    this.repairing.tick(now)
    this.following.tick(now)
  }
}
