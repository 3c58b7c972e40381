import { GridError } from '@gossipgrid/core'
import type { GuestListener } from '@gossipgrid/network/guest-listener'
import type { GuestsStatus } from '../../runtime/guest-status.ts'
import type { GuestChannel } from '@gossipgrid/network/guest-dialler'
import { GuestSession } from './guest-session.ts'
import type { GuestSessionDeps } from './guest-session.ts'

/** Changes within this time are sent to guests together. */
const WAKE_GAP_MS = 5
/** How often guests are looked for that have not come back for months. */
const FORGET_GAP_MS = 3_600_000
/** Connections that have shown no pass yet. The network bounds them too, by their addresses. */
const STRANGERS_MAX = 200

export interface GuestServiceDeps extends Omit<GuestSessionDeps, 'enter' | 'left' | 'memberId'> {
  readonly guestsMax: number
}

/** Serves the guests of a member. */
export class GuestService {
  readonly #deps: GuestServiceDeps
  /** Those that have shown a pass, by what names them. */
  readonly #entered = new Map<string, GuestSession>()
  readonly #strangers = new Set<GuestSession>()
  readonly #endFollowing: () => void
  #sessionDeps: GuestSessionDeps | undefined
  #listener: GuestListener | undefined
  #wakeTimer: ReturnType<typeof setTimeout> | undefined
  #forgetTimer: ReturnType<typeof setInterval> | undefined
  #changes = -1

  constructor(deps: GuestServiceDeps) {
    this.#deps = deps
    this.#endFollowing = deps.pump.afterSteps(() => this.#stepped())
  }

  /** Begins to serve the guests that reach `listener`. */
  start(listener: GuestListener): void {
    this.#listener = listener
    const { logger, writes } = this.#deps
    this.#forgetTimer = setInterval(() => {
      writes.forget().catch((error: unknown) => logger.debug(`forgetting guests has failed: ${String(error)}`))
    }, FORGET_GAP_MS)
    this.#sessionDeps = {
      ...this.#deps,
      memberId: listener.peerId,
      enter: (session) => this.#enter(session),
      left: (session) => this.#left(session),
    }
  }

  /** A peer has connected, and may be anyone. */
  onConnection(connection: GuestChannel): void {
    if (this.#sessionDeps === undefined || this.#strangers.size >= STRANGERS_MAX) {
      connection.end('too many connect at a time')
      return
    }
    const session = new GuestSession(this.#sessionDeps, connection)
    if (!session.isOver) this.#strangers.add(session)
  }

  status(): GuestsStatus {
    const { counts } = this.#deps.writes
    return {
      addresses: this.#listener?.addresses() ?? [],
      connected: this.#entered.size,
      writesTaken: counts.taken,
      writesRefused: counts.refused,
    }
  }

  async close(): Promise<void> {
    this.#sessionDeps = undefined
    this.#endFollowing()
    clearTimeout(this.#wakeTimer)
    clearInterval(this.#forgetTimer)
    const closed = new GridError('CLOSED', 'the member closes')
    for (const session of [...this.#entered.values(), ...this.#strangers]) session.end(closed)
    this.#deps.signals.close()
    await this.#listener?.stop()
  }

  #enter(session: GuestSession): void {
    const { guest } = session
    const before = this.#entered.get(guest)
    if (before === undefined && this.#entered.size >= this.#deps.guestsMax) this.#makeRoom(session.subject)
    this.#strangers.delete(session)
    this.#entered.set(guest, session)
    // A guest that lost its network comes back before its old connection is known to have ended.
    before?.end(new GridError('CLOSED', 'the guest has connected again'))
  }

  /**
   * Ends the latest connection of the subject with the most, so that no single pass takes all places. Throws `QUOTA_EXCEEDED` if this subject would then
   * have more than that one: two of them would send each other away without end.
   */
  #makeRoom(subject: string | undefined): void {
    const bySubject = Map.groupBy(this.#entered.values(), (session) => session.subject)
    const sessions = [...bySubject.values()].reduce((most, some) => (some.length > most.length ? some : most), [])
    const own = bySubject.get(subject)?.length ?? 0
    if (sessions.length <= own + 1)
      throw new GridError('QUOTA_EXCEEDED', `this member serves ${this.#deps.guestsMax} guests already`)
    sessions.at(-1)!.end(new GridError('QUOTA_EXCEEDED', 'its place goes to a subject with fewer connections'))
  }

  #left(session: GuestSession): void {
    this.#strangers.delete(session)
    const { guest } = session
    if (this.#entered.get(guest) === session) this.#entered.delete(guest)
  }

  #stepped(): void {
    const { changes } = this.#deps.pump.peer.commit
    if (changes === this.#changes || this.#wakeTimer !== undefined) return
    this.#changes = changes
    this.#wakeTimer = setTimeout(() => {
      this.#wakeTimer = undefined
      this.#changes = this.#deps.pump.peer.commit.changes
      for (const session of this.#entered.values()) session.wake()
    }, WAKE_GAP_MS)
  }
}
