import {
  GridError,
  VALUE_MAX_BYTES,
  decodeValue,
  encodeValue,
  hlcFromWall,
  kindCode,
  wallFromHlc,
  writtenBy,
} from '@gossipgrid/core'
import type { Collection, CollectionDescriptor } from '@gossipgrid/core'
import { KeyTurns } from '../../flow/key-turns.ts'
import { checkTtl, expiryMs } from '../../maps/map-options.ts'
import { checkPartitionWrite } from '../../partitioned/partition-options.ts'
import type { PartitionReceipt, PartitionWriteOptions } from '../../partitioned/partition-options.ts'
import type { PartAsking } from '../../partitioned/queries/part-asking.ts'
import type { OwnerQueries } from '../../partitioned/queries/owner-queries.ts'
import { RoutedEntries } from '../../partitioned/routed-entries.ts'
import type { FoundEntry } from '../../partitioned/routed-entries.ts'
import { walkEntries } from '../../partitioned/routed-walk.ts'
import { RoutedWrites } from '../../partitioned/routed-writes.ts'
import type { RoutedRow } from '../../partitioned/routed-writes.ts'
import type { WritePath } from '../../runtime/write-path.ts'
import type { FollowedMap } from '../following/map-feeds.ts'
import {
  GUEST_AHEAD_MAX_MS,
  GUEST_REPLY_MAX_BYTES,
  GUEST_REPLY_PAGE_MAX_BYTES,
  GUEST_REPLY_ROWS_MAX,
  GUEST_REQUEST_KEYS_MAX,
  GUEST_REQUEST_OLD_MAX_MS,
} from '../guest-limits.ts'
import type { MapQuestion, RepliedEntry, WalkPlace } from './map-request.ts'

/** Keys that are read together before it is known how large their values are. */
const FIRST_KEYS = 16

type Write = Extract<MapQuestion, { op: 'write' }>

export interface ServedMapDeps {
  readonly writes: WritePath
  readonly descriptor: CollectionDescriptor
  /** The name that it is opened by. */
  readonly title: string
  readonly valueSizeMaxBytes: number
  readonly loadQueries: () => Promise<OwnerQueries>
}

/** Decides on a write of a guest. */
export interface WriteJudge {
  /** That of the pass: it is written with the value. */
  readonly subject: string
  /** Whether the application is asked, and so is to know the value before. */
  readonly asks: boolean
  /** Rejects with `FORBIDDEN` if the application does not allow it. */
  judge(value: unknown, previous: unknown): Promise<void>
  /** Throws if the pass does not allow it now. */
  check(): void
}

/** One partitioned map, as a member reads and writes it for guests. What guests may see and write is decided before. */
export class ServedMap implements FollowedMap {
  readonly descriptor: CollectionDescriptor
  readonly entries: RoutedEntries
  readonly #deps: ServedMapDeps
  readonly #collection: Collection
  readonly #writes: RoutedWrites
  readonly #turns = new KeyTurns()

  constructor(deps: ServedMapDeps) {
    const { descriptor, title, valueSizeMaxBytes, writes } = deps
    this.descriptor = descriptor
    this.#deps = deps
    this.#collection = { descriptor, title, partitions: [], mismatch: undefined }
    // Guests have their own schemas, and rows of other peers may not fit that of this one either.
    this.entries = new RoutedEntries({ writes, collection: this.#collection, valueSizeMaxBytes, schema: undefined })
    this.#writes = new RoutedWrites(writes)
  }

  /** Code of its kind. */
  get kind(): number {
    return kindCode(this.descriptor)
  }

  /** What owners are asked with for what live queries show. */
  async asking(): Promise<PartAsking> {
    return (await this.#deps.loadQueries()).asking
  }

  /** The first of these entries, as many as fit into a reply. */
  async read({ keys, all }: Extract<MapQuestion, { op: 'read' }>, timeoutMs: number): Promise<object> {
    for (const key of keys) this.entries.checkKey(key)
    if (all) return { entries: [replied(await this.entries.get(keys[0]!, { timeoutMs, from: 'all' }))] }
    const endMs = performance.now() + timeoutMs
    const entries: RepliedEntry[] = []
    let leftBytes = GUEST_REPLY_PAGE_MAX_BYTES
    let largestBytes = GUEST_REPLY_PAGE_MAX_BYTES / FIRST_KEYS
    while (entries.length < keys.length && leftBytes > 0) {
      const countMax = Math.min(GUEST_REQUEST_KEYS_MAX, Math.max(1, Math.floor(leftBytes / largestBytes)))
      const some = keys.slice(entries.length, entries.length + countMax)
      const leftMs = Math.max(1, endMs - performance.now())
      largestBytes = 1
      for (const found of await this.entries.find(some, { timeoutMs: leftMs })) {
        if (leftBytes <= 0) break
        const sizeBytes = found?.content?.length ?? 0
        largestBytes = Math.max(largestBytes, sizeBytes)
        leftBytes -= sizeBytes
        entries.push(replied(found))
      }
    }
    return { entries }
  }

  /** Writes with the guest's date, so that a write that two members take is one. */
  async write(write: Write, judge: WriteJudge, timeoutMs: number): Promise<object> {
    const { again, bytes, copies, dateHlc, key } = write
    this.entries.checkKey(key)
    const options = { timeoutMs, ...(copies === undefined ? {} : { copies: copies === 0 ? ('all' as const) : copies }) }
    checkPartitionWrite<PartitionWriteOptions>(options, {})
    const content = bytes === undefined ? undefined : this.entries.encode(decodeValue(bytes))
    const date = this.#dateOf(dateHlc)
    const expiresAtMs = this.#expiresAtMs(write, date)
    return this.#turns.take(key, async () => {
      const isRead = again || judge.asks || content === undefined || this.entries.readsBeforeWrites
      const { found, isTaken } = isRead ? await this.#before(write, timeoutMs) : { found: undefined, isTaken: false }
      if (!isTaken) await judge.judge(shown(content), shown(found?.content))
      judge.check()
      if (content === undefined && found?.content === undefined) return {}
      const plain = (found ?? this.entries.unknown(key)).rows(content, expiresAtMs)
      const rows = plain.map((row) => ({ ...row, bytes: writtenBy(judge.subject, row.bytes) }))
      return { receipt: await this.#put(rows, date, options) }
    })
  }

  /** The keys with these prefixes from a place on, as many as fit into a reply. */
  async walk(
    { place }: Extract<MapQuestion, { op: 'walk' }>,
    prefixes: readonly string[],
    timeoutMs: number,
  ): Promise<object> {
    const rows: (readonly [string, Uint8Array])[] = []
    const unanswered: number[] = []
    let leftBytes = GUEST_REPLY_PAGE_MAX_BYTES
    for (const prefix of prefixes) {
      if (place !== undefined && prefix < place.prefix) continue
      const { after, partition } = prefix === place?.prefix ? place : { partition: 0, after: '' }
      const start = { partition, after, unanswered }
      const walked = walkEntries(this.entries, { prefix, timeoutMs, partial: true }, () => undefined, start)
      for await (const { key, content } of walked) {
        rows.push([key, content!])
        leftBytes -= key.length + content!.length
        if (rows.length < GUEST_REPLY_ROWS_MAX && leftBytes > 0) continue
        const { places } = this.entries
        const next: WalkPlace = { prefix, partition: places.indexOf(places.of(key)), after: key }
        return { rows, unanswered, next }
      }
    }
    return { rows, unanswered }
  }

  /** A page of a query, of the entries with these prefixes alone. */
  async query(
    asked: Readonly<Record<string, unknown>>,
    prefixes: readonly string[],
    timeoutMs: number,
  ): Promise<object> {
    const { limit = GUEST_REPLY_ROWS_MAX } = asked
    const isLess = typeof limit === 'number' && limit > GUEST_REPLY_ROWS_MAX
    const page = { ...asked, limit: isLess ? GUEST_REPLY_ROWS_MAX : limit }
    const queries = (await this.#deps.loadQueries()).of<unknown>(this.#collection, this.entries, partOf(prefixes))
    const { rows, ...rest } = await queries.query<unknown>(page, { timeoutMs })
    return { rows: rows.map(({ key, value }) => [key, encodeValue(value, VALUE_MAX_BYTES)]), ...rest }
  }

  /** An aggregate of the entries with these prefixes alone. */
  async groups(
    asked: Readonly<Record<string, unknown>>,
    prefixes: readonly string[],
    timeoutMs: number,
  ): Promise<object> {
    const queries = (await this.#deps.loadQueries()).of<unknown>(this.#collection, this.entries, partOf(prefixes))
    const result = await queries.aggregate(asked, { timeoutMs })
    try {
      encodeValue(result, GUEST_REPLY_MAX_BYTES)
    } catch {
      throw new GridError('QUERY_TOO_LARGE', 'it has too many groups for a guest: group by a field of fewer values')
    }
    return result
  }

  /** The entry as owners have it, and whether it is what this write has made of it. */
  async #before({ dateHlc, key }: Write, timeoutMs: number): Promise<{ found: FoundEntry; isTaken: boolean }> {
    const [read] = await this.entries.reads.keys([key], { timeoutMs })
    const rows = read?.rows
    if (rows === undefined) throw this.entries.reads.unreachable('the entry', { timeoutMs })
    return { found: this.entries.entry(key, rows), isTaken: rows.some(({ hlc }) => hlc === dateHlc) }
  }

  async #put(
    rows: readonly RoutedRow[],
    dateHlc: number | undefined,
    options: PartitionWriteOptions,
  ): Promise<PartitionReceipt> {
    const { peer } = this.#deps.writes.pump
    const dated = dateHlc === undefined ? rows : this.#writes.current(rows.map((row) => ({ ...row, dateHlc })))
    if (dateHlc !== undefined) peer.time.hybridClock.observe(dateHlc)
    if (dated.length > 0) return this.#writes.write(dated, options)
    // It was taken before, or a later write has replaced it already.
    if (options.copies !== undefined)
      throw new GridError('COPIES_TIMEOUT', 'the write stands, and how many owners have it is not known')
    const version = { hlc: dateHlc ?? 0, replicaId: peer.replicaId, sequence: 0 }
    return { version, durable: peer.persistent, hinted: false, copies: 0 }
  }

  /** Undefined for a date that is too far ahead: it becomes now. Throws `QUOTA_EXCEEDED` for one of long ago. */
  #dateOf(dateHlc: number): number | undefined {
    const { wallMs } = this.#deps.writes.pump
    if (dateHlc > hlcFromWall(wallMs + GUEST_AHEAD_MAX_MS)) return undefined
    if (dateHlc >= hlcFromWall(wallMs - GUEST_REQUEST_OLD_MAX_MS)) return dateHlc
    throw new GridError(
      'QUOTA_EXCEEDED',
      'it was sent long ago, and members do not know any more whether they took it: write it again',
    )
  }

  /** A time to live begins at the date of the write, so it ends at the same time at all members. */
  #expiresAtMs({ expiresAtMs, ttlMs }: Write, date: number | undefined): number {
    const { wallMs } = this.#deps.writes.pump
    checkTtl(ttlMs)
    if (expiresAtMs !== undefined) return expiryMs({ expiresAt: new Date(expiresAtMs) }, undefined, wallMs)
    return ttlMs === undefined ? Infinity : (date === undefined ? wallMs : wallFromHlc(date)) + ttlMs
  }
}

/** What the owners of a map are asked for: all of it has the prefix ''. */
function partOf(prefixes: readonly string[]): { readonly pageMaxBytes: number; readonly within?: readonly string[] } {
  const pageMaxBytes = GUEST_REPLY_PAGE_MAX_BYTES
  return prefixes.includes('') ? { pageMaxBytes } : { pageMaxBytes, within: prefixes }
}

function replied(found: FoundEntry | undefined): RepliedEntry {
  if (found === undefined) return { isUnknown: true }
  const { content, expiresAtMs } = found
  if (content === undefined) return {}
  return expiresAtMs === Infinity ? { bytes: content } : { bytes: content, expiresAtMs }
}

function shown(content: Uint8Array | undefined): unknown {
  return content === undefined ? undefined : decodeValue(content)
}
