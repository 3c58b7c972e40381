import type { Instant } from '../instant.ts'
import type { PeerId } from '../ports.ts'
import { Routing } from '../routing/routing.ts'
import type { RoutingDeps } from '../routing/routing.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { RoutingMessage } from '../wire/read-messages.ts'
import type { ReplicaIdentity } from '../writes/replica-identity.ts'
import { RepairingReads } from './repairing-reads.ts'

export interface PartitionReadingDeps extends RoutingDeps {
  readonly commit: GroupCommit
  readonly identity: ReplicaIdentity
}

/** All that this peer reads of partitions: at one owner, and at all of them. */
export class PartitionReading {
  readonly routing: Routing
  readonly repairing: RepairingReads

  constructor(deps: PartitionReadingDeps, now: Instant) {
    this.routing = new Routing(deps, now)
    this.repairing = new RepairingReads({ ...deps, ...this.routing.reading, reads: this.routing.reads })
  }

  get wakeAtMs(): number {
    return Math.min(this.routing.wakeAtMs, this.repairing.wakeAtMs)
  }

  /** Throws `MESSAGE_MALFORMED`. */
  receive(from: PeerId, message: RoutingMessage, now: Instant): void {
    if (message.type === 'found' && this.repairing.answered(from, message, now)) return
    this.routing.receive(from, message, now)
  }

  /** Other peers may be worth asking now. */
  neighboursChanged(): void {
    this.routing.neighboursChanged()
  }

  disconnected(neighbour: PeerId): void {
    this.routing.disconnected(neighbour)
    this.repairing.disconnected(neighbour)
  }

  tick(now: Instant): void {
    this.routing.tick(now)
    this.repairing.tick(now)
  }
}
