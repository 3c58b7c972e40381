import { decodeValue, isDelete, isSwept, subjectOf, wallFromHlc } from '@gossipgrid/core'
import type { CollectionDescriptor, FollowedKey, PartitionName, Row } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import { EntryEnds } from './entry-ends.ts'
import { FollowedPartitions } from './followed-partitions.ts'
import type { ChangeSource } from './change-source.ts'
import { mapCursor, readMapCursor } from './map-cursor.ts'
import type { CursorOf } from './map-cursor.ts'
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

/** Where the entries of a map are. */
export interface EntryPlaces {
  of(key: string): PartitionName
  withPrefix(prefix: string): readonly PartitionName[]
  indexOf(name: PartitionName): number
}

/** The entries of a map, wherever they are. */
export interface FollowedEntries {
  readonly descriptor: CollectionDescriptor
  readonly places: EntryPlaces
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

/** Who wrote an entry, and when. */
export type ChangeOrigin = Pick<PartitionChange<unknown>, 'local' | 'by' | 'subject' | 'at'>

/** An entry that has changed, as readers see it. */
export interface ChangedEntry {
  readonly key: string
  readonly content: Uint8Array | undefined
  readonly expiresAtMs: number
  readonly origin: ChangeOrigin
}

export interface ChangesDeps<Key> extends Pick<MapChangesDeps, 'begun'> {
  readonly places: EntryPlaces
  /** Of which map cursors are. */
  readonly cursorOf: CursorOf
  readonly wallMs: () => number
  /** Follows these partitions, some of them from a cursor on, by their places among `names`. */
  source(names: readonly PartitionName[], since: ReadonlyMap<number, Uint8Array>): ChangeSource<Key>
  read(changed: Key): ChangedEntry
}

type Shown<Value> = PartitionChange<Value> & PartitionWatched

/** See `PartitionedMap.changes` and `watch`. */
export function mapChanges<Value>(
  { begun, entries, pump }: MapChangesDeps,
  options: PartitionChangesOptions & PartitionWatchOptions,
): AsyncGenerator<Shown<Value>, void, undefined> {
  const { initial = false, key: only, prefix = '', signal } = options
  const deps: ChangesDeps<FollowedKey> = {
    begun,
    places: entries.places,
    cursorOf: { seed: pump.peer.collections.seed, descriptor: entries.descriptor },
    wallMs: () => pump.wallMs,
    source: (names, since) => {
      const keys = { prefix: only ?? prefix, exact: only !== undefined, initial }
      return new FollowedPartitions({ pump, check: () => entries.reads.check(), names, ...keys, since, signal })
    },
    read: ({ key, rows }) => ({ key, ...entries.entry(key, rows), origin: originOf(rows, pump) }),
  }
  return changesOf<Value, FollowedKey>(deps, options)
}

/** Changes of partitions, as readers see them. */
export async function* changesOf<Value, Key>(
  { begun, cursorOf: of, places, read, source, wallMs }: ChangesDeps<Key>,
  { key: only, prefix = '', since }: PartitionChangesOptions & PartitionWatchOptions,
): AsyncGenerator<Shown<Value>, void, undefined> {
  const names = only === undefined ? places.withPrefix(prefix) : [places.of(only)]
  const indexOf = (place: number): number => places.indexOf(names[place]!)
  const from = since === undefined ? new Map<number, Uint8Array>() : readMapCursor(since, of)
  const cursors = names.flatMap((name, place) => {
    const cursor = from.get(places.indexOf(name))
    return cursor === undefined ? [] : [[place, cursor] as const]
  })
  const followed = source(names, new Map(cursors))
  const coverage = (): Coverage => {
    const unanswered = [...followed.unanswered].map(indexOf)
    return { complete: unanswered.length === 0, unanswered }
  }
  begun({ coverage, stop: () => followed.stop() })
  const cursorNow = (): (() => string | undefined) => {
    if (!followed.isCaughtUp) return () => undefined
    const after = new Map(
      followed.cursors.flatMap((cursor, place) => (cursor === undefined ? [] : [[indexOf(place), cursor] as const])),
    )
    return () => mapCursor(of, after)
  }
  const ends = new EntryEnds(wallMs, () => followed.wake())
  try {
    for (;;) {
      for (const [key, atMs] of ends.take())
        yield shown(ended<Value>(key, atMs, places.indexOf(places.of(key))), cursorNow())
      const arrived = await followed.next()
      if (arrived === 'woken') continue
      if (arrived === undefined) return
      const partition = indexOf(arrived.place)
      const changes: PartitionChange<Value>[] = arrived.reset ? [resetOf(partition)] : []
      const hides = arrived.reset || (arrived.isFirst && since === undefined)
      for (const each of arrived.keys) {
        const { content, expiresAtMs, key, origin } = read(each)
        ends.set(key, content === undefined ? Infinity : expiresAtMs)
        // Deletes of what the reader was never given.
        if (content === undefined && hides) continue
        changes.push({ ...changeOf<Value>(key, content, expiresAtMs, partition), ...origin })
      }
      const last = changes.pop()
      for (const change of changes) yield shown(change, () => undefined)
      followed.done(arrived)
      if (last !== undefined) yield shown(last, cursorNow())
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
function originOf(rows: readonly Readonly<Row>[], { peer }: Pump): ChangeOrigin {
  const latest = rows.reduce((later, row) => (row.hlc > later.hlc ? row : later))
  const replicaId = peer.collections.ids.id(latest.writer)
  const local = replicaId === peer.replicaId || replicaId === peer.partitions.writerId
  const by = local ? peer.peerId : peer.membership.writerOf(replicaId)
  const subject = subjectOfRow(latest)
  return { local, by, ...(subject === undefined ? {} : { subject }), at: new Date(wallFromHlc(latest.hlc)) }
}

/** The subject of the guest that set or deleted a row. Undefined for a member, and for what has expired. */
export function subjectOfRow({ bytes, end, start }: Readonly<Row>): string | undefined {
  const stored = bytes?.subarray(start, end)
  if (stored === undefined || (isSwept(stored, 0, stored.length) && !isDelete(stored))) return undefined
  return subjectOf(stored)
}

/** The cursor is made when it is read: it has a place in each partition. */
function shown<Value>(change: PartitionChange<Value>, cursor: () => string | undefined): Shown<Value> {
  return Object.defineProperty(change, 'cursor', { get: cursor, enumerable: true, configurable: true }) as Shown<Value>
}
