import { FullResyncs } from './full-resync.ts'
import {
  ANSWER_PATIENCE_MS,
  BULK_BYTES,
  RECEIVING_PATIENCE_MS,
  SESSION_BULK_DEFERRED_MAX_MS,
  SESSION_DEFERRED_MAX_MS,
} from '../limits.ts'
import type { Outgoing } from './outgoing.ts'
import type { SharedPartitions } from '../placement/placement.ts'
import type { PeerId } from '../ports.ts'
import type { CopyGroup } from '../wire/copy-groups.ts'

/** One exchange with one neighbour. */
export interface Session {
  readonly neighbour: PeerId
  readonly id: number
  /** By this peer. */
  readonly started: boolean
  /** Whose claim it was started for, if anybody's. */
  readonly source: PeerId | undefined
  outgoing: Outgoing | undefined
  /** All the other's chunks are here and durable. */
  received: boolean
  rowsReceived: number
  bytesReceived: number
  /** When the last `BULK_BYTES` of what was received were complete. */
  bulkAtMs: number
  /** A row was refused or quarantined, so superseded dots may not be counted as seen. */
  isSupersededBarred: boolean
  readonly startedAtMs: number
  progressAtMs: number
  /** What is compared; undefined until the other peer has said what it has a copy of. */
  isShared: SharedPartitions | undefined
  /** What the other peer has said of its copies. */
  published: readonly CopyGroup[] | undefined
  /** Some partition stood on another purge floor when the session began. */
  floorsDiffer: boolean
  /** The partitions that this peer has named in its vectors, if it could not name all. */
  named: ReadonlySet<string> | undefined
  /** Partitions that come whole, after which old entries may go. */
  readonly resyncs: FullResyncs
}

/** Hears of sessions that have brought all that the other peer had. */
export interface SessionWatcher {
  /** What is replicated is the same at another peer, by a comparison that began at `startedAtMs`. */
  met(neighbour: PeerId, startedAtMs: number): void
  /** A session has ended, and nothing that the other peer sent was left out. */
  completed(session: Session): void
}

/** The sessions under way. */
export class Sessions {
  readonly #sessions = new Map<string, Session>()

  get size(): number {
    return this.#sessions.size
  }

  /** Those under way now, whatever becomes of them meanwhile. */
  all(): Session[] {
    return [...this.#sessions.values()]
  }

  /** The neighbours that a session is under way with. */
  neighbours(): Set<PeerId> {
    return new Set(Array.from(this.#sessions.values(), ({ neighbour }) => neighbour))
  }

  get(neighbour: PeerId, id: number): Session | undefined {
    return this.#sessions.get(sessionKey(neighbour, id))
  }

  open(neighbour: PeerId, id: number, started: boolean, source: PeerId | undefined, nowMs: number): Session {
    const session: Session = {
      neighbour,
      id,
      started,
      source,
      outgoing: undefined,
      received: false,
      rowsReceived: 0,
      bytesReceived: 0,
      bulkAtMs: -Infinity,
      isSupersededBarred: false,
      startedAtMs: nowMs,
      progressAtMs: nowMs,
      isShared: undefined,
      published: undefined,
      floorsDiffer: false,
      named: undefined,
      resyncs: new FullResyncs(),
    }
    this.#sessions.set(sessionKey(neighbour, id), session)
    return session
  }

  close(session: Session): void {
    this.#sessions.delete(sessionKey(session.neighbour, session.id))
  }

  isOpen(session: Session): boolean {
    return this.get(session.neighbour, session.id) === session
  }

  startedCount(): number {
    let count = 0
    for (const session of this.#sessions.values()) if (session.started) count += 1
    return count
  }

  /** Sessions that the neighbour has started. */
  startedBy(neighbour: PeerId): number {
    let count = 0
    for (const session of this.#sessions.values()) if (!session.started && session.neighbour === neighbour) count += 1
    return count
  }

  /** A session with the neighbour is under way. It carries both ways, whichever side started it. */
  isWith(neighbour: PeerId): boolean {
    for (const session of this.#sessions.values()) if (session.neighbour === neighbour) return true
    return false
  }

  /** The session that this peer started with a neighbour, which has not answered yet. */
  unansweredWith(neighbour: PeerId): Session | undefined {
    for (const session of this.#sessions.values()) {
      if (session.started && session.neighbour === neighbour && session.outgoing === undefined) return session
    }
    return undefined
  }

  /** A chunk has come. */
  received(session: Session, rows: number, sizeBytes: number, nowMs: number): void {
    session.rowsReceived += rows
    const bulks = Math.floor(session.bytesReceived / BULK_BYTES)
    session.bytesReceived += sizeBytes
    if (Math.floor(session.bytesReceived / BULK_BYTES) > bulks) session.bulkAtMs = nowMs
  }

  /**
   * Until when a session that is wanted since `atMs` has to wait, as long as nothing changes: neighbours are sending, or about to
   * send, what is missing here, and another one would send the same.
   */
  deferredUntilMs(atMs: number): number {
    let receivingUntilMs = -Infinity
    let bulkAtMs = -Infinity
    for (const session of this.#sessions.values()) {
      if (session.received) continue
      const patienceMs = session.rowsReceived > 0 ? RECEIVING_PATIENCE_MS : ANSWER_PATIENCE_MS
      receivingUntilMs = Math.max(receivingUntilMs, session.progressAtMs + patienceMs)
      bulkAtMs = Math.max(bulkAtMs, session.bulkAtMs)
    }
    const bulkUntilMs = Math.min(bulkAtMs + SESSION_DEFERRED_MAX_MS, atMs + SESSION_BULK_DEFERRED_MAX_MS)
    return Math.min(receivingUntilMs, Math.max(atMs + SESSION_DEFERRED_MAX_MS, bulkUntilMs))
  }
}

function sessionKey(neighbour: PeerId, id: number): string {
  return `${id} ${neighbour}`
}
