import { Allowances } from '../members/allowances.ts'
import { nameKey } from '../wire/block.ts'
import type { Collections } from '../replica/collections.ts'
import { DeferredDigests } from './deferred-digests.ts'
import { GridError } from '../errors.ts'
import { meetFloor } from './full-resync.ts'
import type { FullResync } from './full-resync.ts'
import { GapDelays } from './gap-delays.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import { hashHex } from '../bytes/hash.ts'
import type { Inbound } from './inbound.ts'
import type { Instant, RandomSource } from '../instant.ts'
import { KIND_CODES, MAP_CODE } from '../kinds/kinds.ts'
import {
  ANTI_ENTROPY_MAX_MS,
  ANTI_ENTROPY_MIN_MS,
  SESSIONS_EACH_MAX,
  SESSIONS_MAX,
  SESSIONS_PER_SECOND,
  SESSIONS_STARTED_MAX,
  SESSION_BURST_MAX,
  SESSION_DEFERRED_MAX_MS,
  SESSION_IDLE_MS,
  WHOLE_EXCHANGE_GAP_MS,
} from '../limits.ts'
import type { Message } from '../wire/messages.ts'
import { PartDigests } from '../digests/part-digests.ts'
import type { SeenPart } from '../digests/part-digests.ts'
import type { Outbox } from '../outbox/outbox.ts'
import { Outgoing } from './outgoing.ts'
import type { Serving } from './outgoing.ts'
import type { PeerId } from '../ports.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import type { SeenVectors } from '../digests/seen-vectors.ts'
import { Sessions } from './sessions.ts'
import type { Session } from './sessions.ts'
import { VersionVector } from '../versions/version-vector.ts'

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
  readonly #sessions = new Sessions()
  /** Neighbours that a session is wanted with, when it is to start, and for whose claim. */
  readonly #wanted = new Map<PeerId, { readonly atMs: number; readonly source: PeerId | undefined }>()
  readonly #deferred = new DeferredDigests()
  readonly #wholeAtMs = new Map<PeerId, number>()
  readonly #gapDelays = new GapDelays()
  readonly #allowances = new Allowances(SESSION_BURST_MAX, SESSIONS_PER_SECOND)
  #nextRoundMs = 0

  constructor(deps: AntiEntropyDeps) {
    const { collections, ids } = deps
    this.#collections = collections
    this.digests = new PartDigests(collections, ids)
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

  get wakeAtMs(): number {
    let wake = this.#neighbours.size > 0 ? this.#nextRoundMs : Infinity
    const receivingUntilMs = this.#sessions.receivingUntilMs()
    wake = Math.min(wake, this.#deferred.wakeAtMs(receivingUntilMs))
    if (this.#sessions.startedCount() < SESSIONS_STARTED_MAX) {
      for (const [neighbour, { atMs }] of this.#wanted) {
        // The end of a session that is under way is a wake-up of its own; until then nothing can be started.
        if (this.#sessions.isWith(neighbour)) continue
        wake = Math.min(wake, Math.max(atMs, Math.min(receivingUntilMs, atMs + SESSION_DEFERRED_MAX_MS)))
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
    this.#wholeAtMs.delete(neighbour)
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
      if (now.monotonicMs < Math.min(this.#sessions.receivingUntilMs(), atMs + SESSION_DEFERRED_MAX_MS)) continue
      this.#wanted.delete(neighbour)
      const session = this.#sessions.open(neighbour, this.#random.uint32(), true, source, now.monotonicMs)
      this.#outbox.send(neighbour, { type: 'digest', session: session.id, ...this.digests.roots(neighbour) })
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
          throw new GridError('MESSAGE_MALFORMED', `an acknowledgement of chunk ${message.index}, which is not due`)
        }
        this.#pump(session, now)
    }
  }

  #answer(from: PeerId, { session: id, root, floors }: DigestMessage, now: Instant): void {
    const own = this.#sessions.unansweredWith(from)
    if (own !== undefined) {
      // Both have started at once, as on connecting: one session serves both, that of the smaller peer id.
      if (this.#deps.peerId < from) return
      this.#sessions.close(own)
    }
    if (!this.#mayStart(from, now) || this.#sessions.get(from, id) !== undefined) {
      this.#outbox.send(from, { type: 'stop', session: id, reason: 'too many sessions' })
      return
    }
    if (root === this.#collections.root(from)) {
      this.#outbox.send(from, { type: 'equal', session: id })
      this.#report(from, true, 0, 0)
      return
    }
    this.#deferred.add({ from, session: id, root, floors, atMs: now.monotonicMs })
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
      const digest = this.#deferred.due(now.monotonicMs, this.#sessions.receivingUntilMs())
      if (digest === undefined) return
      const { from, session, floors } = digest
      this.#sessions.open(from, session, false, undefined, now.monotonicMs)
      const parts = this.digests.parts(from, (floors ?? '') !== this.#collections.floors(from))
      this.#outbox.send(from, { type: 'vectors', session, ask: true, kinds: KIND_CODES, parts })
    }
  }

  /** Sends what the other peer lacks. If it asks, sends the own vectors too, so that it can send what is missing here. */
  #serve(session: Session, { parts: digests, ask, kinds = [MAP_CODE] }: VectorsMessage, now: Instant): void {
    if (session.outgoing !== undefined) throw new GridError('MESSAGE_MALFORMED', 'vectors twice in one session')
    const parts = this.digests.decode(session.neighbour, digests)
    this.#deps.seenVectors.record(session.neighbour, parts, now)
    if (ask) {
      const own = this.digests.parts(session.neighbour, this.digests.differInFloors(session.neighbour, parts))
      this.#outbox.send(session.neighbour, {
        type: 'vectors',
        session: session.id,
        ask: false,
        kinds: KIND_CODES,
        parts: own,
      })
    }
    const met = parts.map((part) =>
      meetFloor(this.#collections, part, session.resyncs, (block) => this.#commit.remote(block)),
    )
    session.outgoing = new Outgoing(this.#ids, this.#servings(session.neighbour, met, kinds, now))
    this.#pump(session, now)
  }

  /** What it does not know it could only refuse, and would never have all of. */
  #servings(neighbour: PeerId, parts: readonly SeenPart[], kinds: readonly number[], now: Instant): Serving[] {
    const reported = new Map<string, SeenPart>()
    for (const part of parts) reported.set(nameKey(part), part)
    const mayGoWhole = now.monotonicMs - (this.#wholeAtMs.get(neighbour) ?? -Infinity) >= WHOLE_EXCHANGE_GAP_MS
    const servings: Serving[] = []
    for (const partition of this.#collections.shared(neighbour)) {
      const { replica, name } = partition
      if (!kinds.includes(name.kind)) continue
      const part = reported.get(nameKey(name))
      if (part === undefined) {
        servings.push({ partition, known: new VersionVector() })
        continue
      }
      const damaged =
        part.otherFloor === undefined &&
        part.fingerprint !== hashHex(replica.fingerprint) &&
        hashHex(part.seen.hash(this.#ids)) === hashHex(replica.vector.hash(this.#ids))
      // Both have seen the same writes and hold other entries: one of the two is damaged. Only the whole partition shows what.
      if (damaged && mayGoWhole) {
        this.#wholeAtMs.set(neighbour, now.monotonicMs)
        servings.push({ partition, known: new VersionVector() })
      } else servings.push({ partition, known: part.seen })
    }
    return servings
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
    session.rowsReceived += applied.rows
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
    if (source !== undefined) this.#gapDelays.sessionEnded(source, useful, now.monotonicMs)
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
