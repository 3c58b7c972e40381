import type { FollowedKey } from '@gossipgrid/core'
import { FollowedPartitions } from '../../partitioned/changes/followed-partitions.ts'
import type { ArrivedChanges } from '../../partitioned/changes/followed-partitions.ts'
import { subjectOfRow } from '../../partitioned/changes/map-changes.ts'
import { commonStart } from '../../partitioned/places.ts'
import type { RoutedEntries } from '../../partitioned/routed-entries.ts'
import type { Pump } from '../../runtime/write-path.ts'
import { GUEST_FEED_WAITING_MAX_BYTES, GUEST_REPLY_PAGE_MAX_BYTES } from '../guest-limits.ts'
import type { ChangesPage, FedEntry, FedPart } from '../feeds/feed-request.ts'
import type { ServedFeed } from './served-feed.ts'

const FILLING_MAX = 4
/** What an entry takes in a reply besides its key, its value and its subject. */
const ENTRY_COST_BYTES = 64

export interface ServedChangesDeps {
  readonly pump: Pump
  readonly entries: RoutedEntries
  /** What keys begin with that the guest is given: all others are left out here. */
  readonly covered: readonly string[]
  /** They are one whole key. */
  readonly exact: boolean
  readonly initial: boolean
  /** Partitions of which what the guest has is void. */
  readonly lost: ReadonlySet<number>
  /** Cursors by partition, from 0. */
  readonly since: ReadonlyMap<number, Uint8Array>
  seal(partition: number, cursor: Uint8Array): Promise<Uint8Array | undefined>
}

/** What is being given, how many of its keys were, and whether the guest is yet to hear that what it has is void. */
interface Giving {
  readonly changes: ArrivedChanges
  given: number
  isReset: boolean
  readonly hidesDeletes: boolean
}

/** The changes of a map that a member follows for one guest. */
export class ServedChanges implements ServedFeed {
  readonly #deps: ServedChangesDeps
  readonly #followed: FollowedPartitions
  /** By place, the partition as users count. */
  readonly #indexes: readonly number[]
  /** Partitions of which the guest is to let go what it has. */
  readonly #void: Set<number>
  #giving: Giving | undefined
  #said: string
  #isOver = false

  constructor(deps: ServedChangesDeps) {
    this.#deps = deps
    const { covered, entries, exact, initial, lost, pump, since } = deps
    const { places } = entries
    const names = exact ? [places.of(covered[0]!)] : places.withPrefixes(covered)
    this.#indexes = names.map((name) => places.indexOf(name))
    this.#void = new Set(lost)
    const filled = this.#indexes.flatMap((index, place) => (lost.has(index) ? [place] : []))
    const cursors = this.#indexes.flatMap((index, place) => {
      const cursor = since.get(index)
      return cursor === undefined ? [] : [[place, cursor] as const]
    })
    this.#followed = new FollowedPartitions({
      ...{ pump, names, exact, prefix: commonStart(covered), since: new Map(cursors), signal: undefined },
      check: () => entries.reads.check(),
      initial: initial || new Set(filled),
      fillingMax: FILLING_MAX,
      waitingMaxBytes: GUEST_FEED_WAITING_MAX_BYTES,
    })
    this.#said = this.#coverage()
  }

  get partitionCount(): number {
    return this.#indexes.length
  }

  async next(holdMs: number): Promise<ChangesPage | undefined> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#followed.wake()
    }, holdMs)
    const parts: FedPart[] = []
    let leftBytes = GUEST_REPLY_PAGE_MAX_BYTES
    try {
      while (leftBytes > 0) {
        if (this.#giving === undefined) {
          const hasNews = parts.length > 0 || this.#said !== this.#coverage()
          if (isLate || (hasNews && !this.#followed.hasArrived)) break
          const changes = await this.#followed.next()
          if (changes === undefined || this.#isOver) return undefined
          if (changes === 'woken') continue
          this.#giving = this.#begun(changes)
        }
        leftBytes -= await this.#give(this.#giving, leftBytes, parts)
      }
    } finally {
      clearTimeout(timer)
    }
    this.#said = this.#coverage()
    const isCaughtUp = this.#giving === undefined && this.#followed.isCaughtUp
    return { parts, unanswered: this.#unanswered(), isCaughtUp }
  }

  stop(): void {
    this.#isOver = true
    this.#followed.stop()
  }

  #unanswered(): number[] {
    return [...this.#followed.unanswered].map((place) => this.#indexes[place]!)
  }

  #coverage(): string {
    return `${this.#followed.isCaughtUp} ${this.#unanswered().join()}`
  }

  #begun(changes: ArrivedChanges): Giving {
    const partition = this.#indexes[changes.place]!
    const isReset = this.#void.delete(partition) || changes.reset
    // Deletes of what the guest was never given.
    const hidesDeletes = isReset || (changes.isFirst && !this.#deps.since.has(partition))
    return { changes, given: 0, isReset, hidesDeletes }
  }

  /** Adds what fits of it to `parts`, if any of it is for this guest. Returns what that takes. */
  async #give(giving: Giving, leftBytes: number, parts: FedPart[]): Promise<number> {
    const { isFirst, keys, more, place } = giving.changes
    const partition = this.#indexes[place]!
    const { isReset } = giving
    giving.isReset = false
    const entries: FedEntry[] = []
    let bytes = 0
    while (giving.given < keys.length && bytes < leftBytes) {
      const entry = this.#entry(keys[giving.given++]!)
      if (entry === undefined || (giving.hidesDeletes && entry.bytes === undefined)) continue
      entries.push(entry)
      bytes += ENTRY_COST_BYTES + entry.key.length + (entry.bytes?.length ?? 0) + (entry.subject?.length ?? 0)
    }
    const isDone = giving.given === keys.length
    if (isDone) {
      this.#giving = undefined
      this.#followed.done(giving.changes)
    }
    // What is of others leaves no trace, not even that something has changed.
    if (entries.length === 0 && !isReset && !(isDone && isFirst && !more)) return 0
    const cursor = isDone ? this.#followed.cursors[place] : undefined
    const sealed = cursor === undefined ? undefined : await this.#deps.seal(partition, cursor)
    parts.push({ partition, isReset, entries, ...(sealed === undefined ? {} : { sealed }) })
    return bytes + (sealed?.length ?? 0)
  }

  #entry({ key, rows }: FollowedKey): FedEntry | undefined {
    const { covered, entries, exact } = this.#deps
    if (!covered.some((text) => (exact ? key === text : key.startsWith(text)))) return undefined
    const { content: bytes, expiresAtMs } = entries.entry(key, rows)
    const latest = rows.reduce((later, row) => (row.hlc > later.hlc ? row : later))
    const subject = subjectOfRow(latest)
    return {
      ...{ key, hlc: latest.hlc },
      ...(bytes === undefined ? {} : { bytes }),
      ...(bytes === undefined || expiresAtMs === Infinity ? {} : { expiresAtMs }),
      ...(subject === undefined ? {} : { subject }),
    }
  }
}
