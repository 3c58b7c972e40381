import type { Announce, Announcements } from '../replication/announcements.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Broadcaster } from '../replication/broadcaster.ts'
import type { Confirmations } from '../replication/confirmations.ts'
import type { Dials } from '../members/dials.ts'
import type { DirectRoute } from '../replication/direct-route.ts'
import type { Ownership } from '../ownership/ownership.ts'
import { GridError } from '../errors.ts'
import type { Input } from '../outbox/effects.ts'
import type { Inbound, Way } from '../replication/inbound.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../digests/lag.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Membership, RecordSource } from '../members/membership.ts'
import { decodeMessage } from '../wire/messages.ts'
import type { Message } from '../wire/messages.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { PeerId } from '../ports.ts'
import type { Signals } from '../signals/signals.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { TrustBoundary } from '../members/trust-boundary.ts'

/** What the network has to say. */
export type NetworkInput = Extract<
  Input,
  {
    readonly type:
      | 'broadcast'
      | 'broadcasted'
      | 'connected'
      | 'direct'
      | 'directed'
      | 'disconnected'
      | 'hostile'
      | 'message'
  }
>

export interface ReceptionDeps {
  readonly announcements: Announcements
  readonly antiEntropy: AntiEntropy
  readonly boundary: TrustBoundary
  readonly broadcaster: Broadcaster
  readonly confirmations: Confirmations
  readonly dials: Dials
  /** Undefined where no collection may be partitioned. */
  ownership(): Ownership | undefined
  readonly inbound: Inbound
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly route: DirectRoute
  readonly signals: Signals
  readonly time: Timekeeping
}

/** Hands each message of another peer to the class it concerns, and says who has come and gone. */
export class Reception {
  readonly #deps: ReceptionDeps

  constructor(deps: ReceptionDeps) {
    this.#deps = deps
  }

  take(input: NetworkInput, now: Instant): void {
    const { boundary, broadcaster } = this.#deps
    switch (input.type) {
      case 'connected':
        this.#connected(input.neighbour, now)
        break
      case 'disconnected':
        this.#disconnected(input.neighbour, now)
        break
      case 'message':
        boundary.guarded(input.from, now, () => this.#message(input.from, decodeMessage(input.bytes), now))
        break
      case 'broadcast':
        boundary.guarded(input.from, now, () => this.#broadcast(input.from, decodeMessage(input.bytes), now))
        break
      case 'direct':
        boundary.guarded(input.from, now, () => this.#direct(input.from, decodeMessage(input.bytes), now))
        break
      case 'hostile':
        boundary.offended(input.neighbour, new GridError('NETWORK_HOSTILE', input.reason), now, true)
        break
      case 'broadcasted':
        broadcaster.broadcasted()
        break
      case 'directed':
        broadcaster.directed(input.missed, now)
    }
  }

  #connected(neighbour: PeerId, now: Instant): void {
    const { antiEntropy, confirmations, membership, neighbours, outbox, route, signals } = this.#deps
    neighbours.connected(neighbour, now)
    const direct = route.enabled ? ({ direct: true } as const) : {}
    outbox.send(neighbour, { type: 'hello', members: membership.records(), ...signals.ownPresence(), ...direct })
    antiEntropy.connected(neighbour, now)
    confirmations.neighboursChanged()
    this.#deps.ownership()?.reads.neighboursChanged()
  }

  #disconnected(neighbour: PeerId, now: Instant): void {
    const { antiEntropy, broadcaster, confirmations, neighbours } = this.#deps
    neighbours.disconnected(neighbour)
    antiEntropy.disconnected(neighbour, now)
    confirmations.disconnected(neighbour)
    this.#deps.ownership()?.disconnected(neighbour)
    if (neighbours.size === 0) broadcaster.clear()
  }

  /** Throws `MESSAGE_MALFORMED` for what never comes by broadcast. */
  #broadcast(from: PeerId, message: Message, now: Instant): void {
    const { membership, neighbours, signals } = this.#deps
    switch (message.type) {
      case 'frame':
        this.#frame(from, 'broadcast', message.block, false, now)
        break
      case 'announce':
        this.#announce(from, message, 'broadcast', now)
        break
      case 'publish':
      case 'presence':
        signals.receive(from, message, now)
        break
      default:
        throw new GridError('MESSAGE_MALFORMED', `a broadcast ${message.type}`)
    }
    neighbours.heardBroadcast(from, now)
    membership.renewLease(from, now)
  }

  /** Throws `MESSAGE_MALFORMED` for what never comes straight from a neighbour. */
  #direct(from: PeerId, message: Message, now: Instant): void {
    const { membership, signals } = this.#deps
    switch (message.type) {
      case 'frame':
        this.#frame(from, 'direct', message.block, false, now)
        break
      case 'publish':
      case 'presence':
        signals.receive(from, message, now)
        break
      default:
        throw new GridError('MESSAGE_MALFORMED', `a ${message.type} on a stream of frames`)
    }
    membership.renewLease(from, now)
    this.#deps.neighbours.heard(from, now)
  }

  /** Throws `MESSAGE_MALFORMED` for what never comes on a stream. */
  #message(from: PeerId, message: Message, now: Instant): void {
    const { antiEntropy, confirmations, lag, membership, neighbours, signals } = this.#deps
    membership.renewLease(from, now)
    neighbours.heard(from, now)
    switch (message.type) {
      case 'hello':
        for (const record of message.members) this.#learn(record, record.peerId === from ? 'stream' : 'hearsay', now)
        if (message.direct) neighbours.saidDirect(from)
        signals.recordPresence(from, message, now)
        confirmations.neighboursChanged()
        break
      case 'goodbye':
        membership.departed(from, message.left)
        this.#deps.ownership()?.departed(from)
        signals.presence.departed(from)
        lag.forget(from)
        break
      case 'confirm':
        confirmations.asked(from, message, now)
        break
      case 'confirmed':
        confirmations.confirmed(from, message.request)
        break
      case 'covers':
      case 'covered':
      case 'write':
      case 'written':
      case 'read':
      case 'found':
      case 'scan':
      case 'page':
      case 'count':
      case 'counted':
      case 'query':
      case 'result':
      case 'follow':
      case 'followed':
        this.#deps.ownership()?.receive(from, message, now)
        break
      case 'frame':
        this.#frame(from, 'broadcast', message.block, true, now)
        break
      case 'announce':
        this.#announce(from, message, 'stream', now)
        neighbours.heardOnStream(from, now)
        break
      case 'still':
        lag.renewRoot(from, now.monotonicMs)
        signals.presence.renew(from, now)
        neighbours.heardOnStream(from, now)
        break
      case 'publish':
      case 'presence':
        throw new GridError('MESSAGE_MALFORMED', `a ${message.type} on a stream`)
      default:
        antiEntropy.receive(from, message, now)
    }
  }

  /** Throws `MESSAGE_MALFORMED` with nothing of the message recorded. */
  #announce(from: PeerId, message: Announce, source: RecordSource, now: Instant): void {
    const { announcements, neighbours, signals, time } = this.#deps
    const parts = announcements.read(from, message)
    this.#learn(message.member, source, now)
    time.gridClock.record(from, message.wallMs, now)
    neighbours.saidTime(from, message.wallMs !== undefined)
    announcements.compare(from, message, parts, now)
    signals.recordPresence(from, message, now)
  }

  #frame(from: PeerId, way: Way, block: Uint8Array, addressed: boolean, now: Instant): void {
    const { antiEntropy, inbound } = this.#deps
    if (addressed && block.length === 0) throw new GridError('MESSAGE_MALFORMED', 'an empty frame')
    const { gaps } = inbound.apply(from, way, block, { superseded: false, addressed }, now)
    if (gaps) antiEntropy.wantFrom(from, now)
  }

  #learn(record: MemberRecord, source: RecordSource, now: Instant): void {
    const news = this.#deps.membership.learn(record, source, now)
    if (news && !record.left) this.#deps.dials.learned(record, now)
  }
}
