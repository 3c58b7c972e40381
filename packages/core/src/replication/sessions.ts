import { FullResyncs } from './full-resync.ts'
import { ANSWER_PATIENCE_MS, RECEIVING_PATIENCE_MS } from '../limits.ts'
import type { Outgoing } from './outgoing.ts'
import type { PeerId } from '../ports.ts'

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
  /** A row was refused or quarantined, so superseded dots may not be counted as seen. */
  isSupersededBarred: boolean
  progressAtMs: number
  /** Partitions that come whole, after which old entries may go. */
  readonly resyncs: FullResyncs
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
      isSupersededBarred: false,
      progressAtMs: nowMs,
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

  /** Until when it is worth to wait for neighbours that are sending, or about to send, what is missing here. */
  receivingUntilMs(): number {
    let until = -Infinity
    for (const { received, rowsReceived, progressAtMs } of this.#sessions.values()) {
      if (received) continue
      until = Math.max(until, progressAtMs + (rowsReceived > 0 ? RECEIVING_PATIENCE_MS : ANSWER_PATIENCE_MS))
    }
    return until
  }
}

function sessionKey(neighbour: PeerId, id: number): string {
  return `${id} ${neighbour}`
}
