import type { Row } from '../entries/entry-table.ts'
import { GridError } from '../errors.ts'
import type { Instant } from '../instant.ts'
import { READS_PASSED_MAX, READ_RETRY_MS } from '../limits.ts'
import { FOLLOW_HOLD_MS, FOLLOW_PATIENCE_MS } from '../follow-limits.ts'
import type { PeerId } from '../ports.ts'
import { originOf, rowsIn } from '../routing/reads.ts'
import type { ReadsDeps } from '../routing/reads.ts'
import type { ReplicaIds } from '../versions/replica-ids.ts'
import { BlockWriter, nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import type { FollowingMessage } from '../wire/follow-messages.ts'
import { isReplicated } from '../wire/partition-numbers.ts'
import type { FollowedKeys } from './changes-since.ts'
import { decodeCursor, earlierCursor } from './partition-cursor.ts'
import { WaitingReaders } from './waiting-readers.ts'
import type { FollowAnswer, FollowQuestion, WaitingReadersDeps } from './waiting-readers.ts'

type FollowMessage = Extract<FollowingMessage, { readonly type: 'follow' }>
type FollowedMessage = Extract<FollowingMessage, { readonly type: 'followed' }>

/** From where on to follow which keys of a partition. */
export interface Follow extends FollowedKeys {
  readonly name: PartitionName
  /** From the answer before, whichever owner gave it. */
  readonly since?: Uint8Array | undefined
  /** Without `since`: with all that is there, and not only with what comes. */
  readonly initial?: boolean
  /** It is answered at once, also if nothing has changed. */
  readonly atOnce?: boolean
}

/** A key that has changed, with all its rows, tombstones included. */
export interface FollowedKey {
  readonly key: string
  readonly rows: readonly Readonly<Row>[]
}

/** What has changed in a partition. */
export interface Followed extends FollowAnswer {
  readonly keys: readonly FollowedKey[]
  /** Changed keys with rows that are dated too far ahead of this peer's clock: they are not to be shown before `Following.isDue`. */
  readonly ahead: readonly FollowedKey[]
}

/** The answer of this peer, or of another one that this peer passes on. */
type PassedAnswer = FollowAnswer & Partial<Pick<Followed, 'ahead'>>

interface Open {
  readonly follow: Follow
  readonly tried: Set<PeerId>
  /** It is asked on behalf of this peer. */
  readonly passedFor: PeerId | undefined
  /** The peer that was asked, with the number of the question. */
  asked: { readonly peer: PeerId; readonly request: number; readonly untilMs: number } | undefined
  /** Of a question that waits at this peer itself. */
  stop: (() => void) | undefined
  retryAtMs: number
  readonly done: (followed: Followed | undefined) => void
}

export interface FollowingDeps extends ReadsDeps, WaitingReadersDeps {
  readonly ids: ReplicaIds
}

/**
 * Follows the changes of partitions, wherever they are. One owner is asked at a time, and answers when there is something new. When it
 * is gone, or owns the partition no more, the next one is asked with the same cursor: so nothing is left out, and some may come twice.
 */
export class Following {
  readonly #deps: FollowingDeps
  readonly #readers: WaitingReaders
  readonly #open = new Set<Open>()
  readonly #byRequest = new Map<number, Open>()
  /** How many questions of each neighbour are passed on. */
  readonly #passing = new Map<PeerId, number>()
  #dueAtMs = Infinity

  constructor(deps: FollowingDeps) {
    this.#deps = deps
    this.#readers = new WaitingReaders(deps)
  }

  /** Monotonic milliseconds at which there is something to ask or to answer. */
  get wakeAtMs(): number {
    return Math.min(this.#dueAtMs, this.#readers.wakeAtMs)
  }

  /** Calls back once, in a later step, with what is new; never, if the function that it returns is called before. */
  follow(follow: Follow, now: Instant, done: (followed: Followed) => void): () => void {
    const open = this.#begin(follow, now, undefined, (followed) => done(followed!))
    return () => this.#cancel(open)
  }

  /** Whether this peer's clock has come to the date of all these rows. The clock then observes them, so that a later write is later. */
  isDue(rows: readonly Readonly<Row>[], now: Instant): boolean {
    const { clock, inbound } = this.#deps
    if (!rows.every((row) => inbound.isBelievable(row, now))) return false
    for (const { hlc } of rows) clock.observe(hlc)
    return true
  }

  /** For the copies of this peer: calls back, once they are durable, with cursors of what they have now. */
  cursors(names: readonly PartitionName[], now: Instant, done: (cursors: readonly Uint8Array[]) => void): void {
    this.#readers.cursors(names, now, done)
  }

  /** A cursor from which on nothing is missing that is missing from one of the two: the first one, if the other one has all of it. Throws `MESSAGE_MALFORMED`. */
  earlier(one: Uint8Array, other: Uint8Array): Uint8Array {
    return earlierCursor(one, other, this.#deps.ids)
  }

  /** Throws `MESSAGE_MALFORMED`. */
  receive(from: PeerId, message: FollowingMessage, now: Instant): void {
    if (message.type === 'follow') this.#asked(from, message, now)
    else this.#answered(from, message, now)
  }

  /** Other peers may be worth asking now. */
  neighboursChanged(): void {
    for (const open of this.#open) if (open.asked === undefined) open.retryAtMs = 0
    if (this.#open.size > 0) this.#dueAtMs = 0
  }

  disconnected(neighbour: PeerId): void {
    this.#readers.disconnected(neighbour)
    for (const open of this.#open) {
      if (open.passedFor === neighbour) this.#cancel(open)
      else if (open.asked?.peer === neighbour) this.#lost(open)
    }
    this.neighboursChanged()
  }

  tick(now: Instant): void {
    this.#readers.tick(now)
    if (now.monotonicMs < this.#dueAtMs) return
    this.#dueAtMs = Infinity
    for (const open of this.#open) {
      if (open.asked !== undefined && now.monotonicMs >= open.asked.untilMs) this.#lost(open)
      if (open.asked === undefined && open.stop === undefined && now.monotonicMs >= open.retryAtMs) this.#ask(open, now)
      if (open.stop !== undefined) continue
      this.#dueAtMs = Math.min(this.#dueAtMs, open.asked?.untilMs ?? open.retryAtMs)
    }
  }

  #begin(follow: Follow, now: Instant, passedFor: PeerId | undefined, done: Open['done']): Open {
    const tried = new Set(passedFor === undefined ? [] : [passedFor])
    const open: Open = { follow, tried, passedFor, asked: undefined, stop: undefined, retryAtMs: now.monotonicMs, done }
    this.#open.add(open)
    if (passedFor !== undefined) this.#passing.set(passedFor, (this.#passing.get(passedFor) ?? 0) + 1)
    this.#dueAtMs = now.monotonicMs
    return open
  }

  #ask(open: Open, now: Instant): void {
    const { follow, passedFor, tried } = open
    const { outbox, peerId, placement, requests } = this.#deps
    const origin = originOf(placement, follow.name)
    const question = this.#questionOf(follow, origin.origin)
    if (passedFor === undefined && this.#readers.mayAnswer(question, now) && this.#readers.hasRoomFor(peerId)) {
      let isAnswered = false
      const stop = this.#readers.ask(peerId, question, now, (answer) => {
        isAnswered = true
        open.stop = undefined
        if (!this.#open.has(open)) return
        if (answer === undefined) this.#lost(open)
        else this.#end(open, { ...answer, ahead: [] })
      })
      if (!isAnswered) open.stop = stop
      return
    }
    const target = this.#targetOf(open)
    if (target === undefined) {
      tried.clear()
      open.retryAtMs = now.monotonicMs + READ_RETRY_MS
      if (passedFor !== undefined) this.#end(open, undefined)
      return
    }
    tried.add(target)
    const request = requests.next()
    const waits = follow.since !== undefined && follow.atOnce !== true
    const untilMs = now.monotonicMs + FOLLOW_PATIENCE_MS + (waits ? FOLLOW_HOLD_MS : 0)
    open.asked = { peer: target, request, untilMs }
    this.#byRequest.set(request, open)
    const { atOnce, exact, initial, name, prefix, since } = follow
    outbox.send(target, {
      type: 'follow',
      request,
      ...name,
      ...origin,
      ...(since === undefined ? {} : { since }),
      ...(initial === true ? { initial } : {}),
      ...(atOnce === true ? { atOnce } : {}),
      prefix,
      ...(exact ? { exact } : {}),
      ...(passedFor === undefined ? {} : { passed: true as const }),
    })
  }

  #answered(from: PeerId, message: FollowedMessage, now: Instant): void {
    const open = this.#byRequest.get(message.request)
    if (open?.asked?.peer !== from) return
    const { answered, block, more, reset, since } = message
    if (!answered) {
      this.#lost(open)
      return
    }
    try {
      const { keys, ahead } = this.#keysIn(from, block, open.follow.name, now)
      this.#end(open, { keys, ahead, since, reset: reset === true, more: more === true })
    } catch (error) {
      this.#lost(open)
      throw error
    }
  }

  /** A key with a row that is dated too far ahead waits with all its rows: an object is not shown in parts. */
  #keysIn(from: PeerId, block: Uint8Array, name: PartitionName, now: Instant): Pick<Followed, 'keys' | 'ahead'> {
    const wanted = nameKey(name)
    const early = new Map<string, Row[]>()
    const found = rowsIn(this.#deps, from, block, now, (partition, key, row) => {
      if (partition !== wanted) return
      const rows = early.get(key)
      if (rows === undefined) early.set(key, [row])
      else rows.push(row)
    })
    const timely = found.get(wanted) ?? new Map<string, Row[]>()
    const keys = [...timely].filter(([key]) => !early.has(key)).map(([key, rows]) => ({ key, rows }))
    const ahead = [...early].map(([key, rows]) => ({ key, rows: [...(timely.get(key) ?? []), ...rows] }))
    return { keys, ahead }
  }

  #asked(from: PeerId, message: FollowMessage, now: Instant): void {
    const { atOnce, collection, exact, initial, kind, origin, partition, passed, prefix, request, since } = message
    const name = { collection, kind, partition }
    if (isReplicated(name)) throw new GridError('MESSAGE_MALFORMED', 'a question about no partition')
    const keys = { prefix, exact: exact === true }
    const follow: Follow = { name, ...keys, since, initial: initial === true, atOnce: atOnce === true }
    const question = this.#questionOf(follow, origin)
    const answer = (followed: PassedAnswer | undefined): void => this.#answer(from, request, name, followed)
    if (!this.#readers.hasRoomFor(from)) answer(undefined)
    else if (this.#readers.mayAnswer(question, now)) this.#readers.ask(from, question, now, answer)
    else if (passed === true || (this.#passing.get(from) ?? 0) >= READS_PASSED_MAX) answer(undefined)
    else this.#begin(follow, now, from, answer)
  }

  #answer(to: PeerId, request: number, name: PartitionName, followed: PassedAnswer | undefined): void {
    const { ids, neighbours, outbox } = this.#deps
    if (!neighbours.has(to)) return
    const block = new BlockWriter(ids)
    // What is dated ahead of this peer's clock may not be ahead of the reader's.
    const keys = [...(followed?.keys ?? []), ...(followed?.ahead ?? [])]
    for (const { rows } of keys) for (const row of rows) block.row(name, row)
    outbox.send(to, {
      type: 'followed',
      request,
      answered: followed !== undefined,
      since: followed?.since ?? new Uint8Array(0),
      ...(followed?.reset === true ? { reset: true as const } : {}),
      ...(followed?.more === true ? { more: true as const } : {}),
      block: block.take(),
    })
  }

  #questionOf(follow: Follow, origin: string | undefined): FollowQuestion {
    const { atOnce = false, initial = false } = follow
    return { ...follow, origin, since: this.#cursorOf(follow), initial, atOnce }
  }

  #cursorOf({ since }: Follow): ReturnType<typeof decodeCursor> | undefined {
    return since === undefined ? undefined : decodeCursor(since, this.#deps.ids)
  }

  /** Owners with whole copies first, then others that have one, then those that may know a way. */
  #targetOf({ follow: { name }, passedFor, tried }: Open): PeerId | undefined {
    const { membership, neighbours, placement } = this.#deps
    const ids = neighbours.ids().filter((peer) => !tried.has(peer))
    const owners = placement.owners(name) as ReadonlySet<PeerId>
    const whole = new Set(placement.wholeHolders(name))
    const target = ids.find((peer) => owners.has(peer) && whole.has(peer)) ?? ids.find((peer) => whole.has(peer))
    if (target !== undefined || passedFor !== undefined) return target
    return ids.find((peer) => owners.has(peer)) ?? ids.find((peer) => membership.isDurable(peer))
  }

  /** The peer that was asked does not answer: the next one is asked. */
  #lost(open: Open): void {
    if (open.asked !== undefined) this.#byRequest.delete(open.asked.request)
    open.asked = undefined
    open.retryAtMs = 0
    this.#dueAtMs = 0
  }

  #end(open: Open, followed: Followed | undefined): void {
    this.#forget(open)
    open.done(followed)
  }

  #cancel(open: Open): void {
    open.stop?.()
    this.#forget(open)
  }

  #forget(open: Open): void {
    if (open.asked !== undefined) this.#byRequest.delete(open.asked.request)
    const { passedFor } = open
    if (!this.#open.delete(open) || passedFor === undefined) return
    const left = this.#passing.get(passedFor)! - 1
    if (left > 0) this.#passing.set(passedFor, left)
    else this.#passing.delete(passedFor)
  }
}
