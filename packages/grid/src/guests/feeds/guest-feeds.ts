import { GridError, decodeValue } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import { covers, notCovered } from '../covering.ts'
import type { Grant } from '../grants.ts'
import { GUEST_FEEDS_MAX } from '../guest-limits.ts'
import type { GuestMessage, MemberReply } from '../messages.ts'
import { encodeFeedRequest } from './feed-request.ts'
import type { FeedPage, FeedRequest } from './feed-request.ts'

/** The connection has ended: what was asked on it is to be asked on the next one. */
const LOST = 'LOST'

/** The feeds of partitioned maps of a guest, through the member that it is connected to. */
export class GuestFeeds {
  /** What the pass allows, as far as the guest knows. */
  grants: readonly Grant[] | undefined
  readonly closing: AbortSignal
  readonly #feeds = new Set<GuestFeed>()
  readonly #asked = new Map<number, PromiseWithResolvers<FeedPage | typeof LOST>>()
  #send: ((message: GuestMessage) => void) | undefined
  #feedsMax = 0
  #lastNumber = 0
  #lastFeed = 0
  /** Counts connections. */
  #connections = 0

  constructor(closing: AbortSignal) {
    this.closing = closing
    onAbort(closing, () => this.ended())
  }

  /** The number of the connection; undefined without one. */
  get connection(): number | undefined {
    return this.#send === undefined ? undefined : this.#connections
  }

  /** Throws `FORBIDDEN` unless the pass covers the key, as far as the guest knows. */
  check(map: string, key: string): void {
    if (this.grants !== undefined && !covers(this.grants, 'read', map, key)) throw notCovered(map)
  }

  /** Throws `QUOTA_EXCEEDED`. */
  open(begin: (feed: number) => FeedRequest, changed: () => void): GuestFeed {
    if (this.#feeds.size >= GUEST_FEEDS_MAX)
      throw new GridError('QUOTA_EXCEEDED', `a guest has ${GUEST_FEEDS_MAX} loops and live queries of partitioned maps`)
    this.#lastFeed += 1
    const feed = new GuestFeed(this, this.#lastFeed, begin, changed)
    this.#feeds.add(feed)
    return feed
  }

  /** A member serves this guest, also where it has another pass now. `feedsMax`: undefined if it knows no feeds. */
  welcome(feedsMax: number | undefined, send: (message: GuestMessage) => void): void {
    if (this.#send === undefined) this.#connections += 1
    this.#send = send
    this.#feedsMax = feedsMax ?? 0
    for (const feed of this.#feeds) feed.wake()
  }

  /** The guest is of another subject now: what the former one follows is not for this one. */
  refuseAll(): void {
    for (const feed of this.#feeds) feed.fail(new GridError('PASS_INVALID', 'the pass is for another subject now'))
  }

  /** The connection has ended. */
  ended(): void {
    this.#send = undefined
    for (const asked of this.#asked.values()) asked.resolve(LOST)
    this.#asked.clear()
    for (const feed of this.#feeds) feed.wake()
  }

  replied({ code, number, reply, text }: MemberReply): void {
    const asked = this.#asked.get(number)
    this.#asked.delete(number)
    if (code !== '') asked?.reject(new GridError(code as GridError['code'], text))
    else asked?.resolve(decodeValue(reply!) as FeedPage)
  }

  /** Resolves to undefined if the connection ends before there is a reply. Rejects with what the member refuses it with. @internal */
  async ask(request: FeedRequest): Promise<FeedPage | undefined> {
    if (this.#feedsMax === 0)
      throw new GridError('FORBIDDEN', 'the member runs a version without changes of partitioned maps for guests')
    const asked = Promise.withResolvers<FeedPage | typeof LOST>()
    this.#lastNumber += 1
    this.#asked.set(this.#lastNumber, asked)
    this.#send!({ type: 'follow', number: this.#lastNumber, request: encodeFeedRequest(request) })
    const page = await asked.promise
    return page === LOST ? undefined : page
  }

  /** @internal */
  left(feed: GuestFeed, isOpen: boolean, id: number): void {
    if (!this.#feeds.delete(feed) || !isOpen) return
    this.#lastNumber += 1
    this.#send?.({ type: 'follow', number: this.#lastNumber, request: encodeFeedRequest({ op: 'end', feed: id }) })
  }
}

/** One feed of a guest: it begins again at each member that the guest connects to, and where its pass covers something else. */
export class GuestFeed {
  readonly #feeds: GuestFeeds
  readonly #id: number
  readonly #begin: (feed: number) => FeedRequest
  readonly #changed: () => void
  /** The connection on which it is open. */
  #openOn: number | undefined
  #error: GridError | undefined
  #isOver = false
  #wake: () => void = () => undefined

  /** `changed` is called when the guest has connected, when its pass has changed, and when it is connected no more. */
  constructor(feeds: GuestFeeds, id: number, begin: (feed: number) => FeedRequest, changed: () => void) {
    this.#feeds = feeds
    this.#id = id
    this.#begin = begin
    this.#changed = changed
  }

  /** A member follows it for this guest. */
  get isOpen(): boolean {
    return this.#openOn !== undefined && this.#openOn === this.#feeds.connection
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** What is new. Undefined once it is stopped, and when the grid closes. Rejects with what members refuse it with: the next call begins it again. */
  async next(): Promise<Exclude<FeedPage, { readonly isOver: true }> | undefined> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error
      if (this.#isOver || this.#feeds.closing.aborted) return undefined
      const { connection } = this.#feeds
      if (connection === undefined) {
        await this.woken()
        continue
      }
      const { isOpen } = this
      this.#openOn = connection
      try {
        const page = await this.#feeds.ask(isOpen ? { op: 'more', feed: this.#id } : this.#begin(this.#id))
        if (page !== undefined && !('isOver' in page)) return page
        this.#openOn = undefined
      } catch (error) {
        this.#openOn = undefined
        throw error
      }
    }
  }

  /** Resolves when the guest connects, when its pass changes, and when it is stopped. */
  async woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
  }

  wake(): void {
    this.#wake()
    this.#changed()
  }

  fail(error: GridError): void {
    this.#error = error
    this.wake()
  }

  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#feeds.left(this, this.isOpen, this.#id)
    this.wake()
  }
}
