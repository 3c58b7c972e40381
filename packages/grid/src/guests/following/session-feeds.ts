import { GridError, hlcFromWall } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import type { Grant } from '../grants.ts'
import { GUEST_FEEDS_MAX, GUEST_FEED_IDLE_MAX_MS } from '../guest-limits.ts'
import type { GuestMessage, MemberMessage } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import { OVER, decodeFeedRequest, encodeFeedPage } from '../feeds/feed-request.ts'
import { MapFeeds } from './map-feeds.ts'
import type { FeedBegin } from './map-feeds.ts'
import type { ServedFeed } from './served-feed.ts'

/** How long a question waits for something new. */
const HOLD_MS = 25_000
/** Pages of one feed come so far apart, so what changes meanwhile comes together. */
const PAGE_GAP_MS = 100

/** A guest waits for a reply before it asks again, and may have ended feeds that were asked about. */
const REPLIES_MAX: number = 4 * GUEST_FEEDS_MAX
/** Feeds that are being opened, also those that have ended meanwhile. Further messages of the guest wait. */
const OPENINGS_MAX: number = 4 * GUEST_FEEDS_MAX

interface Feed {
  readonly request: FeedBegin
  readonly covered: readonly string[]
  served: ServedFeed | undefined
  /** A question waits for what is new, or its reply waits to be sent. */
  isAsked: boolean
  isOver: boolean
  pagedAtMs: number
  idleTimer: ReturnType<typeof setTimeout> | undefined
}

interface Reply {
  readonly number: number
  readonly code: string
  readonly text: string
  page: Uint8Array | undefined
  readonly feed: Feed | undefined
}

export interface SessionFeedsDeps {
  readonly pump: Pump
  readonly feeds: MapFeeds
  /** The pass as it is now. Throws if it is not valid any more, or if the guest is gone. */
  pass(): PassContent
  wake(): void
  failed(error: unknown): void
}

/** The feeds of partitioned maps of one guest, at its member: it asks for what is new in each of them, and one question of each waits. */
export class SessionFeeds {
  readonly #deps: SessionFeedsDeps
  readonly #feeds = new Map<number, Feed>()
  readonly #ready: Reply[] = []
  #partitions = 0
  #openings = 0
  #opened = Promise.withResolvers<void>()

  constructor(deps: SessionFeedsDeps) {
    this.#deps = deps
  }

  get hasReplies(): boolean {
    return this.#ready.length > 0
  }

  /** Resolves when the guest may ask for more. Rejects with `MESSAGE_MALFORMED` for what no honest guest sends. */
  async take({ number, request: bytes }: Extract<GuestMessage, { type: 'ask' | 'follow' }>): Promise<void> {
    const request = decodeFeedRequest(bytes)
    while (this.#openings >= OPENINGS_MAX) await this.#opened.promise
    const known = this.#feeds.get(request.feed)
    if (!('map' in request)) {
      const { feed, op } = request
      if (op === 'end' && known !== undefined) this.#leave(feed, known)
      else if (op === 'more' && known !== undefined) this.#ask(number, feed, known)
      else if (op === 'more') this.#reply({ number, code: '', text: '', page: encodeFeedPage(OVER), feed: undefined })
      return
    }
    if (known !== undefined || this.#feeds.size >= GUEST_FEEDS_MAX)
      throw new GridError('MESSAGE_MALFORMED', `it begins a feed twice, or more than ${GUEST_FEEDS_MAX}`)
    let covered: readonly string[]
    try {
      covered = MapFeeds.covered(request, this.#deps.pass().grants)
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'FORBIDDEN') throw error
      this.#reply({ number, code: error.code, text: error.message, page: undefined, feed: undefined })
      return
    }
    const feed: Feed = {
      ...{ request, covered, served: undefined, isAsked: false, isOver: false },
      ...{ pagedAtMs: -Infinity, idleTimer: undefined },
    }
    this.#feeds.set(request.feed, feed)
    this.#ask(number, request.feed, feed)
  }

  /** The next reply, as far as the pass covers it now. */
  next({ grants }: PassContent): MemberMessage | undefined {
    const ready = this.#ready.shift()
    if (ready === undefined) return undefined
    const { code, feed, number, page, text } = ready
    if (feed !== undefined) feed.isAsked = false
    const { peer, wallMs } = this.#deps.pump
    const hlc = Math.max(hlcFromWall(wallMs), peer.time.hybridClock.last)
    const isGiven = feed === undefined || isSame(feed, grants)
    const reply = isGiven ? page : encodeFeedPage(OVER)
    return { type: 'followed', number, code: isGiven ? code : '', text: isGiven ? text : '', reply, hlc }
  }

  /** The pass covers something else now: feeds that would show something else end, and the guest begins them again. */
  regrant(grants: readonly Grant[]): void {
    for (const [id, feed] of this.#feeds) if (!isSame(feed, grants)) this.#end(id, feed)
  }

  close(): void {
    for (const [id, feed] of this.#feeds) this.#end(id, feed)
  }

  #reply(reply: Reply): void {
    if (this.#ready.length >= REPLIES_MAX) throw new GridError('MESSAGE_MALFORMED', 'it does not wait for replies')
    this.#ready.push(reply)
    this.#deps.wake()
  }

  #ask(number: number, id: number, feed: Feed): void {
    if (feed.isAsked) throw new GridError('MESSAGE_MALFORMED', 'it asks twice for what is new in a feed')
    feed.isAsked = true
    clearTimeout(feed.idleTimer)
    this.#page(feed).then(
      (page) => this.#paged(number, id, feed, page),
      (error: unknown) => this.#refused(number, id, feed, error),
    )
  }

  async #page(feed: Feed): Promise<object | undefined> {
    const served = feed.served ?? (await this.#open(feed))
    const waitMs = feed.pagedAtMs + PAGE_GAP_MS - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    return feed.isOver ? undefined : served.next(HOLD_MS)
  }

  async #open(feed: Feed): Promise<ServedFeed> {
    this.#openings += 1
    try {
      return await this.#opening(feed)
    } finally {
      this.#openings -= 1
      this.#opened.resolve()
      this.#opened = Promise.withResolvers()
    }
  }

  async #opening(feed: Feed): Promise<ServedFeed> {
    const { feeds, pass } = this.#deps
    const wanted = (): PassContent => {
      if (feed.isOver) throw new GridError('ABORTED', 'the guest has ended it')
      return pass()
    }
    const served = await feeds.open(feed.request, feed.covered, wanted)
    try {
      if (feed.isOver) served.stop()
      else {
        pass()
        feeds.room.take(served.partitionCount, this.#partitions)
        this.#partitions += served.partitionCount
        feed.served = served
      }
    } catch (error) {
      served.stop()
      throw error
    }
    return served
  }

  #paged(number: number, id: number, feed: Feed, page: object | undefined): void {
    feed.pagedAtMs = performance.now()
    try {
      const isOver = page === undefined || feed.isOver
      if (isOver) this.#end(id, feed)
      else feed.idleTimer = setTimeout(() => this.#end(id, feed), GUEST_FEED_IDLE_MAX_MS)
      this.#reply({ number, code: '', text: '', page: encodeFeedPage(isOver ? OVER : page), feed })
    } catch (error) {
      this.#refused(number, id, feed, error)
    }
  }

  #refused(number: number, id: number, feed: Feed, error: unknown): void {
    const wasEnded = feed.isOver
    this.#end(id, feed)
    if (wasEnded && error instanceof GridError)
      this.#reply({ number, code: '', text: '', page: encodeFeedPage(OVER), feed })
    else if (!(error instanceof GridError) || ENDING.has(error.code)) this.#deps.failed(error)
    else this.#reply({ number, code: error.code, text: error.message, page: undefined, feed })
  }

  /** A guest that has ended a feed needs no page of it, and may never read one. */
  #leave(id: number, feed: Feed): void {
    this.#end(id, feed)
    for (const reply of this.#ready)
      if (reply.feed === feed && reply.page !== undefined) reply.page = encodeFeedPage(OVER)
  }

  #end(id: number, feed: Feed): void {
    clearTimeout(feed.idleTimer)
    if (feed.isOver) return
    feed.isOver = true
    this.#feeds.delete(id)
    if (feed.served === undefined) return
    const { partitionCount } = feed.served
    feed.served.stop()
    this.#partitions -= partitionCount
    this.#deps.feeds.room.give(partitionCount)
  }
}

/** These end the connection. */
const ENDING: ReadonlySet<string> = new Set(['MESSAGE_MALFORMED', 'PASS_INVALID', 'CLOSED'])

/** Whether a feed shows the same under these grants as when it began. */
function isSame({ covered, request }: Feed, grants: readonly Grant[]): boolean {
  try {
    const now = MapFeeds.covered(request, grants)
    return now.length === covered.length && now.every((text, place) => text === covered[place])
  } catch {
    return false
  }
}
