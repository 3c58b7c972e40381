import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known, Partition } from '@gossipgrid/core'
import { TIMEOUT_MAX_MS, checkCount, checkKind } from '../batches/checks.ts'
import { FEED_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import { STEPS_PER_TURN, nextTurn } from '../flow/pacing.ts'
import { checkAborted, settlesWithin } from '../runtime/waiting.ts'
import type { Pump } from '../runtime/write-path.ts'
import { cursorOf, droppedSince, readCursor } from './cursor.ts'
import type { Cursor } from './cursor.ts'

const TIMEOUT_MS = 10_000
const SOURCE = 'cursors'

/** Which changes of a map to watch, and from where on. */
export interface WatchOptions extends FeedOptions {
  /** Only keys that start with this text. */
  readonly prefix?: string
  /** The `cursor` of a change, of this peer or another one: goes on after it. Without it, the current entries come first. */
  readonly since?: string | undefined
  /** How long to wait until this peer has what the cursor has seen, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
}

/** A change with the place in all changes that it has led to. */
export interface Watched {
  /**
   * What to pass as `since`, later or at another peer, to go on after this change. Undefined while more changes wait: keep the
   * cursor that you have.
   */
  readonly cursor: string | undefined
}

const WATCH_OPTIONS: Known<WatchOptions> = { ...FEED_OPTIONS, prefix: true, since: true, timeoutMs: true }

/** Where a map's rows are, and what they mean. */
interface Source {
  readonly pump: Pump
  readonly partition: Partition
  /** The key of the entry that a row belongs to. */
  keyOf(rowKey: string): string
  /** The keys of all entries. */
  keys(): Iterable<string>
}

/** What watching needs of a map. */
export interface WatchDeps<Change> extends Source {
  /** The changes from now on. `isCaughtUp` is true once all of them have been read. */
  changes(
    options: FeedOptions & { readonly prefix: string },
  ): AsyncIterableIterator<Change> & { readonly isCaughtUp: boolean }
  /** The entry as it is now, as a change; with `gone`, a delete where there is none. */
  change(key: string, gone: boolean): Change | undefined
  /** Reports what has arrived. */
  refresh(): void
}

/** See `GridMap.watch`. */
export async function* watch<Change extends { readonly type: string }>(
  deps: WatchDeps<Change>,
  options: WatchOptions,
): AsyncGenerator<Change & Watched, void, undefined> {
  checkKnown(options, WATCH_OPTIONS)
  checkFeedOptions(options)
  checkKind('prefix', options.prefix, 'text')
  checkCount('timeoutMs', options.timeoutMs, 1, TIMEOUT_MAX_MS)
  const { prefix = '', since, timeoutMs = TIMEOUT_MS, signal, bufferMax } = options
  const { pump, partition } = deps
  const { collections } = pump.peer
  pump.checkOpen()
  checkAborted(signal)
  let from = since === undefined ? undefined : readCursor(since, collections, partition)
  if (from !== undefined) await covered(deps, from, timeoutMs, signal)
  const feed = {
    prefix,
    ...(signal === undefined ? {} : { signal }),
    ...(bufferMax === undefined ? {} : { bufferMax }),
  }
  let given: string | undefined
  const now = (): string => (given = cursorOf(collections, partition, pump.wallMs))
  for (;;) {
    if (given !== undefined) from = readCursor(given, collections, partition)
    // From here on nothing is missed: what changes during the walk waits in the loop.
    const loop = deps.changes(feed)
    const isCaughtUp = (): boolean => {
      deps.refresh()
      return loop.isCaughtUp
    }
    try {
      let last: Change | undefined
      for await (const key of keysSince(deps, from)) {
        const change = key.startsWith(prefix) ? deps.change(key, from !== undefined) : undefined
        if (change === undefined) continue
        if (last !== undefined) yield { ...last, cursor: undefined }
        last = change
      }
      if (last !== undefined) yield { ...last, cursor: isCaughtUp() ? now() : undefined }
      let isLagging = false
      for await (const change of loop) {
        // What was left out is found again by the last cursor.
        isLagging = change.type === 'lagged'
        if (isLagging) break
        yield { ...change, cursor: isCaughtUp() ? now() : undefined }
      }
      if (!isLagging) return
    } finally {
      await loop.return?.()
    }
  }
}

/** The keys that have changed since; all keys without a cursor. Throws `CURSOR_EXPIRED`. */
async function* keysSince(
  { pump, partition, keyOf, keys }: Source,
  from: Cursor | undefined,
): AsyncGenerator<string, void, undefined> {
  const found = new Set(from === undefined ? keys() : [])
  if (from !== undefined) {
    const { seen, wallMs } = from
    const { replica } = partition
    const { table, floor } = replica
    const numberOf = (replicaId: string): number | undefined => pump.peer.collections.ids.indexOf(replicaId)
    if (!floor.isEmpty && (floor.dateMs > wallMs || !seen.reaches(floor, numberOf)))
      throw new GridError(
        'CURSOR_EXPIRED',
        'deletes since this cursor are purged: watch again without since, and drop the entries that do not come',
      )
    replica.visitDots(replica.owed(seen), (slot) => {
      found.add(keyOf(table.key(slot)))
      return true
    })
    // An entry that expires is not written.
    for (const slot of table.slots()) {
      const atMs = table.expiresAtMs(slot)
      if (atMs > wallMs && atMs <= pump.wallMs) found.add(keyOf(table.key(slot)))
    }
  }
  let taken = 0
  for (const key of found) {
    yield key
    if (++taken % STEPS_PER_TURN === 0) await nextTurn()
  }
}

/**
 * Waits until this peer has all that the cursor has seen: what it lacks could be a delete, or a drop of the map, that a reader must
 * not miss.
 */
async function covered(
  { pump, partition }: Source,
  { seen, isAhead }: Cursor,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { peer } = pump
  const numberOf = (replicaId: string): number | undefined => peer.collections.ids.indexOf(replicaId)
  const isCovered = (): boolean => {
    if (isAhead) return false
    seen.adopt(numberOf)
    const { vector } = partition.replica
    return seen.strangers.size === 0 && vector.covers(seen) && vector.reaches(seen.floor!, numberOf)
  }
  if (isCovered()) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = pump.afterSteps(() => {
    if (partition.dropped || isCovered() || pump.closing.aborted) resolve()
  })
  peer.antiEntropy.wantFrom(SOURCE, pump.now())
  try {
    const inTime = await settlesWithin(promise, timeoutMs, { signal })
    pump.checkOpen()
    if (partition.dropped) throw droppedSince()
    if (inTime) return
  } finally {
    stop()
  }
  throw new GridError(
    'TOKEN_TIMEOUT',
    `after ${timeoutMs} ms this peer does not have yet what the cursor has seen: call again, or watch without since`,
  )
}
