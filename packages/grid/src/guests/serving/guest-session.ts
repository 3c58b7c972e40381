import { GridError, hlcFromWall } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { nextTurn } from '../../flow/next-turn.ts'
import type { Logger } from '../../logger.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { GuestChannel } from '@gossipgrid/network/guest-dialler'
import {
  GUEST_ENTRY_MAX_MS,
  GUEST_FEEDS_MAX,
  GUEST_REQUESTS_MAX,
  GUEST_WAITING_MAX_BYTES,
  GUEST_WAITING_MESSAGES_MAX,
} from '../guest-limits.ts'
import { isSlotted } from '../map-kinds.ts'
import { decodeGuestMessage, encodeMemberMessage } from '../messages.ts'
import type { GuestMessage, MemberMessage, WriteAnswer } from '../messages.ts'
import { passInvalid } from '../pass-text.ts'
import type { PassContent } from '../pass-text.ts'
import type { Passes } from '../passes/passes.ts'
import type { Revocations } from '../passes/revocations.ts'
import { openCursor, sealCursor } from './cursor-seal.ts'
import type { SealedCursor } from './cursor-seal.ts'
import { GuestReads, mapPartition } from './guest-reads.ts'
import type { ReadPiece } from './guest-reads.ts'
import type { GuestWrites, Verdict } from './guest-writes.ts'
import type { MemberSignals } from '../signals/member-signals.ts'
import { SessionSignals } from '../signals/session-signals.ts'
import { proofText } from '../member-proof.ts'
import type { ServedMaps } from '../partitioned/served-maps.ts'
import { SessionRequests } from '../partitioned/session-requests.ts'
import type { SharedReads } from './shared-reads.ts'
import type { SubjectRates } from './subject-rates.ts'
import type { TakenEdits } from './taken-edits.ts'

/** What a member serves all of its guests with. */
export interface GuestSessionDeps {
  readonly pump: Pump
  readonly memberId: string
  readonly passes: Passes
  readonly revocations: Revocations
  readonly rates: SubjectRates
  readonly writes: GuestWrites
  readonly edits: TakenEdits
  readonly shared: SharedReads<ReadPiece>
  readonly signals: MemberSignals
  readonly maps: ServedMaps
  readonly logger: Logger
  /** Takes a guest in, which ends an older connection of the same one. Throws `QUOTA_EXCEEDED` where there is no room. */
  enter(session: GuestSession): void
  left(session: GuestSession): void
}

/** One guest at this member: from a stranger's connection, by a pass, to what it may read and write. */
export class GuestSession {
  readonly #deps: GuestSessionDeps
  readonly #connection: GuestChannel
  readonly #entryTimer: ReturnType<typeof setTimeout>
  #queue: Promise<void> = Promise.resolve()
  #waiting = 0
  #waitingBytes = 0
  #endPace: () => void = () => undefined
  #proven = false
  #guest = ''
  #pass: PassContent | undefined
  #reads: GuestReads | undefined
  #signals: SessionSignals | undefined
  #requests: SessionRequests | undefined
  #verdicts: Verdict[] = []
  #endTimer: ReturnType<typeof setTimeout> | undefined
  #woken = Promise.withResolvers<void>()
  #isOver = false
  /** Counts the passes shown: what was read under an earlier one is not sent. */
  #passes = 0

  constructor(deps: GuestSessionDeps, connection: GuestChannel) {
    this.#deps = deps
    this.#connection = connection
    this.#entryTimer = setTimeout(() => connection.end('it has shown no pass in time'), GUEST_ENTRY_MAX_MS)
    connection.listen({ message: (bytes) => this.#onMessage(bytes), ended: () => this.#ended() })
  }

  /** Names the guest, once it has shown a pass. */
  get guest(): string {
    return `${this.#guest} ${this.#pass?.subject}`
  }

  /** That of its pass, once it has shown one. */
  get subject(): string | undefined {
    return this.#pass?.subject
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Something has changed at this peer. */
  wake(): void {
    this.#woken.resolve()
  }

  /** Ends the connection, and says why. */
  end(error: GridError): void {
    if (this.#isOver) return
    const { code, message: text } = error
    void this.#send({ type: 'end', code, text })
      .then(() => this.#connection.close())
      .catch(() => undefined)
    this.#ended()
  }

  #ended(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#entryTimer)
    clearTimeout(this.#endTimer)
    this.#woken.resolve()
    this.#endPace()
    this.#signals?.close(this.#pass!.subject)
    this.#requests?.close()
    this.#deps.left(this)
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.#waiting += 1
    if (this.#waiting > GUEST_WAITING_MESSAGES_MAX) {
      this.#fail(new GridError('MESSAGE_MALFORMED', 'it does not wait for answers'))
      return
    }
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > GUEST_WAITING_MAX_BYTES) this.#connection.pause()
    this.#queue = this.#queue.then(async () => {
      this.#waiting -= 1
      try {
        if (!this.#isOver) await this.#take(decodeGuestMessage(bytes), bytes.length)
      } catch (error) {
        this.#fail(error)
      }
      this.#waitingBytes -= bytes.length
      if (this.#waitingBytes <= GUEST_WAITING_MAX_BYTES) this.#connection.resume()
    })
  }

  #fail(error: unknown): void {
    const { logger } = this.#deps
    if (!(error instanceof GridError)) {
      logger.error(`serving a guest has failed: ${String(error)}`, { error })
      this.#connection.end('serving it has failed')
      return
    }
    logger.debug(`a guest is sent away: ${error.code}: ${error.message}`, { peerId: this.#connection.peerId })
    this.end(error)
  }

  async #take(message: GuestMessage, sizeBytes: number): Promise<void> {
    if (message.type === 'hello') return this.#prove(message)
    if (!this.#proven) throw new GridError('MESSAGE_MALFORMED', 'it has not said hello')
    if (message.type === 'enter') return this.#enter(message)
    await this.#pace(this.#validPass().subject, writesIn(message), sizeBytes)
    if (message.type === 'pass') return this.#renew(message.pass, this.#validPass())
    if (message.type === 'signals') {
      this.#signals!.take(this.#validPass(), message)
      return
    }
    if (message.type === 'ask' || message.type === 'follow') return this.#requests!.take(message)
    const check = (): void => void this.#openPass()
    const verdicts = await this.#deps.writes.take(this.#validPass(), this.#guest, message.writes, check)
    this.#verdicts.push(...verdicts)
    this.wake()
  }

  /** The pass, while the guest is there. Throws `PASS_INVALID`, `CLOSED`. */
  #openPass(): PassContent {
    // It goes on at another member by now, which may answer otherwise.
    if (this.#isOver) throw new GridError('CLOSED', 'its connection has ended')
    return this.#validPass()
  }

  /** Waits until a subject may write so much more, or the connection ends. */
  async #pace(subject: string, writes: number, sizeBytes: number): Promise<void> {
    const delayMs = this.#deps.rates.delayMs(subject, writes, sizeBytes, performance.now())
    if (delayMs <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#endPace = resolve
    const timer = setTimeout(resolve, delayMs)
    await promise
    clearTimeout(timer)
    if (this.#isOver) throw new GridError('CLOSED', 'its connection has ended')
  }

  /** Shows that this peer is a member, before the guest shows its pass to it. */
  async #prove({ key, nonce }: Extract<GuestMessage, { type: 'hello' }>): Promise<void> {
    if (this.#proven) throw new GridError('MESSAGE_MALFORMED', 'it says hello twice')
    this.#proven = true
    const { memberId, passes } = this.#deps
    const signature = await passes.sign(key, proofText(memberId, this.#connection.peerId, nonce))
    if (signature === undefined) throw passInvalid('no member of this grid has signed it')
    await this.#send({ type: 'proof', signature })
  }

  async #enter({ cursors, guest, pass }: Extract<GuestMessage, { type: 'enter' }>): Promise<void> {
    if (this.#pass !== undefined) throw new GridError('MESSAGE_MALFORMED', 'it enters twice')
    const { passes, pump, shared } = this.#deps
    const content = await passes.check(pass, this.#connection.peerId)
    this.#pass = content
    this.#guest = guest
    this.#validPass()
    const opened = await this.#openCursors(cursors)
    if (this.#isOver) return
    this.#deps.enter(this)
    clearTimeout(this.#entryTimer)
    this.#connection.trust()
    this.#signals = new SessionSignals(this.#deps.signals, this.#connection.peerId, () => this.wake())
    this.#requests = new SessionRequests({
      pump,
      maps: this.#deps.maps,
      pass: () => this.#openPass(),
      wake: () => this.wake(),
      failed: (error) => this.#fail(error),
    })
    this.#reads = new GuestReads(pump.peer, () => pump.wallMs, content.grants, opened, shared)
    await this.#welcome(content)
    void this.#serve(this.#reads).catch((error: unknown) => this.#fail(error))
  }

  async #openCursors(
    cursors: ReadonlyMap<string, Uint8Array>,
  ): Promise<Map<string, { readonly partition: Partition; readonly sealed: SealedCursor }>> {
    const { collections } = this.#deps.pump.peer
    const keys = this.#deps.passes.keys.map(({ cursorKey }) => cursorKey)
    const opened = new Map<string, { readonly partition: Partition; readonly sealed: SealedCursor }>()
    for (const [map, bytes] of cursors) {
      const partition = mapPartition(collections, map)
      const sealed = partition && (await openCursor(keys, partition, bytes, collections))
      if (partition !== undefined && sealed !== undefined) opened.set(map, { partition, sealed })
    }
    return opened
  }

  async #renew(text: string, before: PassContent): Promise<void> {
    const content = await this.#deps.passes.check(text, this.#connection.peerId)
    if (content.subject !== before.subject) throw passInvalid('it is for another subject')
    this.#pass = content
    this.#passes += 1
    this.#validPass()
    this.#reads?.regrant(content.grants)
    this.#requests?.regrant(content.grants)
    await this.#welcome(content)
    this.wake()
  }

  async #welcome({ expiresAtMs, grants, subject }: PassContent): Promise<void> {
    const { peer, wallMs } = this.#deps.pump
    clearTimeout(this.#endTimer)
    this.#endTimer = setTimeout(() => this.wake(), Math.min(expiresAtMs - wallMs + 1, 2 ** 31 - 1))
    const hlc = Math.max(hlcFromWall(wallMs), peer.time.hybridClock.last)
    const author = await this.#deps.edits.authorOf(subject, this.#guest)
    this.#signals!.author = author
    const maxima = { requestsMax: GUEST_REQUESTS_MAX, feedsMax: GUEST_FEEDS_MAX }
    await this.#send({ type: 'welcome', subject, expiresAtMs, grants, hlc, author, ...maxima })
  }

  /** The pass, which is looked at again whenever anything is read or written by it. Throws `PASS_INVALID`. */
  #validPass(): PassContent {
    const pass = this.#pass
    if (pass === undefined) throw new GridError('MESSAGE_MALFORMED', 'it has shown no pass')
    if (pass.expiresAtMs <= this.#deps.pump.wallMs) throw passInvalid('it has expired')
    if (this.#deps.revocations.has(pass.id)) throw passInvalid('it was revoked')
    return pass
  }

  /** Sends what the guest lacks, piece by piece, and the answers to its writes: each is as of the moment when it is put together. */
  async #serve(reads: GuestReads): Promise<void> {
    let isCaughtUp = false
    while (!this.#isOver) {
      const pass = this.#validPass()
      this.#woken = Promise.withResolvers()
      const signals = this.#signals!.next(pass)
      // Messages of topics do not wait for rows, and rows not for messages.
      if (signals !== undefined) await this.#send(signals)
      const hasReplied = this.#requests!.hasReplies
      if (hasReplied) await this.#reply()
      const passes = this.#passes
      const verdicts = this.#takeVerdicts()
      const piece = verdicts.length === 0 ? reads.next() : undefined
      if (piece === 'looking') {
        await new Promise<void>(nextTurn)
        continue
      }
      const pieces = piece === undefined ? this.#beforeAnswers(reads, verdicts) : [piece]
      const answers = this.#answers(reads, verdicts)
      const messages = await Promise.all(pieces.map((each) => this.#encoded(each)))
      const bytes = answers === undefined ? messages : [...messages, answers]
      if (bytes.length === 0) {
        if (signals !== undefined || hasReplied) continue
        if (!isCaughtUp) await this.#send({ type: 'caught-up' })
        isCaughtUp = true
        await this.#woken.promise
        continue
      }
      await this.#durable()
      this.#validPass()
      // The pass was renewed meanwhile, and what was put together may be more than it covers now.
      if (passes !== this.#passes) {
        for (const { map } of pieces) reads.restart(map)
        this.#verdicts.unshift(...verdicts)
        continue
      }
      for (const message of bytes) await this.#sendBytes(message)
    }
  }

  /** See `GuestReads.beforeAnswer`. */
  #beforeAnswers(reads: GuestReads, verdicts: readonly Verdict[]): ReadPiece[] {
    const kinds = new Map(verdicts.map(({ write: { kind, map } }) => [map, kind]))
    return [...kinds].map(([map, kind]) => reads.beforeAnswer(map, kind)).filter((piece) => piece !== undefined)
  }

  /** What owners have given is durable there, and what this peer has written is to be so here. */
  async #reply(): Promise<void> {
    await this.#durable()
    const reply = this.#requests!.next(this.#validPass())
    if (reply !== undefined) await this.#send(reply)
  }

  /** As many as fit into one message with their rows. */
  #takeVerdicts(): Verdict[] {
    const { collections } = this.#deps.pump.peer
    let bytes = 0
    const rest = this.#verdicts.findIndex(({ text, write: { map, rowKey } }) => {
      const table = mapPartition(collections, map)?.replica.table
      const slot = table?.slotOf(rowKey)
      bytes += ANSWER_COST_BYTES + text.length + (slot === undefined ? 0 : table!.valueLength(slot))
      return bytes > ANSWERS_MAX_BYTES
    })
    // One alone always fits.
    return this.#verdicts.splice(0, rest < 0 ? Infinity : Math.max(1, rest))
  }

  #answers(reads: GuestReads, verdicts: readonly Verdict[]): Uint8Array | undefined {
    if (verdicts.length === 0) return undefined
    const { collections } = this.#deps.pump.peer
    let hlc = 0
    const answers = verdicts.map(({ code, text, write: { kind, map, number, rowKey } }): WriteAnswer => {
      const row = reads.rowOf(mapPartition(collections, map), map, rowKey)
      hlc = Math.max(hlc, row?.hlc ?? 0)
      const date = isSlotted(kind) && row?.bytes !== undefined ? { hlc: row.hlc } : {}
      return { number, code, text, bytes: row?.bytes, ...date }
    })
    return encodeMemberMessage({ type: 'answers', answers, hlc })
  }

  /** A piece that several guests get is encoded once. */
  #encoded(piece: ReadPiece): Promise<Uint8Array> {
    const known = ENCODED.get(piece) ?? this.#encode(piece)
    ENCODED.set(piece, known)
    return known
  }

  async #encode({ sealed, partition, ...rest }: ReadPiece): Promise<Uint8Array> {
    const { collections } = this.#deps.pump.peer
    const [key] = this.#deps.passes.keys
    const cursor = sealed && (await sealCursor(key!.cursorKey, partition!, sealed, collections))
    return encodeMemberMessage({ type: 'rows', ...rest, cursor })
  }

  /** What a guest is sent is durable: a member that crashes takes back nothing that a guest has seen. */
  #durable(): Promise<void> {
    const { pump } = this.#deps
    return new Promise((resolve) => {
      pump.peer.commit.whenDurable(resolve)
      pump.tickSoon()
    })
  }

  #send(message: MemberMessage): Promise<void> {
    return this.#sendBytes(encodeMemberMessage(message))
  }

  async #sendBytes(bytes: Uint8Array): Promise<void> {
    await this.#connection.send(bytes).catch(() => this.#ended())
  }
}

/** Pieces as messages, while any guest may need them. */
const ENCODED = new WeakMap<ReadPiece, Promise<Uint8Array>>()

/** What a message counts as in the rate of its subject. */
function writesIn(message: GuestMessage): number {
  if (message.type === 'writes') return message.writes.length
  return message.type === 'signals' ? message.messages.length + message.listen.length + 1 : 1
}

/** Answers with their rows in one message. One row of the largest size fits as well. */
const ANSWERS_MAX_BYTES: number = 512 * 1024
const ANSWER_COST_BYTES = 64
