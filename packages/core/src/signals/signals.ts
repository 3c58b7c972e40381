import type { Broadcaster } from '../replication/broadcaster.ts'
import type { Instant } from '../instant.ts'
import type { Membership } from '../members/membership.ts'
import type { Message } from '../wire/messages.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import { Presence } from './presence.ts'
import type { PresenceRecord } from '../wire/presence-record.ts'
import { Topics } from './topics.ts'

export interface SignalsDeps {
  readonly broadcaster: Broadcaster
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
}

/** What peers exchange and no peer stores: messages of topics, and presence. */
export class Signals {
  readonly topics: Topics
  readonly presence: Presence
  readonly #deps: SignalsDeps

  constructor(deps: SignalsDeps) {
    this.#deps = deps
    const { broadcaster, membership, outbox } = deps
    this.topics = new Topics({ broadcaster, outbox, peerId: membership.self.peerId })
    this.presence = new Presence({ membership, outbox })
  }

  get wakeAtMs(): number {
    const { presence, topics } = this
    const dueAtMs = this.#deps.broadcaster.spare ? presence.dueAtMs : Infinity
    return Math.min(topics.wakeAtMs, presence.expiresAtMs, dueAtMs)
  }

  /** The part of every hello and heartbeat that says what this peer's presence is. */
  ownPresence(): { presence?: PresenceRecord } {
    const { own } = this.presence
    return own === undefined ? {} : { presence: own }
  }

  /** Records what a hello or a heartbeat of another peer says of its presence. */
  recordPresence(from: PeerId, { presence }: { readonly presence?: PresenceRecord }, now: Instant): void {
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
    const { broadcaster, neighbours } = this.#deps
    this.presence.expire(now)
    const connected = neighbours.size > 0
    const presence = !connected || broadcaster.spare ? this.presence.due(now.monotonicMs) : undefined
    if (connected && presence !== undefined) {
      broadcaster.send({ type: 'presence', presence })
    }
    this.topics.pump(connected, now.monotonicMs)
  }
}
