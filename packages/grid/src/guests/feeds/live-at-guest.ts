import { GridError, READ_TIMEOUT_MS } from '@gossipgrid/core'
import { TimeSlices } from '../../flow/time-slices.ts'
import { LiveQuery } from '../../live/live-query.ts'
import { checkLive } from '../../live/open-live.ts'
import type { Logger } from '../../logger.ts'
import type { OwnerReadOptions } from '../../partitioned/partition-options.ts'
import { FollowedRows } from '../../partitioned/live/followed-rows.ts'
import type { CheckedQuery } from '../../queries/check-query.ts'
import { settlesWithin } from '../../runtime/waiting.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { AskedMap } from '../asked-map.ts'
import { coveredWithin, covers } from '../covering.ts'
import { GUEST_LIVE_ROWS_MAX } from '../guest-limits.ts'
import type { RowsPage } from './feed-request.ts'
import type { GuestFeed, GuestFeeds } from './guest-feeds.ts'

export interface GuestLiveDeps {
  readonly feeds: GuestFeeds
  readonly pump: Pump
  readonly logger: Logger
  readonly asked: AskedMap
}

/** See `PartitionedMap.live`: at a guest. Rejects as a query does. */
export async function openGuestLive<Value>(
  deps: GuestLiveDeps,
  query: unknown,
  options: OwnerReadOptions,
): Promise<LiveQuery<Value>> {
  const { limit, ...checked } = checkLive(query)
  const { logger, pump } = deps
  const shown = { ...checked, limit: Math.min(limit, GUEST_LIVE_ROWS_MAX) }
  const rows = new RowsAtGuest(deps, shown, query as Readonly<Record<string, unknown>>)
  try {
    await rows.begin(options)
    const slices = new TimeSlices(() => pump.checkOpen())
    const isComplete = (): boolean => rows.complete
    const live = await LiveQuery.open<Value>(
      { source: rows.rows, indexes: [], slices, pump, logger, isComplete },
      shown,
    )
    rows.onComplete(() => live.announce())
    return live
  } catch (error) {
    rows.stop()
    throw error
  }
}

/** The rows of a live query as members give them to a guest. They stay while it has no connection, as long as its pass covers them. */
class RowsAtGuest {
  readonly rows: FollowedRows
  readonly #deps: GuestLiveDeps
  readonly #feed: GuestFeed
  readonly #begun = Promise.withResolvers<void>()
  /** Rows of which the member that sends all of them again has not spoken yet. */
  #stale: Set<string> | undefined
  /** What keys begin with that the pass covers. */
  #covered: string
  #isComplete = false
  #wasComplete = false
  #changed: () => void = () => undefined

  constructor(deps: GuestLiveDeps, query: CheckedQuery, asked: Readonly<Record<string, unknown>>) {
    this.#deps = deps
    this.#covered = this.#coveredNow()
    this.#feed = deps.feeds.open(
      (feed) => ({ op: 'live', feed, ...deps.asked, asked }),
      () => this.#restrict(),
    )
    this.rows = new FollowedRows(query, () => this.stop())
    this.#begun.promise.catch(() => undefined)
  }

  /** All rows are here, as members say. */
  get complete(): boolean {
    return this.#isComplete && this.#feed.isOpen
  }

  onComplete(changed: () => void): void {
    this.#changed = changed
  }

  async begin({ signal, timeoutMs = READ_TIMEOUT_MS }: OwnerReadOptions): Promise<void> {
    void this.#run()
    const isBegun = await settlesWithin(this.#begun.promise, timeoutMs, { signal, closed: this.#deps.feeds.closing })
    if (isBegun) return this.#begun.promise
    throw new GridError('NETWORK_NOT_CONNECTED', `no member has given rows within ${timeoutMs} ms`)
  }

  stop(): void {
    this.#feed.stop()
  }

  async #run(): Promise<void> {
    let hasBegun = false
    for (;;) {
      try {
        const page = (await this.#feed.next()) as RowsPage | undefined
        if (page === undefined) return
        this.#take(page)
        hasBegun ||= !page.more
        if (hasBegun) this.#begun.resolve()
      } catch (error) {
        if (!hasBegun || !(error instanceof GridError) || this.#feed.isOver) {
          this.#begun.reject(error)
          return
        }
        this.#isComplete = false
        if (error.code === 'FORBIDDEN' || error.code === 'PASS_INVALID') this.#clear()
        this.#report()
        await this.#feed.woken()
      }
    }
  }

  #take({ gone, isComplete, isFirst, more, rows }: RowsPage): void {
    if (isFirst) this.#stale = new Set(this.rows.keysOf(() => true))
    for (const key of gone) this.rows.remove(key)
    for (const [key, bytes] of rows) {
      this.#stale?.delete(key)
      this.rows.put(key, bytes)
    }
    if (!more) for (const key of this.#stale ?? []) this.rows.remove(key)
    if (!more) this.#stale = undefined
    this.#isComplete = isComplete && !more
    this.#report()
  }

  /** A pass that covers less takes away what it no longer covers, before a member is asked. */
  #restrict(): void {
    const { asked, feeds } = this.#deps
    const grants = feeds.grants ?? []
    const covered = this.#coveredNow()
    // The member sends all again.
    if (covered !== this.#covered) this.#isComplete = false
    this.#covered = covered
    for (const key of this.rows.keysOf((each) => !covers(grants, 'read', asked.map, each))) this.rows.remove(key)
    this.#report()
  }

  #coveredNow(): string {
    const { asked, feeds } = this.#deps
    return coveredWithin(feeds.grants ?? [], asked.map, '').join('\0')
  }

  #clear(): void {
    for (const key of this.rows.keysOf(() => true)) this.rows.remove(key)
  }

  #report(): void {
    this.rows.report()
    const { complete } = this
    if (complete === this.#wasComplete) return
    this.#wasComplete = complete
    this.#changed()
  }
}
