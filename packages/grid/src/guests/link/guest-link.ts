import { GridError, hlcFromWall, splitKey, wallFromHlc } from '@gossipgrid/core'
import type { GuestDialler } from '@gossipgrid/network/guest-dialler'
import type { Logger } from '../../logger.ts'
import type { GuestStatus } from '../../runtime/guest-status.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { Seldom } from '../../runtime/seldom.ts'
import type { RefusedWrite } from '../../lifecycle/event-reporter.ts'
import { GUEST_WRITES_MAX } from '../guest-limits.ts'
import { DOCUMENT_ROWS } from '../covering.ts'
import { isSlotted } from '../map-kinds.ts'
import type { GuestMessage, MemberMessage, WriteAnswer } from '../messages.ts'
import type { GridSignals } from '../../signals/grid-signals.ts'
import { LinkSignals } from '../signals/link-signals.ts'
import { GuestFeeds } from '../feeds/guest-feeds.ts'
import { GuestRequests } from '../partitioned/guest-requests.ts'
import { GuestIdentity } from './guest-identity.ts'
import type { GuestOutbox } from './guest-outbox.ts'
import { GuestRows } from './guest-rows.ts'
import { refusedWrite } from './refused-write.ts'
import { MemberConnection } from './member-connection.ts'
import type { CarriedPass, PassHolder } from './pass-holder.ts'

const DIAL_MAX_MS = 10_000
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 15_000
/** Bytes of writes in one message. One value more fits. */
const WRITES_MAX_BYTES: number = 512 * 1024
const LOG_GAP_MS = 60_000

export interface GuestLinkDeps {
  readonly pump: Pump
  readonly outbox: GuestOutbox
  readonly dialler: GuestDialler
  readonly addresses: readonly string[]
  readonly passes: PassHolder
  readonly logger: Logger
  readonly signals: GridSignals
  /** The guest has all that its pass covers. */
  exchanged(): void
  refused(refused: { readonly from: string; readonly error: GridError; readonly write?: RefusedWrite }): void
}

/** Keeps a guest connected to a member: takes what it sends, and sends what the guest has written. */
export class GuestLink {
  readonly signals: LinkSignals
  /** To partitioned maps. */
  readonly requests: GuestRequests
  readonly feeds: GuestFeeds
  readonly #deps: GuestLinkDeps
  readonly #identity: GuestIdentity
  readonly #rows: GuestRows
  readonly #logged = new Seldom(LOG_GAP_MS)
  #connection: MemberConnection | undefined
  #pass: CarriedPass | undefined
  #isWelcome = false
  #isCaughtUp = false
  /** Number of the last write that was sent on this connection. */
  #sent = 0
  /** How many of those are not answered. */
  #unanswered = 0
  /** What members date a write with now: what they have shown, and when, in monotonic milliseconds. */
  #shownHlc = 0
  #shownAtMs = 0
  #isSending = false
  #problem = 'it has not connected yet'
  #online = true
  #isClosed = false
  #attempts = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #renewalTimer: ReturnType<typeof setTimeout> | undefined

  constructor(deps: GuestLinkDeps) {
    this.#deps = deps
    this.#identity = new GuestIdentity(deps.pump)
    this.#rows = new GuestRows(deps, this.#identity)
    deps.outbox.grants = this.#identity.grants
    deps.outbox.documents.author = this.#identity.author
    this.signals = new LinkSignals({
      signals: deps.signals,
      ownState: () => deps.pump.peer.signals.presence.own?.value,
      refused: (error) => deps.refused({ from: this.#connection!.memberId, error }),
    })
    this.signals.grants = this.#identity.grants
    this.signals.subject = this.#identity.subject
    const { outbox, pump } = deps
    this.requests = new GuestRequests({
      closing: pump.closing,
      date: () => {
        // By a clock that is behind, it would be as if it had been sent long ago.
        pump.peer.time.hybridClock.observe(this.#nowHlc)
        return outbox.dateOf(pump.peer.time.nextHlc(pump.now()), this.#nowHlc)
      },
    })
    this.requests.grants = this.#identity.grants
    this.feeds = new GuestFeeds(pump.closing)
    this.feeds.grants = this.#identity.grants
    deps.outbox.onWrite = () => this.#sendWritesSoon()
  }

  status(): GuestStatus {
    return {
      state: this.#isWelcome ? 'connected' : 'offline',
      isCaughtUp: this.#isCaughtUp,
      subject: this.#identity.subject,
      expiresAtMs: this.#pass?.content.expiresAtMs,
      waitingWrites: this.#deps.outbox.size,
      problem: this.#isWelcome ? '' : this.#problem,
    }
  }

  start(): void {
    this.#retry(0)
  }

  setOnline(online: boolean): void {
    this.#online = online
    if (online) this.wake()
    else this.#connection?.end(new GridError('NETWORK_NOT_CONNECTED', 'this guest is cut off'))
  }

  /** Tries again at once, if it is not connected. */
  wake(): void {
    if (this.#connection !== undefined) return
    this.#attempts = 0
    this.#retry(0)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#renewalTimer)
    await this.#connection?.close()
  }

  #retry(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isClosed || !this.#online) return
    this.#timer = setTimeout(() => void this.#connect(), delayMs)
  }

  async #connect(): Promise<void> {
    if (this.#connection !== undefined || this.#isClosed || !this.#online) return
    const { addresses, dialler, passes } = this.#deps
    const address = addresses[this.#attempts % addresses.length]!
    this.#attempts += 1
    try {
      const pass = await passes.get()
      const connection = await dialler.dial(address, AbortSignal.timeout(DIAL_MAX_MS))
      if (this.#isClosed || !this.#online) {
        connection.end('this guest has closed')
        return
      }
      const member = new MemberConnection(connection, dialler.peerId, {
        message: (message) => this.#onMessage(message),
        ended: (error) => this.#ended(error),
      })
      this.#connection = member
      await this.#enter(member, pass)
    } catch (error) {
      if (this.#connection === undefined) this.#failed(error)
      else
        this.#connection.end(error instanceof GridError ? error : new GridError('NETWORK_DIAL_FAILED', String(error)))
    }
  }

  async #enter(member: MemberConnection, pass: CarriedPass): Promise<void> {
    const { subject, grants } = pass.content
    // What another subject has written must not be sent as of this one, and what it has read is not for this one.
    if (this.#identity.subject !== subject) {
      if (this.#identity.subject !== undefined) {
        this.#rows.wipe()
        this.requests.refuseAll()
        this.feeds.refuseAll()
      }
      this.#identity.become(subject, grants)
      this.#deps.outbox.grants = grants
      this.requests.grants = grants
      this.feeds.grants = grants
      this.#deps.outbox.documents.author = undefined
    }
    this.#pass = pass
    this.#sent = 0
    this.#unanswered = 0
    this.#rows.connected()
    await member.enter(pass, { guest: this.#identity.guest, cursors: this.#rows.cursors() })
  }

  #ended(error: GridError): void {
    clearTimeout(this.#renewalTimer)
    this.#connection = undefined
    this.#isWelcome = false
    this.#isCaughtUp = false
    this.signals.ended()
    this.requests.ended()
    this.feeds.ended()
    this.#failed(error)
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#problem = message
    const code = error instanceof GridError ? error.code : undefined
    if (code === 'PASS_INVALID') this.#deps.passes.refused()
    if (!this.#isClosed && this.#online && this.#logged.due(String(code), performance.now()))
      this.#deps.logger.warn(`no member serves this guest: ${message}`, { code })
    this.#changed()
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#attempts, 10))
    this.#retry(delayMs * (0.5 + Math.random()))
  }

  #onMessage(message: MemberMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#welcome(message)
        break
      case 'rows':
        this.#observe(message.hlc)
        this.#take(message)
        break
      case 'caught-up':
        this.#isCaughtUp = true
        this.#deps.exchanged()
        this.#changed()
        break
      case 'answers':
        this.#observe(message.hlc)
        this.#takeAnswers(message.answers, this.#connection!)
        this.#sendWrites()
        this.#changed()
        break
      case 'signals':
        this.signals.receive(message, this.#deps.pump.peer.peerId)
        break
      case 'taken':
        this.signals.taken(message)
        break
      case 'reply':
        this.#observe(message.hlc)
        this.requests.replied(message)
        break
      case 'followed':
        this.#observe(message.hlc)
        this.feeds.replied(message)
        break
      case 'proof':
      case 'end':
    }
  }

  #welcome({ author, feedsMax, grants, hlc, requestsMax, subject }: Extract<MemberMessage, { type: 'welcome' }>): void {
    this.#shownHlc = hlc
    this.#shownAtMs = performance.now()
    this.#attempts = 0
    this.#isWelcome = true
    this.#rows.restrict(grants)
    this.#identity.allow(grants, author)
    const { documents } = this.#deps.outbox
    documents.grants = grants
    documents.author = this.#identity.author
    const connection = this.#connection!
    const send = (sent: GuestMessage): void => void connection.send(sent).catch(() => undefined)
    this.signals.welcome(grants, subject, send)
    this.requests.grants = grants
    this.requests.welcome(requestsMax, send)
    this.feeds.grants = grants
    this.feeds.welcome(feedsMax, send)
    this.#deps.passes.observe(wallFromHlc(hlc))
    this.#scheduleRenewal(this.#deps.passes.renewalMs(this.#pass!))
    documents.opened()?.welcome()
    this.#sendWrites()
    this.#changed()
  }

  #take(message: Extract<MemberMessage, { type: 'rows' }>): void {
    try {
      this.#rows.take(message)
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'COLLECTION_MISMATCH') throw error
      const { map } = message
      if (this.#logged.due(`kind ${map}`, performance.now()))
        this.#deps.logger.error(`'${map}' is open here as another kind than at members: ${error.message}`)
    }
  }

  #takeAnswers(answers: readonly WriteAnswer[], connection: MemberConnection): void {
    for (const answer of answers) this.#answered(answer, connection)
  }

  #answered({ bytes, code, hlc, number, text }: WriteAnswer, connection: MemberConnection): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1)
    const waiting = this.#deps.outbox.find(number)
    // A later write has taken its place, and brings an answer of its own.
    if (waiting === undefined) return
    const { kind, map, rowKey } = waiting
    const before = code === '' ? undefined : this.#rows.valueOf(kind, map, rowKey)
    this.#rows.answered(number, bytes, hlc)
    if (code === '') return
    if (isSlotted(kind)) this.#deps.outbox.slots.leave(rowKey)
    const error = new GridError(code as GridError['code'], text)
    if (map === DOCUMENT_ROWS && this.#refusedEdit(number, rowKey, error, before))
      connection.end(new GridError('NETWORK_NOT_CONNECTED', 'it reads a document again'))
    this.#deps.refused({ from: connection.memberId, error, write: refusedWrite(waiting) })
  }

  /**
   * The documents that show the edit end, and so does all that waits after it, also what is sent: if its answer is lost, a member would
   * take it without what it builds on. What members have of the document is to be read again if that was
   * anything: then the result is true.
   */
  #refusedEdit(number: number, rowKey: string, error: GridError, bytes: Uint8Array | undefined): boolean {
    const { main: name } = splitKey(rowKey)
    const later = this.#rows.refuseEdits(name, number)
    const rows = bytes === undefined || rowKey === name ? [] : [bytes]
    this.#deps.outbox.documents.opened()?.refuse(name, error, [...rows, ...(later ?? [])])
    return later !== undefined
  }

  /** Later writes here are dated later than what a member has sent. */
  #observe(hlc: number): void {
    if (hlc > this.#nowHlc) {
      this.#shownHlc = hlc
      this.#shownAtMs = performance.now()
    }
    this.#deps.pump.peer.time.hybridClock.observe(hlc)
  }

  /** What the member would date a write with now, about. */
  get #nowHlc(): number {
    const passedMs = performance.now() - this.#shownAtMs
    return Math.max(this.#shownHlc, hlcFromWall(wallFromHlc(this.#shownHlc) + passedMs))
  }

  /** Writes of one turn are sent together. */
  #sendWritesSoon(): void {
    if (!this.#isWelcome || this.#unanswered > 0 || this.#isSending) return
    this.#isSending = true
    queueMicrotask(() => {
      this.#isSending = false
      this.#sendWrites()
    })
  }

  /** The next writes, once those before are answered. */
  #sendWrites(): void {
    const connection = this.#connection
    const { outbox, pump } = this.#deps
    if (connection === undefined || !this.#isWelcome || this.#unanswered > 0) return
    const writes = outbox.send(this.#sent, GUEST_WRITES_MAX, WRITES_MAX_BYTES, this.#nowHlc)
    if (writes.length === 0) return
    this.#sent = writes.at(-1)!.number
    this.#unanswered = writes.length
    // What is sent is durable here: a number is never given twice.
    pump.peer.commit.whenDurable(() => {
      connection.send({ type: 'writes', writes }).catch(() => undefined)
    })
    pump.tickSoon()
  }

  #scheduleRenewal(delayMs: number | undefined): void {
    clearTimeout(this.#renewalTimer)
    if (delayMs === undefined) return
    this.#renewalTimer = setTimeout(() => void this.#renew(), Math.min(delayMs, 2 ** 31 - 1))
  }

  async #renew(): Promise<void> {
    const connection = this.#connection
    try {
      const pass = await this.#deps.passes.renew()
      if (connection === undefined || connection !== this.#connection) return
      if (pass.content.subject !== this.#identity.subject) {
        // It enters again, as the other subject.
        connection.end(new GridError('PASS_INVALID', 'the pass is for another subject now'))
        return
      }
      if (pass.text === this.#pass?.text) {
        this.#scheduleRenewal(this.#deps.passes.renewalMs(pass))
        return
      }
      this.#pass = pass
      await connection.send({ type: 'pass', pass: pass.text })
    } catch (error) {
      this.#deps.logger.debug(`renewing the pass has failed: ${String(error)}`)
      this.#scheduleRenewal(this.#deps.passes.retryMs())
    }
  }

  /** What the grid reports of itself has changed. */
  #changed(): void {
    if (!this.#isClosed) this.#deps.pump.tickSoon()
  }
}
