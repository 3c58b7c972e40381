import { hashHex } from '../bytes/hash.ts'
import { GridError } from '../errors.ts'
import { plainName } from '../kinds/generations.ts'
import { isInternal } from '../kinds/kinds.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { MEMBER_SILENT_MAX_MS, MEMORY_OWNER_SILENT_MAX_MS, OWNERSHIP_GAP_MS } from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import { PartitionCopies } from '../placement/partition-copies.ts'
import type { PartitionedCollection, Rendezvous } from '../placement/rendezvous.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { BlockRecord, PartitionName } from '../wire/block.ts'
import type { RoutingMessage } from '../wire/read-messages.ts'
import type { FollowingMessage } from '../wire/follow-messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { Housekeeping } from '../purging/housekeeping.ts'
import type { Collection, Collections } from '../replica/collections.ts'
import type { AntiEntropy } from '../replication/anti-entropy.ts'
import type { Session } from '../replication/sessions.ts'
import type { Checkpoint } from '../storage/checkpoint.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import type { Inbound } from '../replication/inbound.ts'
import type { LocalWrites, Written } from '../writes/local-writes.ts'
import type { ReplicaIdentity } from '../writes/replica-identity.ts'
import { Attendance } from './attendance.ts'
import { CoHolders } from './co-holders.ts'
import { PartitionWrites } from '../hints/partition-writes.ts'
import type { WrittenMessage } from '../hints/hint-delivery.ts'
import type { WriteMessage } from '../hints/incoming-writes.ts'
import { PartitionReading } from '../reads/partition-reading.ts'
import { KnownVersions } from '../routing/known-versions.ts'
import { Handover } from './handover.ts'
import { LostPartitions } from './lost-partitions.ts'
import { NewCollections } from './new-collections.ts'
import type { CoveredMessage, CoversMessage } from './handover.ts'
import { OwnCopies } from './own-copies.ts'
import { OwnerRows, countedWeight, recordOf } from './owner-rows.ts'
import type { OwnerRow, OwningMember } from './owner-rows.ts'
import { PartitionFloors } from './partition-floors.ts'
import { reportPartitions } from './partition-report.ts'
import { remainingOf } from './remaining-copies.ts'
import type { RemainingCopy } from './remaining-copies.ts'
import type { ReportedPartitions } from './partition-report.ts'

export type PartitionMessage =
  | CoversMessage
  | CoveredMessage
  | WriteMessage
  | WrittenMessage
  | RoutingMessage
  | FollowingMessage

export interface OwnershipDeps {
  readonly antiEntropy: AntiEntropy
  readonly checkpoint: Checkpoint
  readonly collections: Collections
  readonly commit: GroupCommit
  /** Whether what this peer holds survives it. */
  readonly durable: boolean
  readonly housekeeping: Housekeeping
  /** Hints that the store has, by their key. */
  readonly hinted: ReadonlyMap<string, readonly BlockRecord[]>
  readonly identity: ReplicaIdentity
  /** Purge floors that the store has and that are not due yet, by their key. */
  readonly marked: ReadonlyMap<string, Uint8Array>
  /** It is to join a grid that exists: it registers no collection before it has met that grid. */
  readonly joins: boolean
  /** A peer without a directory may own partitions. */
  readonly ownsInMemory: boolean
  readonly membership: Membership
  readonly ids: ReplicaIds
  readonly inbound: Inbound
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
  readonly placement: Rendezvous
  readonly random: RandomSource
  readonly time: Timekeeping
  readonly writes: LocalWrites
}

/**
 * Keeps the placement of this peer the same as the registry, and the registry's word on this peer true: that it is able to
 * own, with which weight and zone, and what it publishes.
 */
export class Ownership {
  /** Writes to partitions that this peer has no whole copy of, and those of other peers. */
  readonly writes: PartitionWrites
  /** Reads of any partition. */
  readonly reads: PartitionReading
  readonly #handover: Handover
  readonly #deps: OwnershipDeps
  readonly #rows: OwnerRows
  readonly #attendance: Attendance
  readonly #coHolders: CoHolders
  readonly #copies: OwnCopies
  readonly #floors: PartitionFloors
  readonly #lost: LostPartitions
  readonly #new: NewCollections
  /** The fingerprint of the registry when it was last read. */
  readonly #readPrint = { high: -1, low: -1 }
  #owners: readonly OwningMember[] = []
  #away: ReadonlyMap<PeerId, number> = new Map()
  #forgotten: ReadonlySet<PeerId> = new Set()
  #collections: readonly PartitionedCollection[] = []
  /** The copies that this peer durably publishes. */
  #durable = new PartitionCopies()
  /** What the registry says of this peer, or is about to, since it was opened. */
  #said = ''
  #hasMet: boolean
  /** It hands over what it has, and begins nothing. */
  #isLeaving = false
  #hasLeft = false
  #nextLookMs = -Infinity
  /** What the application had opened at the last look. */
  #opened: readonly Collection[] = []

  constructor(deps: OwnershipDeps, now: Instant) {
    this.#deps = deps
    this.#rows = new OwnerRows(deps.housekeeping.rows)
    this.#attendance = new Attendance(deps.membership.self.peerId)
    this.#hasMet = !deps.joins
    this.#copies = new OwnCopies({ ...deps, peerId: this.#peerId })
    this.#coHolders = new CoHolders(deps)
    this.#floors = new PartitionFloors({ ...deps, peerId: this.#peerId }, now)
    this.#lost = new LostPartitions(deps.placement, this.#rows)
    this.#new = new NewCollections(deps)
    this.#handover = new Handover({ ...deps, peerId: this.#peerId })
    const known = new KnownVersions(deps.ids)
    this.writes = new PartitionWrites({ ...deps, known })
    this.reads = new PartitionReading({ ...deps, known, hints: this.writes.hints, peerId: this.#peerId }, now)
    this.#read()
    this.#restore()
    this.writes.restore(deps.hinted, now)
    this.#floors.marks.restore(deps.marked)
  }

  /** Monotonic milliseconds at which there is something to do. While there is no room for rows, the store wakes this peer. */
  get wakeAtMs(): number {
    const lookMs = this.#isNeeded && !this.#deps.commit.full ? this.#nextLookMs : Infinity
    return Math.min(lookMs, this.writes.wakeAtMs, this.reads.wakeAtMs)
  }

  /** A message of another peer about partitions. */
  receive(from: PeerId, message: PartitionMessage, now: Instant): void {
    if (message.type === 'covers') (message.floor === true ? this.#floors : this.#handover).asked(from, message, now)
    else if (message.type === 'covered') {
      this.#handover.answered(from, message)
      this.#floors.answered(from, message, now)
    } else if (message.type === 'write' || message.type === 'written') this.writes.receive(from, message, now)
    else this.reads.receive(from, message, now)
  }

  disconnected(neighbour: PeerId): void {
    this.#floors.disconnected(neighbour)
    this.#handover.disconnected(neighbour)
    this.writes.disconnected(neighbour)
    this.reads.disconnected(neighbour)
  }

  /** A neighbour says that it closes. */
  departed(neighbour: PeerId): void {
    this.reads.routing.currency.departed(neighbour)
  }

  /** A session with another peer is complete: both have the same of what both have. */
  met(neighbour: PeerId, startedAtMs: number): void {
    this.#hasMet = true
    this.reads.routing.currency.met(neighbour, startedAtMs)
    // Without a partitioned collection nothing is looked at, and what is kept of neighbours would stay for ever.
    if (this.#isNeeded) this.#coHolders.completed(neighbour)
  }

  /** A session has brought all that another peer had. */
  completed(session: Session): void {
    this.#copies.completed(session)
  }

  tick(now: Instant): void {
    this.#read()
    this.reads.routing.currency.tick(now)
    this.#lookIfDue(now)
    this.writes.tick(now)
    this.reads.tick(now)
  }

  #lookIfDue(now: Instant): void {
    const { openedPartitioned } = this.#deps.collections
    // A new collection is not to wait for its registration.
    if (openedPartitioned !== this.#opened) this.#nextLookMs = -Infinity
    this.#opened = openedPartitioned
    if (!this.#isNeeded || now.monotonicMs < this.#nextLookMs || this.#deps.commit.full) return
    this.#nextLookMs = now.monotonicMs + OWNERSHIP_GAP_MS
    try {
      this.#look(now)
    } catch (error) {
      // Too much waits for the disk. The next look tries again.
      if (!(error instanceof GridError) || error.code !== 'BACKLOG_FULL') throw error
    }
  }

  #look(now: Instant): void {
    const { neighbours, placement, time } = this.#deps
    placement.forgetShown((peer) => neighbours.has(peer))
    this.#registerCollections()
    this.#copies.published(this.#durable, now.monotonicMs)
    this.#copies.look(now.monotonicMs)
    this.#registerSelf()
    this.#mark(now)
    this.#lookForLost(now)
    this.#removeSilent(time.wallMs(now))
    this.#read()
    this.#coHolders.look(this.#copies.wantedFrom(), now)
    this.#drop(this.#handover.look(now))
    this.#floors.look(now)
  }

  /** A peer will never come back. Undefined if it is no owner: then the registry need not remember it. */
  forget(peerId: PeerId): Written | undefined {
    if (!this.#owners.some((owner) => owner.peerId === peerId)) return undefined
    return this.#rows.forget(peerId)
  }

  /** Hands over every copy, for good: from now on this peer owns nothing. Throws `BACKLOG_FULL`. */
  leave(now: Instant): void {
    this.#isLeaving = true
    this.#nextLookMs = now.monotonicMs
  }

  /** Of a peer that leaves: the copies that it still has, and what they wait for. */
  get remaining(): RemainingCopy[] {
    return remainingOf(this.#deps)
  }

  /** The registry no longer names this peer as an owner. Its next life registers again. */
  left(): void {
    this.#hasLeft = true
    if (this.#owners.some(({ peerId }) => peerId === this.#peerId)) this.#rows.remove(this.#peerId)
  }

  /** Has the partitions of a collection that no registered peer has whole begin again. Returns how many those are. */
  beginAgain(name: string): number {
    const collection = this.#collections.find(({ descriptor }) => descriptor.name === name)
    return collection === undefined ? 0 : this.#lost.beginAgain(collection)
  }

  /** It is known what this peer owns, and it has a whole copy of all of that. */
  get hasOwnWhole(): boolean {
    const { high, low } = this.#deps.housekeeping.rows.partition.replica.fingerprint
    const isRead = high === this.#readPrint.high && low === this.#readPrint.low
    const isToOwn = this.#isNeeded && this.#isAble && !this.#isLeaving && !this.#forgotten.has(this.#peerId)
    return isRead && (!isToOwn || this.placement.record(this.#peerId) !== undefined) && this.placement.hasOwnWhole
  }

  report(now: Instant): ReportedPartitions {
    const state = { hints: this.writes.hints.count, leaving: this.#isLeaving }
    return reportPartitions({ ...this.#deps, coHolders: this.#coHolders, lost: this.#lost }, state, now)
  }

  get placement(): Rendezvous {
    return this.#deps.placement
  }

  get #peerId(): PeerId {
    return this.#deps.membership.self.peerId
  }

  /** Whether this peer may own partitions at all. */
  get #isAble(): boolean {
    const { commit, membership, ownsInMemory } = this.#deps
    return commit.persistent ? membership.self.role === 'storage' : ownsInMemory
  }

  get #isNeeded(): boolean {
    return this.#collections.length > 0 || this.#new.unregistered(this.#collections).length > 0
  }

  /**
   * What this peer published in its last life counts only if it still writes under the same replica id. Otherwise it has lost
   * something since, and its row in the registry may have come back from other peers.
   */
  #restore(): void {
    const { collections, identity } = this.#deps
    const published = this.#rows.writtenBy(this.#peerId, identity.id)?.copies ?? []
    const stored = [...collections.partitions()].map(({ name }) => name)
    this.#copies.restore(
      published,
      stored.filter((name) => !isReplicated(name)),
    )
    this.#durable = PartitionCopies.of(published)
  }

  /** Reads the registry again if it has changed. */
  #read(): void {
    const { housekeeping, placement } = this.#deps
    const { high, low } = housekeeping.rows.partition.replica.fingerprint
    if (high === this.#readPrint.high && low === this.#readPrint.low) return
    Object.assign(this.#readPrint, { high, low })
    this.#collections = [...housekeeping.settleNames().values()].flatMap(({ descriptor, origin }) =>
      descriptor?.mode === 'partitioned' && !isInternal(descriptor.kind) ? [{ descriptor, origin }] : [],
    )
    this.#owners = this.#rows.owners()
    this.#away = this.#rows.away()
    this.#forgotten = this.#rows.forgotten()
    placement.update({
      view: hashHex({ high, low }),
      collections: this.#collections,
      owners: this.#owners.map((owner) => recordOf(owner, this.#away, this.#forgotten)),
    })
    // What could not be answered may be now.
    this.reads.neighboursChanged()
  }

  #registerCollections(): void {
    if (!this.#isAble || !this.#hasMet || this.#isLeaving || this.#forgotten.has(this.#peerId)) return
    for (const collection of this.#new.register(this.#collections)) this.#copies.originate(collection)
    this.#read()
  }

  #registerSelf(): void {
    const known = this.#owners.find(({ peerId }) => peerId === this.#peerId)
    const isForgotten = this.#forgotten.has(this.#peerId)
    // One that was forgotten registers no more, but what it has dropped since it may not go on publishing.
    if (!this.#isAble || this.#hasLeft || (isForgotten && known === undefined)) return
    const { commit, durable, membership, placement } = this.#deps
    const { weight, zone } = membership.self
    const row: OwnerRow = {
      weight: countedWeight(weight),
      zone,
      durable,
      draining: this.#isLeaving || isForgotten,
      copies: placement.copies.groups(),
    }
    const text = textOf(row)
    const isKnown = known !== undefined && textOf(known) === text
    // The registry may say the same since an earlier life, and this peer may learn that late.
    if (isKnown && text === this.#said) return
    this.#said = text
    if (!isKnown) this.#rows.register(this.#peerId, row)
    commit.whenDurable(() => (this.#durable = PartitionCopies.of(row.copies)))
  }

  /**
   * First the registry says that the copies are gone, and then they leave the store, in this order: after a crash no copy
   * that has lost its rows is called whole.
   */
  #drop(names: readonly PartitionName[]): void {
    if (names.length === 0 || this.#deps.commit.full) return
    for (const name of names) this.#copies.drop(name)
    this.#registerSelf()
    for (const name of names) this.#deps.collections.drop(name)
  }

  #mark(now: Instant): void {
    const { membership, neighbours } = this.#deps
    const isPresent = (peerId: PeerId): boolean => {
      if (peerId === this.#peerId) return neighbours.size > 0
      const member = membership.get(peerId)
      return member !== undefined && member.state !== 'gone'
    }
    const { away, back } = this.#attendance.look(this.#owners, this.#away, isPresent, now.monotonicMs)
    for (const peerId of away) this.#rows.markAway(peerId)
    for (const peerId of back) this.#rows.markBack(peerId)
  }

  #lookForLost(now: Instant): void {
    const { outbox, time } = this.#deps
    for (const { collection, indexes } of this.#lost.look(now.monotonicMs)) {
      const name = plainName(collection.descriptor.name)
      outbox.event({ type: 'partition-lost', name, partitions: indexes })
    }
    for (const { name, origin } of this.#lost.toBegin(time.wallMs(now))) this.#copies.beginAgain(name, origin)
  }

  /** What was away for so long does not come back: an owner without a directory begins its next life with nothing. */
  #removeSilent(wallMs: number): void {
    for (const { peerId, durable } of this.#owners) {
      const sinceMs = this.#away.get(peerId)
      const silentMaxMs = durable ? MEMBER_SILENT_MAX_MS : MEMORY_OWNER_SILENT_MAX_MS
      if (sinceMs !== undefined && wallMs - sinceMs > silentMaxMs) this.#rows.remove(peerId)
    }
  }
}

/** The same for rows that say the same. */
function textOf({ weight, zone, durable, draining, copies }: OwnerRow): string {
  const groups = copies.map(({ partitions, present, whole, collections }) => {
    return [partitions, present.join(), whole.join(), collections.map(({ name, kind, origin }) => [name, kind, origin])]
  })
  return JSON.stringify([weight, zone, durable, draining, groups])
}
