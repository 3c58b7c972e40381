import type { Row } from '../entries/entry-table.ts'
import { FOLLOW_ANSWER_MAX_BYTES, FOLLOW_HOLD_MS, FOLLOW_ROWS_MAX } from '../follow-limits.ts'
import { entryKeyOf } from '../kinds/kinds.ts'
import type { Collections } from '../replica/collections.ts'
import type { Replica } from '../replica/replica.ts'
import { rowBytesOf, rowsOfKey } from '../routing/rows-of-key.ts'
import { commonDots } from '../versions/common-dots.ts'
import { VersionVector } from '../versions/version-vector.ts'
import type { DotRange } from '../versions/version-vector.ts'
import type { PartitionName } from '../wire/block.ts'
import type { PartitionCursor } from './partition-cursor.ts'

/** Which keys of a partition a reader follows. */
export interface FollowedKeys {
  /** Keys that begin with it. */
  readonly prefix: string
  /** Only the key that is equal to `prefix`. */
  readonly exact: boolean
}

/** What has changed in a copy since a cursor. */
export interface ChangesSince {
  /** Rows of the keys that have changed, tombstones included: all of each key, or those that the cursor has not seen. */
  readonly keys: readonly { readonly key: string; readonly rows: readonly Row[] }[]
  readonly cursor: PartitionCursor
  /** Deletes since the cursor are purged: what the reader has is void, and all that is there follows. */
  readonly reset: boolean
  /** There was no room for the rest. */
  readonly more: boolean
}

/** Where nothing was ever read. */
export function fromStart(wallMs: number): PartitionCursor {
  return { seen: new VersionVector(), wallMs, isFilling: true }
}

/** What a reader is given of a key that has changed: a reader that keeps rows needs only those that are new. */
export type GivenRows = 'all rows' | 'new rows'

/**
 * The keys of this peer's copy with rows that the cursor has not seen: as many as fit, in the order of their dots. Any owner can go on
 * from the next cursor, and nothing is left out. If keys are given, what the reader has seen and this copy lacks does not count as seen
 * any more: it may be of the same keys, of which the reader now has older rows.
 */
export function changesSince(
  collections: Collections,
  name: PartitionName,
  since: PartitionCursor,
  follows: (key: string) => boolean,
  wallMs: number,
  given: GivenRows = 'all rows',
): ChangesSince {
  const replica = collections.find(name)?.replica
  if (replica === undefined)
    return { keys: [], cursor: { ...since, wallMs, isFilling: false }, reset: false, more: false }
  const reset = isOverrun(collections, replica, since)
  const { seen, isFilling } = reset ? fromStart(wallMs) : since
  /** By key, or by the key of the row where only new rows are given. */
  const keys = new Map<string, { readonly key: string; readonly rows: readonly Row[] }>()
  let bytes = 0
  let looked = 0
  const take = (slot: number): void => {
    looked += 1
    const rowKey = replica.table.key(slot)
    const key = entryKeyOf(name.kind, rowKey)
    const id = given === 'all rows' ? key : rowKey
    if (keys.has(id) || !follows(key)) return
    const rows = given === 'all rows' ? rowsOfKey(collections, name, key) : [replica.row(slot)]
    bytes += rowBytesOf(rows)
    keys.set(id, { key, rows })
  }
  const isFull = (): boolean => bytes >= FOLLOW_ANSWER_MAX_BYTES || looked >= FOLLOW_ROWS_MAX
  const visitedRanges: DotRange[] = []
  let more = false
  for (const range of replica.owed(seen)) {
    const last = visited(replica, range, take, isFull)
    if (last >= range.first) visitedRanges.push({ ...range, last })
    more = last < range.last
    if (more) break
  }
  const result = { keys: [...keys.values()], reset }
  if (more) {
    const next = commonDots(seen, replica.vector, collections.ids).dots
    for (const { writer, first, last } of visitedRanges) next.addRange(writer, first, last)
    return { ...result, cursor: { seen: next, wallMs, isFilling }, more }
  }
  // What ended before the cursor is not news, and what ends from now on the reader ends itself.
  if (!isFilling && wallMs - since.wallMs > 2 * FOLLOW_HOLD_MS) {
    for (const slot of replica.table.slots()) {
      const atMs = replica.table.expiresAtMs(slot)
      if (atMs > since.wallMs && atMs <= wallMs) take(slot)
    }
    result.keys = [...keys.values()]
  }
  const next = keys.size > 0 ? replica.vector.clone() : merged(replica, seen)
  return { ...result, cursor: { seen: next, wallMs, isFilling: false }, more }
}

/** All that the copy and the reader have seen. */
function merged({ floor, vector }: Replica, seen: VersionVector): VersionVector {
  const isBehind = seen.floor !== undefined && !floor.includes(seen.floor)
  if (!isBehind && seen.strangers.size === 0 && vector.covers(seen)) return vector.clone()
  const all = seen.clone()
  for (const [replicaId, pairs] of seen.strangers) all.addStranger(replicaId, pairs)
  if (!isBehind) all.setFloor(floor.isEmpty ? undefined : floor)
  all.merge(vector)
  return all
}

/** A cursor for what is there now: only what comes from now on is news. */
export function cursorOfNow(collections: Collections, name: PartitionName, wallMs: number): PartitionCursor {
  const replica = collections.find(name)?.replica
  return { seen: replica?.vector.clone() ?? new VersionVector(), wallMs, isFilling: false }
}

/** Purged deletes may be among what the cursor has not seen. */
function isOverrun({ ids }: Collections, { floor }: Replica, { seen, wallMs, isFilling }: PartitionCursor): boolean {
  if (isFilling || floor.isEmpty) return false
  return floor.dateMs > wallMs || !seen.reaches(floor, (replicaId) => ids.indexOf(replicaId))
}

/** Visits the rows of a range until there is enough. Returns the last sequence number that is covered. */
function visited(replica: Replica, range: DotRange, take: (slot: number) => void, isFull: () => boolean): number {
  if (isFull()) return range.first - 1
  let last = range.last
  replica.visitDots([range], (slot) => {
    take(slot)
    if (!isFull()) return true
    last = replica.table.sequence(slot)
    return false
  })
  return last
}
