import type { Announcements } from '../replication/announcements.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Confirmations } from '../replication/confirmations.ts'
import type { Dials } from '../members/dials.ts'
import { GridError } from '../errors.ts'
import type { Inbound } from '../replication/inbound.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../replication/lag.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Membership, RecordSource } from '../members/membership.ts'
import type { Message } from '../wire/messages.ts'
import type { Neighbours } from '../members/neighbours.ts'
import type { PeerId } from '../ports.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from './timekeeping.ts'

export interface ReceptionOwner {
  readonly announcements: Announcements
  readonly antiEntropy: AntiEntropy
  readonly confirmations: Confirmations
  readonly dials: Dials
  readonly inbound: Inbound
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: Neighbours
  readonly signals: Signals
  readonly time: Timekeeping
}

/** Hands what other peers say to those it concerns. Throws `MESSAGE_MALFORMED` for what came a way it never comes. */
export class Reception {
  readonly #owner: ReceptionOwner

  constructor(owner: ReceptionOwner) {
    this.#owner = owner
  }

  broadcast(from: PeerId, message: Message, now: Instant): void {
    const { announcements, antiEntropy, inbound, membership, neighbours, signals, time } = this.#owner
    switch (message.type) {
      case 'frame': {
        const { gaps } = inbound.apply(from, 'broadcast', message.block, { voids: false }, now)
        if (gaps) antiEntropy.wantFrom(from, now)
        break
      }
      case 'announce': {
        const parts = announcements.read(from, message)
        this.#learn(message.member, 'broadcast', now)
        time.gridClock.told(from, message.wallMs, now)
        announcements.compare(from, message, parts, now)
        signals.heard(from, message, now)
        break
      }
      case 'publish':
      case 'presence':
        signals.receive(from, message, now)
        break
      default:
        throw new GridError('MESSAGE_MALFORMED', `a broadcast ${message.type}`)
    }
    neighbours.heardBroadcast(from, now)
    membership.heard(from, now)
  }

  message(from: PeerId, message: Message, now: Instant): void {
    const { antiEntropy, confirmations, lag, membership, signals } = this.#owner
    membership.heard(from, now)
    switch (message.type) {
      case 'hello':
        for (const record of message.members) this.#learn(record, record.peerId === from ? 'stream' : 'hearsay', now)
        signals.heard(from, message, now)
        confirmations.neighboursChanged()
        break
      case 'goodbye':
        membership.departed(from, message.left)
        signals.presence.departed(from)
        lag.forget(from)
        break
      case 'confirm':
        confirmations.asked(from, message, now)
        break
      case 'confirmed':
        confirmations.confirmed(from, message.request)
        break
      case 'frame':
      case 'announce':
      case 'publish':
      case 'presence':
        throw new GridError('MESSAGE_MALFORMED', `a ${message.type} on a stream`)
      default:
        antiEntropy.receive(from, message, now)
    }
  }

  #learn(record: MemberRecord, source: RecordSource, now: Instant): void {
    const news = this.#owner.membership.learn(record, source, now)
    if (news && !record.left) this.#owner.dials.learned(record, now)
  }
}
