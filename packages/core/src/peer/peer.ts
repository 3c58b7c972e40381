import { Announcements } from '../replication/announcements.ts'
import { AntiEntropy } from '../replication/anti-entropy.ts'
import { Broadcaster } from '../replication/broadcaster.ts'
import { Checkpoint } from '../storage/checkpoint.ts'
import type { Collection, Collections, Partition } from '../replica/collections.ts'
import { Confirmations } from '../replication/confirmations.ts'
import { Dials } from '../members/dials.ts'
import { DirectRoute } from '../replication/direct-route.ts'
import type { Effect, Input } from '../outbox/effects.ts'
import { GridError } from '../errors.ts'
import { GroupCommit } from '../storage/group-commit.ts'
import { Heartbeats } from './heartbeats.ts'
import { Housekeeping } from '../purging/housekeeping.ts'
import type { HybridClock } from '../clock/hlc.ts'
import { Inbound } from '../replication/inbound.ts'
import type { Instant, RandomSource } from '../instant.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'
import { LagTable } from '../digests/lag.ts'
import type { LatePlacement } from '../placement/late-placement.ts'
import { LocalWrites } from '../writes/local-writes.ts'
import type { Written } from '../writes/local-writes.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { Membership } from '../members/membership.ts'
import { NeighbourTable } from '../members/neighbour-table.ts'
import type { Offences } from '../members/offences.ts'
import type { Opened } from '../storage/opening.ts'
import type { Ownership } from '../ownership/ownership.ts'
import { PartitionAccess } from './partition-access.ts'
import type { Partitioning } from '../ownership/partitioning.ts'
import type { Rendezvous } from '../placement/rendezvous.ts'
import { Outbox } from '../outbox/outbox.ts'
import { RequestNumbers } from '../outbox/request-numbers.ts'
import type { PeerId } from '../ports.ts'
import { PeerReport } from './report.ts'
import { Reception } from './reception.ts'
import { ReplicaIdentity } from '../writes/replica-identity.ts'
import type { ReplicaId, ReplicaIds } from '../versions/replica-ids.ts'
import { Restamping } from './restamping.ts'
import { Sessions } from '../replication/sessions.ts'
import type { SessionWatcher } from '../replication/sessions.ts'
import { SeenVectors } from '../digests/seen-vectors.ts'
import { Signals } from '../signals/signals.ts'
import { Timekeeping } from '../clock/timekeeping.ts'
import { Turns } from './turns.ts'
import { TrustBoundary } from '../members/trust-boundary.ts'

/** What `openPeer` puts together for a peer. */
export interface PeerDeps {
  readonly clock: HybridClock
  readonly collections: Collections
  readonly direct: boolean
  readonly ids: ReplicaIds
  /** The placement of a peer that is to load the code for partitioned collections later. */
  readonly late: LatePlacement | undefined
  readonly opened: Opened
  readonly persistent: boolean
  readonly random: RandomSource
  readonly self: Omit<MemberRecord, 'replicaId' | 'revision' | 'left'>
}

/**
 * One peer of a grid, as a state machine without I/O, timers or chance of its own: `step` takes what happened and returns
 * what is to be done. The same code runs against real ports and in the simulator. Made by `openPeer`.
 */
export class Peer {
  readonly antiEntropy: AntiEntropy
  readonly broadcaster: Broadcaster
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly confirmations: Confirmations
  readonly housekeeping: Housekeeping
  readonly inbound: Inbound
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  /** Writes to partitions and reads of them, wherever they are. */
  readonly partitions: PartitionAccess
  readonly restamping: Restamping
  readonly signals: Signals
  readonly time: Timekeeping
  readonly #boundary: TrustBoundary
  readonly #outbox = new Outbox()
  /** Undefined where no collection may be partitioned. */
  #ownership: Ownership | undefined
  readonly #owning: (partitioning: Partitioning, placement: Rendezvous, now: Instant) => Ownership
  readonly #late: LatePlacement | undefined
  readonly #turns: Turns
  readonly #writes: LocalWrites

  constructor(deps: PeerDeps, now: Instant) {
    const { clock, collections, direct, ids, opened, persistent, random, self } = deps
    const { peerId } = self
    const outbox = this.#outbox
    const identity = new ReplicaIdentity(ids, collections, random, opened.replicaId)
    const selfRecord = { ...self, replicaId: identity.id, revision: 0, left: false }
    const membership = new Membership(selfRecord, { outbox, gone: (member) => this.#forgetClaims(member) })
    const neighbours = new NeighbourTable()
    const time = new Timekeeping(clock, now)
    const lag = new LagTable(collections)
    const sessions = new Sessions()
    const route = new DirectRoute({ enabled: direct, membership, neighbours, sessions })
    const broadcaster = new Broadcaster({ neighbours, outbox, route })
    const signals = new Signals({ broadcaster, membership, neighbours, outbox })
    const commit = new GroupCommit({ frames: broadcaster, ids, outbox, persistent, placement: collections.placement })
    const checkpoint = new Checkpoint({ collections, commit, identity, ids, outbox, peerId })
    const writes = new LocalWrites({ checkpoint, commit, identity, membership, outbox, time })
    const inbound = new Inbound({ collections, commit, ids, membership, outbox, time, writes })
    const seenVectors = new SeenVectors({ collections, lag, writes })
    const stored = { checkpoint, collections, commit, ids, outbox }
    const watcher: SessionWatcher = {
      met: (neighbour, startedAtMs) => this.#ownership?.met(neighbour, startedAtMs),
      completed: (session) => this.#ownership?.completed(session),
    }
    const antiEntropy = new AntiEntropy({ ...stored, inbound, peerId, random, seenVectors, sessions, watcher })
    const announcements = new Announcements({ antiEntropy, collections, lag, membership, seenVectors })
    const requests = new RequestNumbers(identity.slotId)
    const confirmations = new Confirmations({ ...stored, antiEntropy, lag, membership, neighbours, requests })
    const durable = persistent && self.role === 'storage'
    const housekeeping = new Housekeeping({ collections, commit, durable, membership, outbox, time, writes }, now)
    const restamping = new Restamping({ collections, lag, time, writes })
    const ownership = (): Ownership | undefined => this.#ownership
    this.antiEntropy = antiEntropy
    this.broadcaster = broadcaster
    this.collections = collections
    this.commit = commit
    this.confirmations = confirmations
    this.housekeeping = housekeeping
    this.inbound = inbound
    this.lag = lag
    this.membership = membership
    this.neighbours = neighbours
    this.partitions = new PartitionAccess({ confirmations, ownership, requests })
    this.restamping = restamping
    this.signals = signals
    this.time = time
    this.#boundary = new TrustBoundary(outbox)
    this.#writes = writes
    const dials = new Dials({ membership, neighbours, offences: this.offences, outbox })
    const shared = { announcements, broadcaster, membership, neighbours, outbox, signals, time }
    const heartbeats = new Heartbeats({ ...shared, collections, lag, random, route })
    const received = { route, antiEntropy, boundary: this.#boundary, confirmations, dials, inbound, lag, ownership }
    const reception = new Reception({ ...shared, ...received })
    const turning = { checkpoint, dials, heartbeats, housekeeping, ownership, reception, restamping, writes }
    this.#turns = new Turns({ ...shared, ...turning, antiEntropy, collections, commit, confirmations, inbound })
    const owning = { ...stored, antiEntropy, durable, housekeeping, identity, inbound, membership, neighbours }
    const writing = { ...owning, hinted: opened.hints, marked: opened.marks, random, requests, time, writes }
    this.#late = deps.late
    this.#owning = (partitioning, placement, at) => partitioning.ownership({ ...writing, placement }, at)
    if (persistent) checkpoint.takeUp(opened)
    housekeeping.letGo()
    if (opened.reason !== '') outbox.event({ type: 'replica-id', replicaId: identity.id, reason: opened.reason })
  }

  get peerId(): PeerId {
    return this.membership.self.peerId
  }

  get replicaId(): ReplicaId {
    return this.#writes.identity.id
  }

  /** Names this peer's own rows in counters and sets. Drawn at every opening, so that no copy of its state shares it. */
  get slotId(): string {
    return this.#writes.identity.slotId
  }

  /** From here on own rows are in another slot, which no other peer has. */
  set slotId(slotId: string) {
    this.#writes.identity.slotId = slotId
  }

  /** Malformed and hostile input of other peers. */
  get offences(): Offences {
    return this.#boundary.offences
  }

  get persistent(): boolean {
    return this.commit.persistent
  }

  /** The grid's wall milliseconds, as far as this peer can tell: they decide what has expired. */
  wallMs(now: Instant): number {
    return this.time.wallMs(now)
  }

  /** The HLC's last reading. */
  get hlc(): number {
    return this.time.hybridClock.last
  }

  /** What status and metrics say of this peer. */
  report(now: Instant): PeerReport {
    return new PeerReport(this, now)
  }

  /** Monotonic milliseconds at which `step` is next to be called with a tick, if nothing happens before. */
  get wakeAtMs(): number {
    return this.#turns.wakeAtMs
  }

  /** From here on this peer takes part in partitioned collections. Not more than once. */
  takePart(
    partitioning: Partitioning,
    now: Instant,
    placement: Rendezvous = partitioning.placement(this.peerId),
  ): void {
    this.#late?.adopt(placement)
    this.#ownership = this.#owning(partitioning, placement, now)
  }

  /** Whether it takes part in partitioned collections. */
  get takesPart(): boolean {
    return this.#ownership !== undefined
  }

  /** Opens a collection. Throws `INVALID_NAME`, `COLLECTION_MISMATCH` or `COLLECTION_LIMIT`. */
  open(descriptor: CollectionDescriptor): Collection {
    return this.collections.open(descriptor)
  }

  /**
   * Applies a write of this peer; `value` undefined deletes. It is visible at once, and durable when a `durable` event
   * names its `writeId`. The next `step` sets it on its way. Throws `BACKLOG_FULL`, with nothing applied, when 64 MiB wait
   * for the store. `dateHlc`: the date of a row that is copied, where it is not now; a later one that is there stays.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, now: Instant, dateHlc?: number): Written {
    if (!this.collections.placement.hasAllOwn(partition.name))
      throw new GridError('NOT_HELD', 'this peer has no whole copy of the partition')
    return this.#writes.write(partition, key, value, now, dateHlc)
  }

  /** See `LocalWrites.adopt`. */
  adopt(...entry: Parameters<LocalWrites['adopt']>): Written {
    return this.#writes.adopt(...entry)
  }

  /** What `run` writes is logged and sent in one piece. */
  atomically(run: () => void): void {
    this.commit.atomically(run)
  }

  /** Takes one input and returns everything there is to do since the last call. */
  step(input: Input, now: Instant): Effect[] {
    this.#turns.take(input, now)
    this.#turns.tick(now)
    return this.#outbox.take()
  }

  /**
   * A durable peer will never come back: purging no longer waits for it. Undefined when it was not registered. If it does
   * come back, it registers again, and does a full resync. Throws `BACKLOG_FULL`.
   */
  forget(peerId: PeerId, now: Instant): Written | undefined {
    const struck = this.housekeeping.forget(peerId, now)
    if (peerId !== this.peerId) return this.#ownership?.forget(peerId) ?? struck
    // It has left by itself, and its next life is to own again.
    if (this.partitions.remaining.length === 0) this.#ownership?.left()
    return struck
  }

  /** Says goodbye to the neighbours; `left` when this peer leaves the grid for good. */
  goodbye(left: boolean, now: Instant): Effect[] {
    if (left) {
      this.membership.update({ left: true })
      // With a full backlog this cannot be written; the goodbye itself says the same to the neighbours.
      if (!this.commit.full) {
        this.forget(this.peerId, now)
      }
    }
    this.signals.farewell()
    this.commit.hurry()
    for (const neighbour of this.neighbours.ids()) this.#outbox.send(neighbour, { type: 'goodbye', left })
    return this.step({ type: 'tick' }, now)
  }

  /** What a member said it has seen, and what time it said it is, count no longer once it is gone. */
  #forgetClaims(member: PeerId): void {
    this.lag.forget(member)
    this.time.gridClock.forget(member)
  }
}
