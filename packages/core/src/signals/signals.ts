import type { Broadcaster } from '../replication/broadcaster.ts'
import type { PeerEvent } from '../effects.ts'
import type { Instant } from '../instant.ts'
import { heartbeatMs } from '../members/membership.ts'
import type { Membership } from '../members/membership.ts'
import type { Message } from '../wire/messages.ts'
import type { Neighbours } from '../members/neighbours.ts'
import type { PeerId } from '../ports.ts'
import { Presence } from './presence.ts'
import type { PresenceRecord } from '../wire/presence-record.ts'
import { Topics } from './topics.ts'

export interface SignalsOwner {
  readonly membership: Membership
  readonly neighbours: Neighbours
  readonly broadcaster: Broadcaster
  broadcast(message: Message): void
  event(event: PeerEvent): void
}

/** What peers tell each other and nobody stores: messages of topics, and who is there. */
export class Signals {
  readonly topics: Topics
  readonly presence: Presence
  readonly #owner: SignalsOwner

  constructor(owner: SignalsOwner) {
    this.#owner = owner
    const { broadcaster, membership } = owner
    const { peerId } = membership.self
    const event = (told: PeerEvent): void => owner.event(told)
    this.topics = new Topics({ peerId, broadcaster, event, broadcast: (message) => owner.broadcast(message) })
    this.presence = new Presence({
      peerId,
      event,
      get incarnation() {
        return membership.self.incarnation
      },
      get heartbeatMs() {
        return heartbeatMs(membership.size)
      },
    })
  }

  get wakeAtMs(): number {
    const { presence, topics } = this
    const dueAtMs = this.#owner.broadcaster.spare ? presence.dueAtMs : Infinity
    return Math.min(topics.wakeAtMs, presence.expiresAtMs, dueAtMs)
  }

  /** What goes with every hello and heartbeat of this peer. */
  told(): { presence?: PresenceRecord } {
    const { own } = this.presence
    return own === undefined ? {} : { presence: own }
  }

  /** Takes what came with the hello or a heartbeat of another peer, about itself. */
  heard(from: PeerId, { presence }: { readonly presence?: PresenceRecord }, now: Instant): void {
    if (presence !== undefined) this.presence.heard(from, presence, now)
  }

  /** Takes a broadcast of another peer. */
  receive(from: PeerId, message: Extract<Message, { type: 'publish' | 'presence' }>, now: Instant): void {
    if (message.type === 'publish') this.topics.receive(from, message.messages, now)
    else this.presence.changed(from, message.presence, now)
  }

  /** This peer is about to close: what waits leaves with the next tick. */
  farewell(): void {
    this.presence.farewell()
    this.topics.hurry()
  }

  tick(now: Instant): void {
    const { broadcaster, neighbours } = this.#owner
    this.presence.expire(now)
    const connected = neighbours.size > 0
    const presence = !connected || broadcaster.spare ? this.presence.due(now.monotonicMs) : undefined
    if (connected && presence !== undefined) {
      broadcaster.passed()
      this.#owner.broadcast({ type: 'presence', presence })
    }
    this.topics.pump(connected, now.monotonicMs)
  }
}
