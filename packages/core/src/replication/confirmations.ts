import type { AntiEntropy } from './anti-entropy.ts'
import type { Collections } from '../replica/collections.ts'
import { GridError } from '../errors.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Instant } from '../instant.ts'
import type { LagTable } from '../digests/lag.ts'
import { MAP_CODE } from '../kinds/kinds.ts'
import {
  CONFIRMATIONS_FEW_MAX,
  CONFIRMATIONS_MAX,
  CONFIRMATIONS_WAITING_MAX,
  CONFIRMATION_GROUPS_AT_ONCE_MAX,
  CONFIRMATION_GROUPS_MAX,
  CONFIRMATION_LOOK_GAP_MS,
  CONFIRMATION_MS,
  CONFIRMATION_SLOW_MS,
} from '../limits.ts'
import type { Membership } from '../members/membership.ts'
import type { Message } from '../wire/messages.ts'
import type { NeighbourTable } from '../members/neighbour-table.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { RequestNumbers } from '../outbox/request-numbers.ts'
import { EVERYONE, includes } from '../placement/placement.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { PartitionName } from '../wire/block.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'

type ConfirmMessage = Extract<Message, { readonly type: 'confirm' }>

/**
 * Whose confirmations count: `durable`, of peers that store durably; `peers`, of any neighbour; `all`, of every member that is
 * alive, neighbour or not.
 */
export type Confirmers = 'durable' | 'peers' | 'all'

/** One write whose copies are being counted. */
interface Request {
  readonly message: ConfirmMessage
  readonly by: Confirmers
  /** Copies wanted, the writer's own included. */
  readonly copies: number
  readonly asked: Set<PeerId>
  readonly confirmedBy: Set<PeerId>
  /** Peers that take too long to answer: for each of them another one is asked as well. */
  slow: number
  /** Sweeps since it was asked last. */
  sweeps: number
}

/** Another peer waits for a write that is not here yet. */
interface Waiting {
  readonly from: PeerId
  readonly message: ConfirmMessage
  readonly expiresAtMs: number
}

/** Those who wait for writes of one replica id to one partition. */
interface WaitingGroup {
  waiting: Waiting[]
  /** What had been seen of the replica id when they were last looked at: while it stays, none can be answered. */
  lookedAt: string
}

export interface ConfirmationsDeps {
  readonly antiEntropy: AntiEntropy
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly lag: LagTable
  readonly membership: Membership
  readonly neighbours: NeighbourTable
  readonly outbox: Outbox
  readonly requests: RequestNumbers
}

/** Counts the copies of single writes, and answers others who count theirs. */
export class Confirmations {
  readonly #collections: Collections
  readonly #ids: ReplicaIds
  readonly #deps: ConfirmationsDeps
  readonly #requests = new Map<number, Request>()
  readonly #groups = new Map<string, WaitingGroup>()
  readonly #waitingBy = new Map<PeerId, number>()
  #waitingCount = 0
  #nextSweepMs = 0
  #nextLookMs = 0

  constructor(deps: ConfirmationsDeps) {
    this.#collections = deps.collections
    this.#ids = deps.ids
    this.#deps = deps
  }

  /** When waiting peers are to be answered, at the latest. */
  get wakeAtMs(): number {
    return this.#groups.size > CONFIRMATION_GROUPS_AT_ONCE_MAX ? this.#nextLookMs : Infinity
  }

  /**
   * Starts counting the copies of a write that is durable here; `copies` is no limit with `all`. Throws `BACKLOG_FULL` past
   * 10,000 at a time.
   */
  request(dot: Omit<ConfirmMessage, 'type' | 'request'>, copies: number, by: Confirmers = 'durable'): number {
    if (this.#requests.size >= CONFIRMATIONS_MAX) {
      throw new GridError('BACKLOG_FULL', `${CONFIRMATIONS_MAX} writes wait for copies already: await some first`)
    }
    const request = this.#deps.requests.next()
    const { kind = MAP_CODE, ...rest } = dot
    const ofKind = kind === MAP_CODE ? {} : { kind }
    const message: ConfirmMessage = { type: 'confirm', request, ...rest, ...ofKind }
    const open = { message, by, copies, asked: new Set<PeerId>(), confirmedBy: new Set<PeerId>(), slow: 0, sweeps: 0 }
    this.#requests.set(request, open)
    this.#ask(open)
    if (by === 'all') this.#report(request, open)
    return request
  }

  /** The answer to this request is no longer wanted. */
  cancel(request: number): void {
    this.#requests.delete(request)
  }

  /** Another peer may be worth asking now. */
  neighboursChanged(): void {
    for (const [number, request] of this.#requests) {
      this.#ask(request)
      if (request.by === 'all') this.#report(number, request)
    }
  }

  disconnected(neighbour: PeerId): void {
    for (const request of this.#requests.values()) request.asked.delete(neighbour)
    for (const key of this.#groups.keys()) this.#keep(key, (waiting) => waiting.from !== neighbour)
    this.neighboursChanged()
  }

  confirmed(from: PeerId, number: number): void {
    const request = this.#requests.get(number)
    if (request === undefined || !request.asked.has(from)) return
    request.confirmedBy.add(from)
    this.#report(number, request)
  }

  /** Another peer asks for confirmation. */
  asked(from: PeerId, message: ConfirmMessage, now: Instant): void {
    const name = partitionOf(message)
    // The copy of a partition that this peer is about to own may begin later than the question comes.
    if (isReplicated(name) && !this.#collections.placement.holds(name)) return
    if (this.#answered({ from, message })) return
    const waitsFor = this.#waitingBy.get(from) ?? 0
    if (this.#waitingCount >= CONFIRMATIONS_WAITING_MAX || waitsFor >= CONFIRMATIONS_MAX) return
    const key = `${message.replicaId} ${message.kind ?? MAP_CODE} ${message.partition} ${message.collection}`
    const group = this.#groups.get(key) ?? { waiting: [], lookedAt: '' }
    // A peer that waits for little finds room, however much others have asked.
    if (group.waiting.length === 0 && this.#groups.size >= CONFIRMATION_GROUPS_MAX && waitsFor >= CONFIRMATIONS_FEW_MAX)
      return
    group.waiting.push({ from, message, expiresAtMs: now.monotonicMs + CONFIRMATION_MS })
    group.lookedAt = ''
    this.#groups.set(key, group)
    this.#count(from, 1)
    // The question may overtake the write, or the broadcast may have lost it.
    this.#deps.antiEntropy.wantFrom(from, now)
  }

  /** Answers those whose writes have come; from time to time gives up old questions and asks further peers. */
  tick(now: Instant): void {
    if (now.monotonicMs >= this.#nextLookMs) this.#look(now)
    if (now.monotonicMs < this.#nextSweepMs) return
    this.#nextSweepMs = now.monotonicMs + CONFIRMATION_SLOW_MS
    for (const key of this.#groups.keys()) this.#keep(key, (waiting) => now.monotonicMs < waiting.expiresAtMs)
    for (const [number, request] of this.#requests) {
      request.sweeps += 1
      if (request.by === 'all') this.#report(number, request)
      if (request.sweeps % 2 === 1) continue
      request.slow = request.asked.size - request.confirmedBy.size
      this.#ask(request)
    }
  }

  /** Reports the count, and ends the request if it is enough. */
  #report(number: number, request: Request): void {
    const { confirmedBy, by } = request
    const peers = confirmedBy.size + 1
    const owners = this.#collections.placement.owners(partitionOf(request.message))
    const copies =
      [...confirmedBy].filter((peerId) => this.#deps.membership.isDurable(peerId) && includes(owners, peerId)).length +
      1
    const isCounted = (by === 'peers' ? peers : copies) >= request.copies && this.#everyCopyHas(request)
    const isEnough = by === 'all' ? this.#everyoneHas(request) : isCounted
    if (isEnough) this.#requests.delete(number)
    this.#deps.outbox.event({ type: 'copies', request: number, copies, peers, isEnough })
  }

  /** Whether each member that is alive has confirmed; of one that is no neighbour, whether it has announced the write. */
  #everyoneHas({ message, confirmedBy }: Request): boolean {
    const { lag, membership, neighbours } = this.#deps
    const writer = this.#ids.indexOf(message.replicaId)
    return membership.others.every(({ record: { peerId }, state }) => {
      if (state !== 'alive' || confirmedBy.has(peerId)) return true
      if (neighbours.has(peerId) || writer === undefined) return false
      return lag.isSeenBy(peerId, partitionOf(message), writer, message.sequence)
    })
  }

  /** Whether every peer in reach that has a copy of the partition has confirmed: a reader may ask any of them. */
  #everyCopyHas({ message, confirmedBy }: Request): boolean {
    const audience = this.#collections.placement.audience(partitionOf(message))
    if (audience === EVERYONE) return true
    return this.#deps.neighbours.ids().every((neighbour) => !audience.has(neighbour) || confirmedBy.has(neighbour))
  }

  /** Answers those whose writes have come. */
  #look(now: Instant): void {
    // Thousands of groups are not looked at with every message.
    this.#nextLookMs =
      this.#groups.size > CONFIRMATION_GROUPS_AT_ONCE_MAX ? now.monotonicMs + CONFIRMATION_LOOK_GAP_MS : 0
    for (const [key, group] of this.#groups) {
      const seen = this.#extent(group.waiting[0]!.message)
      if (seen === group.lookedAt) continue
      group.lookedAt = seen
      this.#keep(key, (waiting) => !this.#answered(waiting))
    }
  }

  #answered({ from, message }: Pick<Waiting, 'from' | 'message'>): boolean {
    if (!this.#seen(message)) return false
    const { commit, outbox } = this.#deps
    commit.whenDurable(() => outbox.send(from, { type: 'confirmed', request: message.request }))
    return true
  }

  #keep(key: string, keeps: (waiting: Waiting) => boolean): void {
    const group = this.#groups.get(key)!
    const kept = group.waiting.filter(keeps)
    if (kept.length < group.waiting.length) {
      for (const waiting of group.waiting) this.#count(waiting.from, -1)
      for (const waiting of kept) this.#count(waiting.from, 1)
    }
    group.waiting = kept
    if (kept.length === 0) this.#groups.delete(key)
  }

  #count(from: PeerId, change: number): void {
    this.#waitingCount += change
    const count = (this.#waitingBy.get(from) ?? 0) + change
    if (count > 0) this.#waitingBy.set(from, count)
    else this.#waitingBy.delete(from)
  }

  /** How far the writes that a message asks about have been seen; changes whenever that does. */
  #extent(message: ConfirmMessage): string {
    const vector = this.#collections.find(message)?.replica.vector
    const writer = this.#ids.indexOf(message.replicaId)
    if (vector === undefined || writer === undefined) return 'nothing'
    return `${vector.head(writer)} ${vector.highest(writer)} ${vector.rangesAbove(writer).length}`
  }

  #seen(message: ConfirmMessage): boolean {
    const vector = this.#collections.find(message)?.replica.vector
    const writer = this.#ids.indexOf(message.replicaId)
    return vector !== undefined && writer !== undefined && vector.has(writer, message.sequence)
  }

  #ask(request: Request): void {
    const audience = this.#collections.placement.audience(partitionOf(request.message))
    const { by } = request
    for (const neighbour of this.#deps.neighbours.ids()) {
      if (by !== 'all' && audience === EVERYONE && request.asked.size >= request.copies - 1 + request.slow) return
      // Of a partition, each peer in reach with a copy must have it.
      if (by === 'durable' && audience === EVERYONE && !this.#deps.membership.isDurable(neighbour)) continue
      if (request.asked.has(neighbour) || !includes(audience, neighbour)) continue
      request.asked.add(neighbour)
      this.#deps.outbox.send(neighbour, request.message)
    }
  }
}

function partitionOf({ collection, kind = MAP_CODE, partition }: ConfirmMessage): PartitionName {
  return { collection, kind, partition }
}
