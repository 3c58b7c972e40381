import { withOwnBytes } from '../entries/entry-table.ts'
import type { Answering } from '../asking/answering.ts'
import type { Instant } from '../instant.ts'
import { OWNERSHIP_GAP_MS } from '../limits.ts'
import { FOLLOWS_MAX, FOLLOWS_OF_PEER_MAX, FOLLOW_CURSOR_MAX_BYTES, FOLLOW_HOLD_MS } from '../follow-limits.ts'
import type { PeerId } from '../ports.ts'
import type { Collections } from '../replica/collections.ts'
import type { Replica } from '../replica/replica.ts'
import type { GroupCommit } from '../storage/group-commit.ts'
import type { Timekeeping } from '../clock/timekeeping.ts'
import { nameKey } from '../wire/block.ts'
import type { PartitionName } from '../wire/block.ts'
import { changesSince, cursorOfNow, fromStart } from './changes-since.ts'
import type { ChangesSince, FollowedKeys } from './changes-since.ts'
import { encodeCursor } from './partition-cursor.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** What a reader asks for. */
export interface FollowQuestion extends FollowedKeys {
  readonly name: PartitionName
  /** See `FollowingMessage`. */
  readonly origin: string | undefined
  /** Undefined at the start. */
  readonly since: PartitionCursor | undefined
  readonly initial: boolean
  readonly atOnce: boolean
}

/** What an owner answers. */
export interface FollowAnswer extends Pick<ChangesSince, 'keys' | 'reset' | 'more'> {
  readonly since: Uint8Array
}

interface Waiting {
  readonly from: PeerId
  readonly question: FollowQuestion
  /** Moves on with changes of keys that the reader does not follow. */
  cursor: PartitionCursor
  readonly untilMs: number
  /** Undefined if this peer may not answer any more. */
  readonly answer: (answer: FollowAnswer | undefined) => void
}

/** Readers that wait for a change of one partition. */
interface Watched {
  readonly name: PartitionName
  readonly waiting: Set<Waiting>
  /** Undefined until the copy has a first row. */
  replica: Replica | undefined
  stop: () => void
}

export interface WaitingReadersDeps {
  readonly answering: Answering
  readonly collections: Collections
  readonly commit: GroupCommit
  readonly time: Timekeeping
}

/**
 * Answers readers that follow the partitions of this peer's copies: at once if they lack something, else with the next change, or
 * after a minute. Nothing leaves before it is durable here: after a crash another row could come under its dot.
 */
export class WaitingReaders {
  readonly #deps: WaitingReadersDeps
  readonly #watched = new Map<string, Watched>()
  readonly #countOf = new Map<PeerId, number>()
  readonly #changed = new Set<Watched>()
  /** Those whose copies have no row yet. */
  readonly #empty = new Set<Watched>()
  #count = 0
  #nextLookMs = Infinity

  constructor(deps: WaitingReadersDeps) {
    this.#deps = deps
  }

  /** Monotonic milliseconds at which some have waited long enough. */
  get wakeAtMs(): number {
    return this.#nextLookMs
  }

  /** Whether a peer may ask for one thing more. */
  hasRoomFor(from: PeerId): boolean {
    return this.#count < FOLLOWS_MAX && (this.#countOf.get(from) ?? 0) < FOLLOWS_OF_PEER_MAX
  }

  mayAnswer({ name, origin }: FollowQuestion, now: Instant): boolean {
    const { answering } = this.#deps
    return answering.isShared({ name, origin }) && answering.mayAnswer(name, {}, now)
  }

  /** Calls back once, or not at all if the function that it returns is called before. */
  ask(from: PeerId, question: FollowQuestion, now: Instant, answer: Waiting['answer']): () => void {
    const { collections } = this.#deps
    const { initial, name, since } = question
    const wallMs = this.#deps.time.wallMs(now)
    const cursor = since ?? fromStart(wallMs)
    const waiting: Waiting = { from, question, cursor, untilMs: now.monotonicMs + FOLLOW_HOLD_MS, answer }
    const watched = this.#watch(waiting)
    if (since === undefined && !initial)
      this.#end(waiting, { keys: [], reset: false, more: false, cursor: cursorOfNow(collections, name, wallMs) })
    else this.#serve(watched, waiting, now)
    return () => void this.#remove(waiting)
  }

  /** Calls back, once they are durable, with cursors of what the copies of these partitions have now. */
  cursors(names: readonly PartitionName[], now: Instant, done: (cursors: readonly Uint8Array[]) => void): void {
    const { collections, commit, time } = this.#deps
    const wallMs = time.wallMs(now)
    const cursors = names.map((name) => encodeCursor(cursorOfNow(collections, name, wallMs), collections.ids))
    commit.whenDurable(() => done(cursors))
  }

  disconnected(neighbour: PeerId): void {
    if (!this.#countOf.has(neighbour)) return
    for (const { waiting } of [...this.#watched.values()])
      for (const each of waiting) if (each.from === neighbour) this.#remove(each)
  }

  tick(now: Instant): void {
    for (const watched of this.#empty) if (this.#observe(watched)) this.#changed.add(watched)
    for (const watched of this.#changed) for (const waiting of [...watched.waiting]) this.#serve(watched, waiting, now)
    if (this.#changed.size > 0) this.#changed.clear()
    if (now.monotonicMs >= this.#nextLookMs) this.#look(now)
  }

  #look(now: Instant): void {
    this.#nextLookMs = this.#count === 0 ? Infinity : now.monotonicMs + OWNERSHIP_GAP_MS
    const wallMs = this.#deps.time.wallMs(now)
    for (const { name, replica, waiting } of [...this.#watched.values()]) {
      const isOther = replica !== undefined && this.#deps.collections.find(name)?.replica !== replica
      for (const each of [...waiting]) {
        if (isOther || !this.mayAnswer(each.question, now)) this.#end(each, undefined)
        else if (now.monotonicMs >= each.untilMs)
          this.#end(each, { keys: [], reset: false, more: false, cursor: { ...each.cursor, wallMs } })
      }
    }
  }

  #serve({ name }: Watched, waiting: Waiting, now: Instant): void {
    const { collections, time } = this.#deps
    const { cursor, question } = waiting
    const { exact, prefix } = question
    const follows = (key: string): boolean => (exact ? key === prefix : key.startsWith(prefix))
    if (!this.mayAnswer(question, now)) {
      this.#end(waiting, undefined)
      return
    }
    const changes = changesSince(collections, name, cursor, follows, time.wallMs(now))
    // One that begins hears when it has all that was there.
    const isNews = changes.keys.length > 0 || changes.reset || changes.more || cursor.isFilling || question.atOnce
    if (isNews) this.#end(waiting, changes)
    else waiting.cursor = changes.cursor
  }

  #end(waiting: Waiting, changes: ChangesSince | undefined): void {
    if (!this.#remove(waiting)) return
    const { collections, commit } = this.#deps
    if (changes === undefined) {
      waiting.answer(undefined)
      return
    }
    const { cursor, keys, more, reset } = changes
    const since = encodeCursor(cursor, collections.ids)
    // Values are views, and may be moved before the disk answers.
    const own = keys.map(({ key, rows }) => ({ key, rows: rows.map(withOwnBytes) }))
    commit.whenDurable(() =>
      waiting.answer(since.length > FOLLOW_CURSOR_MAX_BYTES ? undefined : { keys: own, reset, more, since }),
    )
  }

  #watch(waiting: Waiting): Watched {
    const key = nameKey(waiting.question.name)
    let watched = this.#watched.get(key)
    if (watched === undefined) {
      watched = { name: waiting.question.name, waiting: new Set(), replica: undefined, stop: () => undefined }
      this.#watched.set(key, watched)
      if (!this.#observe(watched)) this.#empty.add(watched)
    }
    watched.waiting.add(waiting)
    this.#count += 1
    this.#countOf.set(waiting.from, (this.#countOf.get(waiting.from) ?? 0) + 1)
    this.#nextLookMs = Math.min(this.#nextLookMs, waiting.untilMs - FOLLOW_HOLD_MS + OWNERSHIP_GAP_MS)
    return watched
  }

  /** False if the copy has no row yet. */
  #observe(watched: Watched): boolean {
    const replica = this.#deps.collections.find(watched.name)?.replica
    if (replica === undefined) return false
    this.#empty.delete(watched)
    watched.replica = replica
    watched.stop = replica.observe({ changedSlot: () => this.#changed.add(watched) })
    return true
  }

  #remove(waiting: Waiting): boolean {
    const key = nameKey(waiting.question.name)
    const watched = this.#watched.get(key)
    if (watched === undefined || !watched.waiting.delete(waiting)) return false
    this.#count -= 1
    const left = this.#countOf.get(waiting.from)! - 1
    if (left > 0) this.#countOf.set(waiting.from, left)
    else this.#countOf.delete(waiting.from)
    if (watched.waiting.size > 0) return true
    watched.stop()
    this.#watched.delete(key)
    this.#empty.delete(watched)
    this.#changed.delete(watched)
    return true
  }
}
