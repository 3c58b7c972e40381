import type { Collections } from './collections.ts'
import { DeferredDigests } from './deferred-digests.ts'
import { GridError } from './errors.ts'
import { hashHex } from './hash.ts'
import type { Instant, RandomSource } from './instant.ts'
import {
  ANSWER_PATIENCE_MS,
  ANTI_ENTROPY_MAX_MS,
  ANTI_ENTROPY_MIN_MS,
  GAP_DELAY_MAX_MS,
  GAP_DELAY_MS,
  MESSAGE_MAX_BYTES,
  RECEIVING_PATIENCE_MS,
  SESSIONS_MAX,
  SESSIONS_STARTED_MAX,
  SESSION_DEFERRED_MAX_MS,
  SESSION_IDLE_MS,
  WHOLE_EXCHANGE_GAP_MS,
} from './limits.ts'
import type { Message, PartDigest } from './messages.ts'
import { Outgoing } from './outgoing.ts'
import type { Serving } from './outgoing.ts'
import type { PeerId } from './ports.ts'
import type { ReplicaIds } from './replica-ids.ts'
import { decodeVector, encodeVector } from './vector-codec.ts'
import { VersionVector } from './version-vector.ts'

/** A part digest without its vector, at the most. */
const PART_MAX_BYTES = 256

type SessionMessage = Extract<Message, { readonly session: number }>

interface Session {
  readonly neighbour: PeerId
  readonly id: number
  readonly started: boolean
  outgoing: Outgoing | undefined
  /** All the other's chunks are here and durable. */
  received: boolean
  rowsReceived: number
  /** A row was refused or held, so void dots may not be counted as seen. */
  voidsBarred: boolean
  progressAtMs: number
}

/** What a received chunk did. */
export interface Applied {
  readonly rows: number
  /** Some row was not applied. */
  readonly incomplete: boolean
}

export interface AntiEntropyOwner {
  readonly peerId: PeerId
  send(to: PeerId, message: Message): void
  /** Applies a chunk; `voids` false leaves its void dots out. */
  apply(from: PeerId, block: Uint8Array, voids: boolean): Applied
  whenDurable(callback: () => void): void
  /** The other peer's vectors, before anything else is done with them. */
  vectorsSeen(neighbour: PeerId, parts: readonly SeenPart[]): void
  sessionEnded(neighbour: PeerId, complete: boolean, rowsSent: number, rowsReceived: number): void
}

/** A part digest with its vector decoded. */
export interface SeenPart extends PartDigest {
  readonly seen: VersionVector
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
  readonly #ids: ReplicaIds
  readonly #random: RandomSource
  readonly #owner: AntiEntropyOwner
  readonly #neighbours = new Set<PeerId>()
  readonly #sessions = new Map<string, Session>()
  /** Neighbours that a session is wanted with, and when it is to start. */
  readonly #wanted = new Map<PeerId, number>()
  readonly #deferred = new DeferredDigests()
  readonly #wholeAtMs = new Map<PeerId, number>()
  #gapDelayMs = GAP_DELAY_MS
  #nextRoundMs = 0

  constructor(collections: Collections, ids: ReplicaIds, random: RandomSource, owner: AntiEntropyOwner) {
    this.#collections = collections
    this.#ids = ids
    this.#random = random
    this.#owner = owner
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
    const receivingUntilMs = this.#receivingUntilMs()
    wake = Math.min(wake, this.#deferred.wakeAtMs(receivingUntilMs))
    if (this.#startedCount() < SESSIONS_STARTED_MAX) {
      for (const [neighbour, at] of this.#wanted) {
        // The end of a session that is under way is a wake-up of its own; until then nothing can be started.
        if (this.#isWith(neighbour)) continue
        wake = Math.min(wake, Math.max(at, Math.min(receivingUntilMs, at + SESSION_DEFERRED_MAX_MS)))
      }
    }
    for (const session of this.#sessions.values()) wake = Math.min(wake, session.progressAtMs + SESSION_IDLE_MS)
    return wake
  }

  connected(neighbour: PeerId, now: Instant): void {
    this.#neighbours.add(neighbour)
    this.#wanted.set(neighbour, now.monotonicMs)
  }

  disconnected(neighbour: PeerId): void {
    this.#neighbours.delete(neighbour)
    this.#wanted.delete(neighbour)
    this.#deferred.disconnected(neighbour)
    this.#wholeAtMs.delete(neighbour)
    for (const session of [...this.#sessions.values()]) if (session.neighbour === neighbour) this.#end(session, false)
  }

  /** Something is missing that `source` has: ask for it, or any neighbour, unless it comes by itself within `delayMs`. */
  wantFrom(source: PeerId, now: Instant, delayMs: number = this.#gapDelayMs): void {
    const neighbour = this.#neighbours.has(source) ? source : this.#anyNeighbour()
    if (neighbour === undefined) return
    const at = now.monotonicMs + delayMs * (0.5 + this.#chance())
    this.#wanted.set(neighbour, Math.min(this.#wanted.get(neighbour) ?? Infinity, at))
  }

  tick(now: Instant): void {
    for (const session of [...this.#sessions.values()]) {
      if (now.monotonicMs - session.progressAtMs >= SESSION_IDLE_MS) this.#stop(session, 'no progress')
    }
    if (now.monotonicMs >= this.#nextRoundMs) {
      const span = ANTI_ENTROPY_MAX_MS - ANTI_ENTROPY_MIN_MS
      this.#nextRoundMs = now.monotonicMs + ANTI_ENTROPY_MIN_MS + span * this.#chance()
      const neighbour = this.#anyNeighbour()
      if (neighbour !== undefined) this.#wanted.set(neighbour, now.monotonicMs)
    }
    this.#answerDeferred(now)
    for (const [neighbour, at] of this.#wanted) {
      if (this.#startedCount() >= SESSIONS_STARTED_MAX) break
      if (now.monotonicMs < at || this.#isWith(neighbour)) continue
      if (now.monotonicMs < Math.min(this.#receivingUntilMs(), at + SESSION_DEFERRED_MAX_MS)) continue
      this.#wanted.delete(neighbour)
      this.#start(neighbour, now)
    }
  }

  /** Takes a message of a session. Throws `MESSAGE_MALFORMED` for what no honest peer sends. */
  receive(from: PeerId, message: SessionMessage, now: Instant): void {
    if (message.type === 'digest') {
      this.#answer(from, message.session, message.root, now)
      return
    }
    const session = this.#sessions.get(sessionKey(from, message.session))
    // The other may still send for a session that has been given up here: tell it, and leave it at that.
    if (session === undefined) {
      if (message.type === 'stop') this.#deferred.stopped(from, message.session)
      if (message.type === 'chunk' || message.type === 'vectors') {
        this.#owner.send(from, { type: 'stop', session: message.session, reason: 'no such session' })
      }
      return
    }
    session.progressAtMs = now.monotonicMs
    switch (message.type) {
      case 'equal':
        session.received = true
        this.#end(session, true)
        break
      case 'stop':
        this.#end(session, false)
        break
      case 'vectors':
        this.#serve(session, message.parts, message.ask, now)
        break
      case 'chunk':
        this.#receiveChunk(session, message.index, message.last, message.block)
        break
      case 'chunk-ack':
        session.outgoing?.acknowledged()
        this.#pump(session)
    }
  }

  /** What this peer holds, partition by partition, as far as one message can say it. */
  parts(): PartDigest[] {
    const parts: PartDigest[] = []
    let sizeBytes = 0
    for (const { name, replica } of this.#collections.partitions()) {
      if (replica.vector.isEmpty) continue
      const vector = encodeVector(replica.vector, this.#ids)
      sizeBytes += vector.length + PART_MAX_BYTES
      // What is left out is sent whole by the other peer: dear, but right.
      if (sizeBytes > MESSAGE_MAX_BYTES / 2) break
      parts.push({ ...name, fingerprint: hashHex(replica.fingerprint), vector })
    }
    return parts
  }

  decodeParts(parts: readonly PartDigest[]): SeenPart[] {
    return parts.map((part) => ({ ...part, seen: decodeVector(part.vector, this.#ids) }))
  }

  #start(neighbour: PeerId, now: Instant): void {
    const session = this.#open(neighbour, this.#random.uint32(), true, now)
    this.#owner.send(neighbour, { type: 'digest', session: session.id, root: this.#collections.root() })
  }

  #answer(from: PeerId, id: number, root: string, now: Instant): void {
    const own = this.#unansweredWith(from)
    if (own !== undefined) {
      // Both have started at once, as on connecting: one session serves both, that of the smaller peer id.
      if (this.#owner.peerId < from) return
      this.#sessions.delete(sessionKey(from, own.id))
    }
    if (this.sessionCount >= SESSIONS_MAX || this.#sessions.has(sessionKey(from, id))) {
      this.#owner.send(from, { type: 'stop', session: id, reason: 'too many sessions' })
      return
    }
    if (root === this.#collections.root()) {
      this.#owner.send(from, { type: 'equal', session: id })
      this.#owner.sessionEnded(from, true, 0, 0)
      return
    }
    this.#deferred.add({ from, session: id, root, atMs: now.monotonicMs })
    this.#answerDeferred(now)
  }

  #answerDeferred(now: Instant): void {
    for (;;) {
      const digest = this.#deferred.due(now.monotonicMs, this.#receivingUntilMs())
      if (digest === undefined) return
      const { from, session } = digest
      this.#open(from, session, false, now)
      this.#owner.send(from, { type: 'vectors', session, ask: true, parts: this.parts() })
    }
  }

  /** Until when it is worth to wait for neighbours that are sending, or about to send, what is missing here. */
  #receivingUntilMs(): number {
    let until = -Infinity
    for (const { received, rowsReceived, progressAtMs } of this.#sessions.values()) {
      if (received) continue
      until = Math.max(until, progressAtMs + (rowsReceived > 0 ? RECEIVING_PATIENCE_MS : ANSWER_PATIENCE_MS))
    }
    return until
  }

  /** Sends what the other lacks, and asks for what it has when it has not been told what is here. */
  #serve(session: Session, digests: readonly PartDigest[], ask: boolean, now: Instant): void {
    if (session.outgoing !== undefined) throw new GridError('MESSAGE_MALFORMED', 'vectors twice in one session')
    const parts = this.decodeParts(digests)
    this.#owner.vectorsSeen(session.neighbour, parts)
    if (ask) {
      this.#owner.send(session.neighbour, { type: 'vectors', session: session.id, ask: false, parts: this.parts() })
    }
    session.outgoing = new Outgoing(this.#ids, this.#servings(session.neighbour, parts, now))
    this.#pump(session)
  }

  #servings(neighbour: PeerId, parts: readonly SeenPart[], now: Instant): Serving[] {
    const told = new Map<string, SeenPart>()
    for (const part of parts) told.set(partKey(part), part)
    const names = new Set(parts.map((part) => part.collection))
    const mayGoWhole = now.monotonicMs - (this.#wholeAtMs.get(neighbour) ?? -Infinity) >= WHOLE_EXCHANGE_GAP_MS
    const servings: Serving[] = []
    for (const partition of this.#collections.partitions()) {
      const { replica, name } = partition
      const part = told.get(partKey(name))
      if (part === undefined) {
        // One that the other holds as another kind would be refused row by row, again and again.
        if (!names.has(name.collection)) servings.push({ partition, known: new VersionVector() })
        continue
      }
      const damaged =
        part.fingerprint !== hashHex(replica.fingerprint) &&
        hashHex(part.seen.hash(this.#ids)) === hashHex(replica.vector.hash(this.#ids))
      // Same writes seen and yet other entries: one of the two is damaged, and only the whole partition can tell.
      if (damaged && mayGoWhole) {
        this.#wholeAtMs.set(neighbour, now.monotonicMs)
        servings.push({ partition, known: new VersionVector() })
      } else servings.push({ partition, known: part.seen })
    }
    return servings
  }

  #receiveChunk(session: Session, index: number, last: boolean, block: Uint8Array): void {
    const applied = this.#owner.apply(session.neighbour, block, !session.voidsBarred)
    session.rowsReceived += applied.rows
    session.voidsBarred ||= applied.incomplete
    this.#owner.whenDurable(() => {
      if (!this.#isOpen(session)) return
      this.#owner.send(session.neighbour, { type: 'chunk-ack', session: session.id, index })
      if (!last) return
      session.received = true
      this.#endIfDone(session)
    })
  }

  #pump(session: Session): void {
    for (let chunk = session.outgoing?.next(); chunk !== undefined; chunk = session.outgoing?.next()) {
      const message: Message = { type: 'chunk', session: session.id, ...chunk }
      // It holds writes of this peer that may still be on their way to disk, whose dots a crash would give out again.
      this.#owner.whenDurable(() => {
        if (this.#isOpen(session)) this.#owner.send(session.neighbour, message)
      })
    }
    this.#endIfDone(session)
  }

  #isOpen(session: Session): boolean {
    return this.#sessions.get(sessionKey(session.neighbour, session.id)) === session
  }

  #endIfDone(session: Session): void {
    if (session.received && session.outgoing?.done === true) this.#end(session, true)
  }

  #open(neighbour: PeerId, id: number, started: boolean, now: Instant): Session {
    const session: Session = {
      neighbour,
      id,
      started,
      outgoing: undefined,
      received: false,
      rowsReceived: 0,
      voidsBarred: false,
      progressAtMs: now.monotonicMs,
    }
    this.#sessions.set(sessionKey(neighbour, id), session)
    return session
  }

  #stop(session: Session, reason: string): void {
    this.#owner.send(session.neighbour, { type: 'stop', session: session.id, reason })
    this.#end(session, false)
  }

  #end(session: Session, complete: boolean): void {
    this.#sessions.delete(sessionKey(session.neighbour, session.id))
    const useful = complete && session.rowsReceived > 0 && !session.voidsBarred
    // A gap that sessions do not fill, because nobody has the writes or they are refused here, must not cause a session
    // for every frame.
    this.#gapDelayMs = useful ? GAP_DELAY_MS : Math.min(this.#gapDelayMs * 2, GAP_DELAY_MAX_MS)
    this.#owner.sessionEnded(session.neighbour, complete, session.outgoing?.rowsSent ?? 0, session.rowsReceived)
  }

  #startedCount(): number {
    let count = 0
    for (const session of this.#sessions.values()) if (session.started) count += 1
    return count
  }

  /** A session with the neighbour is under way, whoever started it: it carries both ways. */
  #isWith(neighbour: PeerId): boolean {
    for (const session of this.#sessions.values()) if (session.neighbour === neighbour) return true
    return false
  }

  /** The session started with a neighbour of which it has not been heard yet. */
  #unansweredWith(neighbour: PeerId): Session | undefined {
    for (const session of this.#sessions.values()) {
      if (session.started && session.neighbour === neighbour && session.outgoing === undefined) return session
    }
    return undefined
  }

  #anyNeighbour(): PeerId | undefined {
    const neighbours = [...this.#neighbours]
    return neighbours[Math.floor(this.#chance() * neighbours.length)]
  }

  #chance(): number {
    return this.#random.uint32() / 0x100000000
  }
}

function sessionKey(neighbour: PeerId, id: number): string {
  return `${id} ${neighbour}`
}

function partKey(part: { readonly collection: string; readonly kind: number; readonly partition: number }): string {
  return `${part.kind} ${part.partition} ${part.collection}`
}
