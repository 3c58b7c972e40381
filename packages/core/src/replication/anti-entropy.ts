import { Allowances } from '../members/allowances.ts'
import { nameKey } from '../wire/block.ts'
import type { Collections } from '../replica/collections.ts'
import { DeferredDigests } from './deferred-digests.ts'
import { GridError } from '../errors.ts'
import { meetFloor } from './full-resync.ts'
import type { FullResync } from './full-resync.ts'
import { GapDelays } from './gap-delays.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Inbound } from './inbound.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { KIND_CODES } from '../kinds/kinds.ts'
import {
  ANTI_ENTROPY_MAX_MS,
  ANTI_ENTROPY_MIN_MS,
  SESSIONS_EACH_MAX,
  SESSIONS_MAX,
  SESSIONS_PER_SECOND,
  SESSIONS_STARTED_MAX,
  SESSION_BURST_MAX,
  SESSION_IDLE_MS,
} from '../limits.ts'
import type { Message } from '../wire/messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import { PartDigests } from '../digests/part-digests.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { Outgoing } from './outgoing.ts'
import type { SharedPartitions } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { SeenVectors } from '../digests/seen-vectors.ts'
import { Servings } from './servings.ts'
import type { Session, Sessions, SessionWatcher } from './sessions.ts'

type SessionMessage = Extract<Message, { readonly session: number }>
type DigestMessage = Extract<Message, { readonly type: 'digest' }>
type VectorsMessage = Extract<Message, { readonly type: 'vectors' }>
type ChunkMessage = Extract<Message, { readonly type: 'chunk' }>

export interface AntiEntropyDeps {
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly ids: ReplicaIds
  readonly inbound: Inbound
  readonly outbox: Outbox
  readonly peerId: PeerId
  readonly random: RandomSource
  readonly seenVectors: SeenVectors
  readonly sessions: Sessions
  readonly watcher: SessionWatcher
}

/**
 * Repairs all that broadcast missed, at a cost that follows the difference: one root hash each, and only when they
 * differ the vectors, and then the entries that either side lacks, both ways at once.
 *
 *     digest -> equal                                       nothing differs
 *     digest -> vectors (ask) -> vectors, chunk* | chunk*   each chunk answered by chunk-ack once it is durable
 */
export class AntiEntropy {
  readonly #collections: Collections
  readonly digests: PartDigests
  readonly #ids: ReplicaIds
  readonly #random: RandomSource
  readonly #commit: GroupCommit
  readonly #deps: AntiEntropyDeps
  readonly #outbox: Outbox
  readonly #neighbours = new Set<PeerId>()
  readonly #sessions: Sessions
  /** Neighbours that a session is wanted with, when it is to start, and for whose claim. */
  readonly #wanted = new Map<PeerId, { readonly atMs: number; readonly source: PeerId | undefined }>()
  readonly #deferred: DeferredDigests
  readonly #servings: Servings
  readonly #gapDelays = new GapDelays()
  readonly #allowances = new Allowances(SESSION_BURST_MAX, SESSIONS_PER_SECOND)
  #nextRoundMs = 0

  constructor(deps: AntiEntropyDeps) {
    const { collections, ids } = deps
    this.#collections = collections
    this.digests = new PartDigests(collections, ids)
    this.#sessions = deps.sessions
    this.#deferred = new DeferredDigests(deps.sessions)
    this.#servings = new Servings({ collections, ids })
    this.#ids = ids
    this.#random = deps.random
    this.#commit = deps.commit
    this.#outbox = deps.outbox
    this.#deps = deps
  }

  get neighbours(): ReadonlySet<PeerId> {
    return this.#neighbours
  }

  /** Sessions under way, and those that wait for their turn. */
  get sessionCount(): number {
    return this.#sessions.size + this.#deferred.count
  }

  /** The neighbour takes part in a session, which has not yet brought all that it had. */
  isReceivingFrom(neighbour: PeerId): boolean {
    const isBringing = ({ isShared, received }: Session): boolean => isShared !== undefined && !received
    return this.#sessions.all().some((session) => session.neighbour === neighbour && isBringing(session))
  }

  get wakeAtMs(): number {
    let wake = this.#neighbours.size > 0 ? this.#nextRoundMs : Infinity
    wake = Math.min(wake, this.#deferred.wakeAtMs)
    if (this.#sessions.startedCount() < SESSIONS_STARTED_MAX) {
      for (const [neighbour, { atMs }] of this.#wanted) {
        // The end of a session that is under way is a wake-up of its own; until then nothing can be started.
        if (this.#sessions.isWith(neighbour)) continue
        wake = Math.min(wake, Math.max(atMs, this.#sessions.deferredUntilMs(atMs)))
      }
    }
    for (const session of this.#sessions.all()) wake = Math.min(wake, session.progressAtMs + SESSION_IDLE_MS)
    return wake
  }

  connected(neighbour: PeerId, now: Instant): void {
    this.#neighbours.add(neighbour)
    this.#wanted.set(neighbour, { atMs: now.monotonicMs, source: undefined })
  }

  disconnected(neighbour: PeerId, now: Instant): void {
    this.#neighbours.delete(neighbour)
    this.#wanted.delete(neighbour)
    this.#deferred.disconnected(neighbour)
    this.#servings.disconnected(neighbour)
    for (const session of this.#sessions.all()) if (session.neighbour === neighbour) this.#end(session, false, now)
  }

  /** How long what is missing is given to come by itself, going by what sessions for this peer's claims have brought. */
  gapDelayMs(source: PeerId, now: Instant): number {
    return this.#gapDelays.delayMs(source, now.monotonicMs)
  }

  /** Something is missing that `source` has: ask for it, or any neighbour, unless it comes by itself within `delayMs`. */
  wantFrom(source: PeerId, now: Instant, delayMs: number = this.gapDelayMs(source, now)): void {
    const neighbour = this.#neighbours.has(source) ? source : this.#anyNeighbour()
    if (neighbour === undefined) return
    const atMs = now.monotonicMs + delayMs * (0.5 + this.#chance())
    if (atMs < (this.#wanted.get(neighbour)?.atMs ?? Infinity)) this.#wanted.set(neighbour, { atMs, source })
  }

  /** A session with a neighbour is to begin at once, for no claim of any peer. */
  compare(neighbour: PeerId, now: Instant): void {
    if (this.#neighbours.has(neighbour)) this.#wanted.set(neighbour, { atMs: now.monotonicMs, source: undefined })
  }

  tick(now: Instant): void {
    for (const session of this.#sessions.all()) {
      if (now.monotonicMs - session.progressAtMs >= SESSION_IDLE_MS) this.#stop(session, 'no progress', now)
    }
    if (now.monotonicMs >= this.#nextRoundMs) {
      const span = ANTI_ENTROPY_MAX_MS - ANTI_ENTROPY_MIN_MS
      this.#nextRoundMs = now.monotonicMs + ANTI_ENTROPY_MIN_MS + span * this.#chance()
      const neighbour = this.#anyNeighbour()
      if (neighbour !== undefined) this.#wanted.set(neighbour, { atMs: now.monotonicMs, source: undefined })
    }
    this.#answerDeferred(now)
    for (const [neighbour, { atMs, source }] of this.#wanted) {
      if (this.#sessions.startedCount() >= SESSIONS_STARTED_MAX) break
      if (now.monotonicMs < atMs || this.#sessions.isWith(neighbour)) continue
      if (now.monotonicMs < this.#sessions.deferredUntilMs(atMs)) continue
      this.#wanted.delete(neighbour)
      const session = this.#sessions.open(neighbour, this.#random.uint32(), true, source, now.monotonicMs)
      const roots = this.digests.roots(neighbour)
      this.#outbox.send(neighbour, { type: 'digest', session: session.id, ...roots, ...this.#copies() })
    }
  }

  /** Takes a message of a session. Throws `MESSAGE_MALFORMED` for what no honest peer sends. */
  receive(from: PeerId, message: SessionMessage, now: Instant): void {
    if (message.type === 'digest') {
      this.#answer(from, message, now)
      return
    }
    const session = this.#sessions.get(from, message.session)
    // The other peer may still send for a session that was given up here: say so once.
    if (session === undefined) {
      if (message.type === 'stop') this.#deferred.stopped(from, message.session)
      if (message.type === 'chunk' || message.type === 'vectors') {
        this.#outbox.send(from, { type: 'stop', session: message.session, reason: 'no such session' })
      }
      return
    }
    session.progressAtMs = now.monotonicMs
    switch (message.type) {
      case 'equal':
        this.#agree(session, message.copies)
        session.received = true
        this.#end(session, true, now)
        break
      case 'stop':
        this.#end(session, false, now)
        break
      case 'vectors':
        this.#serve(session, message, now)
        break
      case 'chunk':
        this.#receiveChunk(session, message, now)
        break
      case 'chunk-ack':
        if (session.outgoing?.acknowledged(message.index) !== true) {
          throw new GridError('MESSAGE_MALFORMED', 'a chunk-ack not due')
        }
        this.#pump(session, now)
    }
  }

  #answer(from: PeerId, { session: id, root, floors, copies }: DigestMessage, now: Instant): void {
    const own = this.#sessions.unansweredWith(from)
    if (own !== undefined) {
      // Both have started at once, as on connecting: one session serves both, that of the smaller peer id.
      if (this.#deps.peerId < from) return
      this.#sessions.close(own)
    }
    if (!this.#mayStart(from, now) || this.#sessions.get(from, id) !== undefined) {
      this.#outbox.send(from, { type: 'stop', session: id, reason: 'busy' })
      return
    }
    if (root === this.#collections.root(this.#collections.placement.sharedWith(from, copies))) {
      this.#outbox.send(from, { type: 'equal', session: id, ...this.#copies() })
      this.#deps.watcher.met(from, now.monotonicMs)
      this.#report(from, true, 0, 0)
      return
    }
    this.#deferred.add({ from, session: id, root, floors, copies, atMs: now.monotonicMs })
    this.#answerDeferred(now)
  }

  /** Room for one more session that a neighbour starts: each has a share, and comparing everything has a price. */
  #mayStart(from: PeerId, now: Instant): boolean {
    if (this.sessionCount >= SESSIONS_MAX) return false
    if (this.#sessions.startedBy(from) + this.#deferred.of(from) >= SESSIONS_EACH_MAX) return false
    return this.#allowances.take(from, 1, now.monotonicMs)
  }

  #answerDeferred(now: Instant): void {
    for (;;) {
      const digest = this.#deferred.due(now.monotonicMs)
      if (digest === undefined) return
      const { from, session: id, floors, copies } = digest
      const session = this.#sessions.open(from, id, false, undefined, now.monotonicMs)
      const isShared = this.#agree(session, copies)
      this.#sendVectors(session, isShared, true, (floors ?? '') !== this.#collections.floors(isShared))
    }
  }

  /** Both sides have said what they have copies of: from now on the session is about what both have. */
  #agree(session: Session, published: readonly CopyGroup[] | undefined): SharedPartitions {
    session.published = published
    session.isShared = this.#collections.placement.sharedWith(session.neighbour, published)
    return session.isShared
  }

  #copies(): { copies?: readonly CopyGroup[] } {
    const copies = this.#collections.placement.publishes()
    return copies === undefined ? {} : { copies }
  }

  #sendVectors(session: Session, isShared: SharedPartitions, ask: boolean, floors: boolean): void {
    const vectors = this.digests.partsThatFit(isShared, floors)
    session.named = vectors.more === true ? new Set(vectors.parts.map(nameKey)) : undefined
    const message = { session: session.id, ask, kinds: KIND_CODES, ...vectors, ...this.#copies() }
    this.#outbox.send(session.neighbour, { type: 'vectors', ...message })
  }

  /** Sends what the other peer lacks. If it asks, sends the own vectors too, so that it can send what is missing here. */
  #serve(session: Session, message: VectorsMessage, now: Instant): void {
    const { parts: digests, ask } = message
    if (session.outgoing !== undefined) throw new GridError('MESSAGE_MALFORMED', 'vectors twice')
    // The peer that started says it again: it may have begun a copy since, or dropped one.
    const isShared = this.#agree(session, message.copies)
    const parts = this.digests.decode(isShared, digests)
    // Both stood on one floor when the session began. Without the other one, both would not decide alike who has to resync.
    if (parts.some(({ floor, floorHash, otherFloor }) => otherFloor && floorHash && !floor))
      return this.#stop(session, 'floors', now)
    this.#deps.seenVectors.record(session.neighbour, parts, now)
    if (ask) this.#sendVectors(session, isShared, false, this.digests.differInFloors(isShared, parts))
    session.floorsDiffer = parts.some(({ otherFloor }) => otherFloor !== undefined)
    // A partition that this peer could not name is not sent whole to it, and so it is not resynced.
    const met = parts.map((part) =>
      session.named?.has(nameKey(part)) === false && !isReplicated(part)
        ? part
        : meetFloor(this.#collections, part, session.resyncs, (block) => this.#commit.remote(block)),
    )
    session.outgoing = new Outgoing(this.#ids, this.#servings.of(session.neighbour, isShared, met, message, now))
    this.#pump(session, now)
  }

  #receiveChunk(session: Session, { index, last, block }: ChunkMessage, now: Instant): void {
    const { resyncs, neighbour, isSupersededBarred } = session
    const applied = this.#deps.inbound.apply(
      neighbour,
      'session',
      block,
      { superseded: !isSupersededBarred, resyncs },
      now,
    )
    this.#sessions.received(session, applied.rows, block.length, now.monotonicMs)
    session.isSupersededBarred ||= applied.incomplete
    this.#commit.whenDurable(() => {
      if (!this.#sessions.isOpen(session)) return
      this.#outbox.send(session.neighbour, { type: 'chunk-ack', session: session.id, index })
      if (!last) return
      session.received = true
      this.#endIfDone(session, now)
    })
  }

  #pump(session: Session, now: Instant): void {
    for (let chunk = session.outgoing?.next(); chunk !== undefined; chunk = session.outgoing?.next()) {
      const message: Message = { type: 'chunk', session: session.id, ...chunk }
      // It holds writes of this peer that may still be on their way to disk, whose dots a crash would give out again.
      this.#commit.whenDurable(() => {
        if (this.#sessions.isOpen(session)) this.#outbox.send(session.neighbour, message)
      })
    }
    this.#endIfDone(session, now)
  }

  #endIfDone(session: Session, now: Instant): void {
    if (!session.received || session.outgoing?.done !== true) return
    // A row that was left out may be the one that says that an entry stays.
    if (!session.isSupersededBarred) for (const resync of session.resyncs.all()) this.#finishResync(resync)
    this.#end(session, true, now)
  }

  #finishResync(resync: FullResync): void {
    const located = this.#collections.locate(resync.name)
    if ('replica' in located) this.#commit.remote(resync.finish(located, this.#ids))
  }

  #stop(session: Session, reason: string, now: Instant): void {
    this.#outbox.send(session.neighbour, { type: 'stop', session: session.id, reason })
    this.#end(session, false, now)
  }

  #end(session: Session, complete: boolean, now: Instant): void {
    this.#sessions.close(session)
    const { neighbour, source, outgoing, rowsReceived, isSupersededBarred } = session
    const useful = complete && rowsReceived > 0 && !isSupersededBarred
    if (complete && !isSupersededBarred) this.#deps.watcher.completed(session)
    if (source !== undefined) this.#gapDelays.sessionEnded(source, useful, now.monotonicMs)
    if (complete) this.#deps.watcher.met(neighbour, session.startedAtMs)
    this.#report(neighbour, complete, outgoing?.rowsSent ?? 0, rowsReceived)
  }

  #report(neighbour: PeerId, complete: boolean, rowsSent: number, rowsReceived: number): void {
    this.#outbox.event({ type: 'session', neighbour, complete, rowsSent, rowsReceived })
  }

  #anyNeighbour(): PeerId | undefined {
    const neighbours = [...this.#neighbours]
    return neighbours[Math.floor(this.#chance() * neighbours.length)]
  }

  #chance(): number {
    return this.#random.uint32() / 0x100000000
  }
}
