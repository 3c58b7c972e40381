import { decodeValue, isDelete, isSwept, subjectOf, wallFromHlc } from '@gossipgrid/core'
import type { CollectionDescriptor, PartitionName, Row } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import { EntryEnds } from './entry-ends.ts'
import { FollowedPartitions } from './followed-partitions.ts'
import { mapCursor, readMapCursor } from './map-cursor.ts'
import type {
  Coverage,
  PartitionChange,
  PartitionChangesOptions,
  PartitionWatchOptions,
  PartitionWatched,
} from './partition-changes.ts'

/** A loop over changes that has begun. */
export interface RunningFeed {
  readonly coverage: () => Coverage
  /** Ends it, also while it waits. */
  readonly stop: () => void
}

/** The entries of a map, wherever they are. */
export interface FollowedEntries {
  readonly descriptor: CollectionDescriptor
  readonly places: {
    of(key: string): PartitionName
    withPrefix(prefix: string): readonly PartitionName[]
    indexOf(name: PartitionName): number
  }
  /** Throws once they cannot be read any more. */
  readonly reads: { check(): void }
  /** What readers see of an entry with these rows. */
  entry(
    key: string,
    rows: readonly Readonly<Row>[],
  ): { readonly content: Uint8Array | undefined; readonly expiresAtMs: number }
}

/** Where the changes of a map come from. */
export interface MapChangesDeps {
  readonly entries: FollowedEntries
  readonly pump: Pump
  /** Called once, when the loop has begun. */
  readonly begun: (running: RunningFeed) => void
}

type Shown<Value> = PartitionChange<Value> & PartitionWatched

/** See `PartitionedMap.changes` and `watch`. */
export async function* mapChanges<Value>(
  { begun, entries, pump }: MapChangesDeps,
  options: PartitionChangesOptions & PartitionWatchOptions,
): AsyncGenerator<Shown<Value>, void, undefined> {
  const { places, reads } = entries
  const { initial = false, key: only, prefix = '', signal, since } = options
  const names = only === undefined ? places.withPrefix(prefix) : [places.of(only)]
  const indexOf = (place: number): number => places.indexOf(names[place]!)
  const of = { seed: pump.peer.collections.seed, descriptor: entries.descriptor }
  const from = since === undefined ? new Map<number, Uint8Array>() : readMapCursor(since, of)
  const cursors = names.flatMap((name, place) => {
    const cursor = from.get(places.indexOf(name))
    return cursor === undefined ? [] : [[place, cursor] as const]
  })
  const followed = new FollowedPartitions({
    pump,
    check: () => reads.check(),
    names,
    prefix: only ?? prefix,
    exact: only !== undefined,
    initial,
    since: new Map(cursors),
    signal,
  })
  const coverage = (): Coverage => {
    const unanswered = [...followed.unanswered].map(indexOf)
    return { complete: unanswered.length === 0, unanswered }
  }
  begun({ coverage, stop: () => followed.stop() })
  const cursorOf = (): (() => string | undefined) => {
    if (!followed.isCaughtUp) return () => undefined
    const cursors = new Map(
      followed.cursors.flatMap((cursor, place) => (cursor === undefined ? [] : [[indexOf(place), cursor] as const])),
    )
    return () => mapCursor(of, cursors)
  }
  const ends = new EntryEnds(
    () => pump.wallMs,
    () => followed.wake(),
  )
  try {
    for (;;) {
      for (const [key, atMs] of ends.take())
        yield shown(ended<Value>(key, atMs, places.indexOf(places.of(key))), cursorOf())
      const arrived = await followed.next()
      if (arrived === 'woken') continue
      if (arrived === undefined) return
      const partition = indexOf(arrived.place)
      const changes: PartitionChange<Value>[] = arrived.reset ? [resetOf(partition)] : []
      const hides = arrived.reset || (arrived.isFirst && since === undefined)
      for (const { key, rows } of arrived.keys) {
        const { content, expiresAtMs } = entries.entry(key, rows)
        ends.set(key, content === undefined ? Infinity : expiresAtMs)
        // Deletes of what the reader was never given.
        if (content === undefined && hides) continue
        changes.push({ ...changeOf<Value>(key, content, expiresAtMs, partition), ...originOf(rows, pump) })
      }
      const last = changes.pop()
      for (const change of changes) yield shown(change, () => undefined)
      followed.done(arrived)
      if (last !== undefined) yield shown(last, cursorOf())
    }
  } finally {
    ends.stop()
    followed.stop()
  }
}

function changeOf<Value>(
  key: string,
  content: Uint8Array | undefined,
  expiresAtMs: number,
  partition: number,
): PartitionChange<Value> {
  const expires = content !== undefined && expiresAtMs !== Infinity
  return {
    type: content === undefined ? 'delete' : 'set',
    key,
    value: content === undefined ? undefined : (decodeValue(content) as Value),
    expiresAt: expires ? new Date(expiresAtMs) : undefined,
    local: false,
    by: undefined,
    at: undefined,
    partition,
  }
}

function ended<Value>(key: string, atMs: number, partition: number): PartitionChange<Value> {
  return { ...changeOf<Value>(key, undefined, Infinity, partition), at: new Date(atMs) }
}

function resetOf<Value>(partition: number): PartitionChange<Value> {
  return { ...changeOf<Value>('', undefined, Infinity, partition), type: 'reset' }
}

/** Where the latest row of an entry comes from. */
function originOf(
  rows: readonly Readonly<Row>[],
  { peer }: Pump,
): Pick<PartitionChange<unknown>, 'local' | 'by' | 'subject' | 'at'> {
  const latest = rows.reduce((later, row) => (row.hlc > later.hlc ? row : later))
  const replicaId = peer.collections.ids.id(latest.writer)
  const local = replicaId === peer.replicaId || replicaId === peer.partitions.writerId
  const by = local ? peer.peerId : peer.membership.writerOf(replicaId)
  const subject = writerOf(latest)
  return { local, by, ...(subject === undefined ? {} : { subject }), at: new Date(wallFromHlc(latest.hlc)) }
}

/** The subject of the guest that set or deleted a row. Undefined for a member, and for what has expired. */
function writerOf({ bytes, end, start }: Readonly<Row>): string | undefined {
  const stored = bytes?.subarray(start, end)
  if (stored === undefined || (isSwept(stored, 0, stored.length) && !isDelete(stored))) return undefined
  return subjectOf(stored)
}

/** The cursor is made when it is read: it has a place in each partition. */
function shown<Value>(change: PartitionChange<Value>, cursor: () => string | undefined): Shown<Value> {
  return Object.defineProperty(change, 'cursor', { get: cursor, enumerable: true, configurable: true }) as Shown<Value>
}
