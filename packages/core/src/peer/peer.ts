import { Announcements } from '../replication/announcements.ts'
import { AntiEntropy } from '../replication/anti-entropy.ts'
import { Broadcaster } from '../replication/broadcaster.ts'
import { Checkpoint } from '../storage/checkpoint.ts'
import type { Collection, Collections, Partition } from '../replica/collections.ts'
import { Confirmations } from '../replication/confirmations.ts'
import { Dials } from '../members/dials.ts'
import type { Effect, Input, PeerEvent } from '../effects.ts'
import { GridError } from '../errors.ts'
import { GroupCommit } from '../storage/group-commit.ts'
import { Housekeeping } from '../purging/housekeeping.ts'
import type { HybridClock } from '../clock/hlc.ts'
import { Inbound } from '../replication/inbound.ts'
import type { Instant, RandomSource } from '../instant.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { LagTable } from '../replication/lag.ts'
import { HEARTBEAT_MS } from '../limits.ts'
import { LocalWrites } from '../writes/local-writes.ts'
import type { Written } from '../writes/local-writes.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { Membership, heartbeatMs } from '../members/membership.ts'
import { decodeMessage, encodeMessage } from '../wire/messages.ts'
import type { Message } from '../wire/messages.ts'
import { Neighbours } from '../members/neighbours.ts'
import type { Offences } from '../members/offences.ts'
import type { Opened } from '../storage/opening.ts'
import type { PeerId } from '../ports.ts'
import { Reception } from './reception.ts'
import { PeerReport } from './report.ts'
import { ReplicaIdentity } from '../writes/replica-identity.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import { Signals } from '../signals/signals.ts'
import { ASIDE_PREFIX } from '../storage/stored-state.ts'
import { Timekeeping } from './timekeeping.ts'
import { TrustBoundary } from '../members/trust-boundary.ts'

/** What `openPeer` puts together for a peer. */
export interface PeerParts {
  readonly collections: Collections
  readonly ids: ReplicaIds
  readonly clock: HybridClock
  readonly random: RandomSource
  readonly opened: Opened
  readonly self: Omit<MemberRecord, 'replicaId' | 'revision' | 'left'>
  readonly persistent: boolean
}

/**
 * One peer of a grid, as a state machine without I/O, timers or chance of its own: `step` takes what happened and gives
 * back what is to be done. The same code runs against real ports and in the simulator. Made by `openPeer`.
 */
export class Peer {
  readonly collections: Collections
  readonly membership: Membership
  readonly lag: LagTable
  readonly commit: GroupCommit
  readonly broadcaster: Broadcaster
  readonly antiEntropy: AntiEntropy
  readonly confirmations: Confirmations
  readonly inbound: Inbound
  readonly neighbours: Neighbours = new Neighbours()
  readonly signals: Signals
  readonly housekeeping: Housekeeping
  readonly time: Timekeeping
  readonly #clock: HybridClock
  readonly #random: RandomSource
  readonly #writes: LocalWrites
  readonly #boundary: TrustBoundary
  readonly #checkpoint: Checkpoint
  readonly #announcements: Announcements
  readonly #reception: Reception
  readonly #dials: Dials
  readonly #persistent: boolean
  #effects: Effect[] = []
  #now: Instant
  #bulkAnnounce = false

  constructor(parts: PeerParts, now: Instant) {
    const { collections, ids, clock, random, opened, self, persistent } = parts
    this.collections = collections
    this.#clock = clock
    this.#random = random
    this.#persistent = persistent
    this.#now = now
    const identity = new ReplicaIdentity(ids, collections, random, opened.replicaId)
    this.#boundary = new TrustBoundary({
      refused: (from, error) => this.#event({ type: 'refused', from, error }),
      refuse: (neighbour, refusedMs, reason) => this.#effects.push({ type: 'refuse', neighbour, refusedMs, reason }),
    })
    const selfRecord = { ...self, replicaId: identity.id, revision: 0, left: false }
    this.membership = new Membership(selfRecord, {
      changed: (record, state) => {
        if (state === 'gone') {
          this.lag.forget(record.peerId)
          this.time.gridClock.forget(record.peerId)
        }
        this.#event({ type: 'member', record, state })
      },
      twin: (reason) => this.#event({ type: 'identity-in-use', reason }),
    })
    this.lag = new LagTable(collections)
    this.time = new Timekeeping({ collections, clock, lag: this.lag, writes: () => this.#writes }, now)
    this.broadcaster = new Broadcaster(
      (block) => this.#broadcast({ type: 'frame', block }),
      () => (this.#bulkAnnounce = true),
    )
    this.signals = new Signals({
      membership: this.membership,
      neighbours: this.neighbours,
      broadcaster: this.broadcaster,
      broadcast: (message) => this.#broadcast(message),
      event: (event) => this.#event(event),
    })
    this.commit = this.#makeCommit(parts)
    this.#writes = new LocalWrites(identity, clock, this.commit, {
      wallMs: (instant) => this.wallMs(instant),
      renewed: (reason) => this.#renewed(reason),
    })
    this.antiEntropy = this.#makeAntiEntropy(parts)
    this.#announcements = new Announcements({
      collections,
      membership: this.membership,
      antiEntropy: this.antiEntropy,
      lag: this.lag,
      cloned: (reason) => this.#writes.cloned(reason, this.#now),
      ownReplica: () => identity.index,
    })
    this.confirmations = this.#makeConfirmations(parts)
    this.inbound = new Inbound(collections, ids, clock, {
      wallMs: (instant) => this.wallMs(instant),
      log: (block) => this.commit.remote(block),
      cloned: (reason) => this.#writes.cloned(reason, this.#now),
      refused: (from, error) => this.#event({ type: 'refused', from, error }),
      isOwn: (replica) => replica === identity.index,
      full: () => this.commit.full,
    })
    this.housekeeping = this.#makeHousekeeping(parts, now)
    this.#dials = new Dials(this.neighbours, this.offences, (dial) => this.#effects.push({ type: 'dial', ...dial }))
    const { antiEntropy, confirmations, inbound, lag, membership, neighbours, signals, time } = this
    const known = { antiEntropy, confirmations, inbound, lag, membership, neighbours, signals, time }
    this.#reception = new Reception({ announcements: this.#announcements, dials: this.#dials, ...known })
    const ownIds = (): { replicaId: ReplicaId; peerId: PeerId } => ({ replicaId: this.replicaId, peerId: self.peerId })
    this.#checkpoint = new Checkpoint(collections, ids, this.commit, ownIds)
    if (persistent) this.#follow(opened)
    if (opened.reason !== '') this.#event({ type: 'replica-id', replicaId: identity.id, reason: opened.reason })
  }

  #makeAntiEntropy({ collections, ids, random, self }: PeerParts): AntiEntropy {
    return new AntiEntropy(collections, ids, random, {
      peerId: self.peerId,
      send: (to, message) => this.#send(to, message),
      whenDurable: (callback) => this.commit.whenDurable(callback),
      apply: (from, block, options) => this.inbound.apply(from, 'session', block, options, this.#now),
      log: (block) => this.commit.remote(block),
      vectorsSeen: (neighbour, seen) => this.#announcements.vectorsSeen(neighbour, seen, this.#now),
      sessionEnded: (neighbour, complete, rowsSent, rowsReceived) =>
        this.#event({ type: 'session', neighbour, complete, rowsSent, rowsReceived }),
    })
  }

  #makeConfirmations({ collections, ids }: PeerParts): Confirmations {
    return new Confirmations(collections, ids, {
      send: (to, message) => this.#send(to, message),
      whenDurable: (callback) => this.commit.whenDurable(callback),
      missing: (from) => this.antiEntropy.wantFrom(from, this.#now),
      durableNeighbours: () => this.neighbours.ids().filter((id) => this.membership.get(id)?.record.role === 'storage'),
      copies: (request, copies) => this.#event({ type: 'copies', request, copies }),
    })
  }

  #makeCommit({ ids, persistent }: PeerParts): GroupCommit {
    return new GroupCommit(ids, persistent, {
      store: (ticket, batch) => this.#effects.push({ type: 'store', ticket, batch }),
      durable: (writeId, frames) => {
        this.#event({ type: 'durable', writeId })
        if (this.neighbours.size > 0) this.broadcaster.offer(frames)
      },
      notDurable: (writeId, error) => this.#event({ type: 'not-durable', writeId, error }),
    })
  }

  #makeHousekeeping(parts: PeerParts, now: Instant): Housekeeping {
    const { collections, persistent, self } = parts
    return new Housekeeping(
      {
        collections,
        membership: this.membership,
        durable: persistent && self.role === 'storage',
        wallMs: (instant) => this.wallMs(instant),
        write: (partition, key, value) => this.#writes.write(partition, key, value, this.#now),
        log: (block) => this.commit.remote(block),
        mismatched: (name, reason) => this.#event({ type: 'mismatch', name, reason }),
      },
      now,
    )
  }

  get peerId(): PeerId {
    return this.membership.self.peerId
  }

  get replicaId(): ReplicaId {
    return this.#writes.identity.id
  }

  /** Drawn anew at every opening, so that no copy of this peer's state shares it: the name of its own rows in counters and sets. */
  get slotId(): string {
    return this.#writes.identity.slotId
  }

  /** What other peers did that no honest peer does. */
  get offences(): Offences {
    return this.#boundary.offences
  }

  get persistent(): boolean {
    return this.#persistent
  }

  /** The grid's wall milliseconds, as far as this peer can tell: what expires is judged by them. */
  wallMs(now: Instant): number {
    return this.time.wallMs(now)
  }

  /** The HLC's last reading. */
  get hlc(): number {
    return this.#clock.last
  }

  /** What status and metrics say of this peer. */
  report(now: Instant): PeerReport {
    return new PeerReport(this, now)
  }

  /** Monotonic milliseconds at which `step` is next to be called with a tick, if nothing happens before. */
  get wakeAtMs(): number {
    if ((this.#persistent && this.#checkpoint.busy) || this.#bulkAnnounce) return 0
    const { antiEntropy, broadcaster, commit, confirmations, housekeeping, membership, signals } = this
    const { identity } = this.#writes
    const travelMs = Math.min(broadcaster.wakeAtMs, antiEntropy.wakeAtMs, confirmations.wakeAtMs, signals.wakeAtMs)
    return Math.min(travelMs, membership.wakeAtMs, commit.wakeAtMs, identity.wakeAtMs, housekeeping.wakeAtMs)
  }

  /** Opens a collection. Throws `INVALID_NAME`, `COLLECTION_MISMATCH` or `COLLECTION_LIMIT`. */
  open(descriptor: CollectionDescriptor): Collection {
    return this.collections.open(descriptor)
  }

  /**
   * Applies a write of this peer; `value` undefined deletes. It is visible at once, and durable when a `durable` event
   * names its `writeId`. The next `step` sets it on its way. Throws `BACKLOG_FULL`, with nothing applied, when 64 MiB wait
   * for the store.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, now: Instant): Written {
    return this.#writes.write(partition, key, value, now)
  }

  /** What `run` writes is logged and sent in one piece. */
  atomically(run: () => void): void {
    this.commit.atomically(run)
  }

  /** Takes one input and returns everything there is to do since the last call. */
  step(input: Input, now: Instant): Effect[] {
    this.#now = now
    this.#take(input)
    this.#tick()
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /**
   * A durable peer will never come back: purging waits for it no longer. Undefined when it was not registered. Should it
   * come back all the same, it registers again, and is fenced. Throws `BACKLOG_FULL`.
   */
  forget(peerId: PeerId, now: Instant): Written | undefined {
    this.#now = now
    return this.housekeeping.forget(peerId)
  }

  /** Says goodbye to the neighbours; `left` when this peer leaves the grid for good. */
  goodbye(left: boolean, now: Instant): Effect[] {
    if (left) {
      this.membership.update({ left: true })
      // With a full backlog this cannot be written; the goodbye itself says the same to the neighbours.
      if (!this.commit.full) this.housekeeping.forget(this.peerId)
    }
    this.signals.farewell()
    for (const neighbour of this.neighbours.ids()) this.#send(neighbour, { type: 'goodbye', left })
    return this.step({ type: 'tick' }, now)
  }

  #take(input: Input): void {
    switch (input.type) {
      case 'tick':
        break
      case 'connected':
        this.#connected(input.neighbour)
        break
      case 'disconnected':
        this.neighbours.disconnected(input.neighbour)
        this.antiEntropy.disconnected(input.neighbour, this.#now)
        this.confirmations.disconnected(input.neighbour)
        if (this.neighbours.size === 0) this.broadcaster.clear()
        break
      case 'message':
        this.#boundary.guarded(input.from, this.#now, () =>
          this.#reception.message(input.from, decodeMessage(input.bytes), this.#now),
        )
        break
      case 'broadcast':
        this.#boundary.guarded(input.from, this.#now, () =>
          this.#reception.broadcast(input.from, decodeMessage(input.bytes), this.#now),
        )
        break
      case 'hostile':
        this.#boundary.offended(input.neighbour, new GridError('NETWORK_HOSTILE', input.reason), this.#now, true)
        break
      case 'broadcasted':
        this.broadcaster.broadcasted()
        break
      case 'stored':
        this.commit.stored(input.ticket)
        break
      case 'store-failed':
        this.commit.failed(input.ticket, input.error, this.#now)
        break
      case 'addresses':
        this.membership.update({ addresses: input.addresses })
        break
      case 'asleep':
        this.membership.sleep(input.asleep)
    }
  }

  #connected(neighbour: PeerId): void {
    this.neighbours.connected(neighbour, this.#now)
    this.#send(neighbour, { type: 'hello', members: this.membership.records(), ...this.signals.told() })
    this.antiEntropy.connected(neighbour, this.#now)
    this.confirmations.neighboursChanged()
  }

  #tick(): void {
    const now = this.#now
    this.time.tick(now)
    this.inbound.release(now)
    this.membership.expire(now)
    this.antiEntropy.tick(now)
    this.housekeeping.tick(now)
    this.confirmations.tick(now)
    if (this.#persistent) this.#checkpoint.tick()
    this.commit.flush(now)
    this.broadcaster.pump(now.monotonicMs)
    this.signals.tick(now)
    if (this.#bulkAnnounce || this.membership.heartbeatDue(now, this.#random)) this.#announce()
    const stretch = heartbeatMs(this.membership.size) / HEARTBEAT_MS
    for (const neighbour of this.neighbours.deaf(stretch, now)) this.#effects.push({ type: 'redial', neighbour })
    this.#dials.tick(() => this.membership.others, now)
    this.#writes.tick(now)
  }

  #announce(): void {
    const bulk = this.#bulkAnnounce
    this.#bulkAnnounce = false
    if (this.neighbours.size === 0) return
    this.broadcaster.passed()
    const wallMs = this.time.gridClock.tells(this.#now)
    this.#broadcast({ ...this.#announcements.compose(bulk, wallMs), ...this.signals.told() })
  }

  #renewed(reason: string): void {
    if (this.#persistent) this.commit.operations([this.#checkpoint.meta()])
    this.membership.update({ replicaId: this.replicaId })
    this.#event({ type: 'replica-id', replicaId: this.replicaId, reason })
  }

  /** Takes up the store where opening left it; damage is set aside and the state written anew. */
  #follow(opened: Opened): void {
    this.#checkpoint.takeUp(opened)
    for (const { key, bytes, reason } of opened.damage) {
      if (bytes !== undefined) this.commit.operations([{ type: 'put', key: ASIDE_PREFIX + key, bytes }])
      this.#event({ type: 'damaged', key, reason })
    }
  }

  #send(to: PeerId, message: Message): void {
    this.#effects.push({ type: 'send', to, bytes: encodeMessage(message) })
  }

  #broadcast(message: Message): void {
    this.#effects.push({ type: 'broadcast', bytes: encodeMessage(message) })
  }

  #event(event: PeerEvent): void {
    this.#effects.push({ type: 'event', event })
  }
}
