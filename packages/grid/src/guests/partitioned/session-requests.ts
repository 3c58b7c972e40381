import { GridError, hlcFromWall } from '@gossipgrid/core'
import type { Pump } from '../../runtime/write-path.ts'
import { SessionFeeds } from '../following/session-feeds.ts'
import type { Grant } from '../grants.ts'
import { GUEST_REQUESTS_MAX } from '../guest-limits.ts'
import type { GuestMessage, MemberMessage } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import type { Served, ServedMaps } from './served-maps.ts'

export interface SessionRequestsDeps {
  readonly pump: Pump
  readonly maps: ServedMaps
  /** The pass as it is now. Throws if it is not valid any more, or if the guest is gone. */
  pass(): PassContent
  wake(): void
  failed(error: unknown): void
}

/** The requests of one guest to partitioned maps, at its member. Several are under way at a time. */
export class SessionRequests {
  readonly #deps: SessionRequestsDeps
  readonly #ready: (Served & { readonly number: number })[] = []
  readonly #feeds: SessionFeeds
  #underWay = 0

  constructor(deps: SessionRequestsDeps) {
    this.#deps = deps
    this.#feeds = new SessionFeeds({ ...deps, feeds: deps.maps.feeds })
  }

  get hasReplies(): boolean {
    return this.#ready.length > 0 || this.#feeds.hasReplies
  }

  /** Resolves when the guest may ask for more. Rejects with `MESSAGE_MALFORMED` for more at a time than an honest guest sends. */
  async take(message: Extract<GuestMessage, { type: 'ask' | 'follow' }>): Promise<void> {
    const { number, request, type } = message
    if (type === 'follow') return this.#feeds.take(message)
    if (this.#underWay >= GUEST_REQUESTS_MAX)
      throw new GridError('MESSAGE_MALFORMED', `it has more than ${GUEST_REQUESTS_MAX} requests under way`)
    this.#underWay += 1
    const { failed, maps, pass, wake } = this.#deps
    void maps.serve(request, pass).then((served) => {
      this.#ready.push({ number, ...served })
      wake()
    }, failed)
  }

  /** The next reply, as far as the pass covers it now. */
  next(pass: PassContent): MemberMessage | undefined {
    const ready = this.#ready.shift()
    if (ready === undefined) return this.#feeds.next(pass)
    this.#underWay -= 1
    const { peer, wallMs } = this.#deps.pump
    const hlc = Math.max(hlcFromWall(wallMs), peer.time.hybridClock.last)
    const { code, isCovered, number, reply, text } = ready
    if (isCovered(pass.grants)) return { type: 'reply', number, code, text, reply, hlc }
    const refused = 'the pass does not cover this any more'
    return { type: 'reply', number, code: 'FORBIDDEN', text: refused, reply: undefined, hlc }
  }
  /** The pass covers something else now. */
  regrant(grants: readonly Grant[]): void {
    this.#feeds.regrant(grants)
  }

  close(): void {
    this.#feeds.close()
  }
}
