import { encodeValue } from '@gossipgrid/core'
import type { KeyTurns } from '../../flow/key-turns.ts'
import { checkLive } from '../../live/open-live.ts'
import { FollowedQuery } from '../../partitioned/live/followed-query.ts'
import type { PartAsking } from '../../partitioned/queries/part-asking.ts'
import type { RoutedEntries } from '../../partitioned/routed-entries.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { AskedMap } from '../asked-map.ts'
import { coveredWithin, covers, notCovered } from '../covering.ts'
import type { Grant } from '../grants.ts'
import type { PassContent } from '../pass-text.ts'
import {
  GUEST_LIVE_MAX_BYTES,
  GUEST_LIVE_ROWS_MAX,
  GUEST_REQUEST_MAX_BYTES,
  GUEST_REQUEST_MAX_MS,
} from '../guest-limits.ts'
import type { FeedRequest, FollowedChanges, FollowedRowsOf } from '../feeds/feed-request.ts'
import { FeedRoom } from './feed-room.ts'
import { openPlace, sealPlace } from './place-seal.ts'
import type { PlaceOf } from './place-seal.ts'
import { RowSources } from './row-sources.ts'
import { ServedChanges } from './served-changes.ts'
import type { ServedFeed } from './served-feed.ts'
import { ServedRows } from './served-rows.ts'

/** A partitioned map that a member follows for guests. */
export interface FollowedMap {
  readonly entries: RoutedEntries
  readonly kind: number
  asking(): Promise<PartAsking>
}

export interface MapFeedsDeps {
  readonly pump: Pump
  /** Keys that places are sealed with, the current one first. */
  readonly keys: readonly CryptoKey[]
  /** What costs much is done for one subject one after another. */
  readonly turns: KeyTurns
  /** Rejects with `OWNERS_UNREACHABLE` for a map that no member has opened, with `COLLECTION_MISMATCH` for another one of that name. */
  map(asked: AskedMap, timeoutMs: number): Promise<FollowedMap>
}

/** What begins a feed. */
export type FeedBegin = Extract<FeedRequest, { readonly op: 'changes' | 'live' }>

/** The feeds of partitioned maps that this member serves to guests. */
export class MapFeeds {
  readonly room: FeedRoom = new FeedRoom()
  readonly #deps: MapFeedsDeps
  readonly #rows = new RowSources()

  constructor(deps: MapFeedsDeps) {
    this.#deps = deps
  }

  /**
   * What of a map a feed shows under these grants: nothing is read of anything else. Equal texts stand for feeds that show the same. Throws
   * `FORBIDDEN` if that is nothing.
   */
  static covered(request: FeedBegin, grants: readonly Grant[]): readonly string[] {
    const { map } = request
    const isOne = request.op === 'changes' && request.exact
    if (isOne && covers(grants, 'read', map, request.prefix)) return [request.prefix]
    const covered = isOne ? [] : coveredWithin(grants, map, request.op === 'changes' ? request.prefix : '')
    if (covered.length === 0) throw notCovered(map)
    return covered
  }

  /**
   * Begins a feed. `wanted` gives the pass of the guest, and throws if the guest does not wait for the feed any more. Rejects with what the guest is to be
   * refused with.
   */
  async open(request: FeedBegin, covered: readonly string[], wanted: () => PassContent): Promise<ServedFeed> {
    const timeoutMs = Math.min(GUEST_REQUEST_MAX_MS, Math.max(1, request.timeoutMs))
    const map = await this.#deps.map(request, timeoutMs)
    if (request.op === 'changes') return this.#changes(map, request, covered)
    return this.#deps.turns.take(wanted().subject, async () => {
      wanted()
      return this.#live(map, request, covered, timeoutMs)
    })
  }

  async #changes(
    { entries, kind }: FollowedMap,
    { exact, initial, lost, since }: FollowedChanges,
    covered: readonly string[],
  ): Promise<ServedFeed> {
    const { keys, pump } = this.#deps
    const of = (partition: number): PlaceOf => {
      return { collection: entries.descriptor.name, kind, partition, covered, exact }
    }
    const cursors = new Map<number, Uint8Array>()
    const isVoid = new Set(lost)
    for (const [partition, sealed] of since) {
      const cursor = await openPlace(keys, of(partition), sealed)
      if (cursor === undefined) isVoid.add(partition)
      else cursors.set(partition, cursor)
    }
    const seal = (partition: number, cursor: Uint8Array): Promise<Uint8Array | undefined> => {
      return sealPlace(keys[0]!, of(partition), cursor)
    }
    return new ServedChanges({ pump, entries, covered, exact, initial, lost: isVoid, since: cursors, seal })
  }

  async #live(
    map: FollowedMap,
    { asked }: FollowedRowsOf,
    covered: readonly string[],
    timeoutMs: number,
  ): Promise<ServedFeed> {
    const { entries, kind } = map
    const { limit, ...query } = checkLive(asked)
    // One row more says whether there are more than a guest is shown.
    const rowsMax = Math.min(limit, GUEST_LIVE_ROWS_MAX + 1)
    const { limit: _, ...rest } = asked
    const named = [entries.descriptor.name, kind, covered, rowsMax, rest]
    const key = Buffer.from(encodeValue(named, 2 * GUEST_REQUEST_MAX_BYTES)).toString('latin1')
    const source = await this.#rows.open(key, async () => {
      const { pump } = this.#deps
      const followed = new FollowedQuery(
        { pump, entries, asking: await map.asking(), sizeMaxBytes: GUEST_LIVE_MAX_BYTES },
        { ...query, limit: rowsMax, within: covered },
      )
      try {
        await followed.begin({ timeoutMs })
        return followed
      } catch (error) {
        followed.stop()
        throw error
      }
    })
    return new ServedRows(source, limit)
  }
}
