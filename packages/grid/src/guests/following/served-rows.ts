import { GUEST_LIVE_ROWS_MAX, GUEST_REPLY_PAGE_MAX_BYTES } from '../guest-limits.ts'
import type { RowsPage } from '../feeds/feed-request.ts'
import type { RowSource } from './row-sources.ts'
import type { ServedFeed } from './served-feed.ts'

const ROW_COST_BYTES = 16

/** The rows of a query of a map that a member keeps current for one guest: those that the guest's pass covers, and no others were asked for. */
export class ServedRows implements ServedFeed {
  readonly #source: RowSource
  readonly #limit: number
  /** It may show fewer rows than were asked for. */
  readonly #isLimited: boolean
  /** What the guest has. */
  readonly #sent = new Map<string, Uint8Array>()
  readonly #leave: () => void
  #wake: () => void = () => undefined
  #isFirst = true
  #hadMore = false
  #wasComplete = false
  #isOver = false

  /** `limit`: how many rows the guest has asked for. */
  constructor(source: RowSource, limit: number) {
    this.#source = source
    this.#limit = Math.min(limit, GUEST_LIVE_ROWS_MAX)
    this.#isLimited = limit > this.#limit
    this.#leave = source.join(() => this.#wake())
  }

  get partitionCount(): number {
    return this.#source.query.partitionCount
  }

  async next(holdMs: number): Promise<RowsPage | undefined> {
    const endMs = performance.now() + holdMs
    for (;;) {
      if (this.#isOver || this.#source.isOver) return undefined
      const page = this.#page()
      const leftMs = endMs - performance.now()
      const hasChanged = page.rows.length + page.gone.length > 0 || page.isComplete !== this.#wasComplete
      if (hasChanged || page.isFirst || this.#hadMore || leftMs <= 0) {
        this.#isFirst = false
        this.#hadMore = page.more
        this.#wasComplete = page.isComplete
        return page
      }
      await this.#woken(leftMs)
    }
  }

  stop(): void {
    this.#isOver = true
    this.#leave()
    this.#wake()
  }

  /** What differs from what the guest has, as much as fits. */
  #page(): RowsPage {
    const { rows } = this.#source.query
    rows.refresh()
    this.#source.checkSize()
    const first = rows.first(this.#limit + 1)
    // Past the limit of guests, rows are missing that were asked for.
    const isCut = first.length > this.#limit && this.#isLimited
    const shown = new Map(first.slice(0, this.#limit))
    const gone = [...this.#sent.keys()].filter((key) => !shown.has(key))
    for (const key of gone) this.#sent.delete(key)
    const changed: (readonly [string, Uint8Array])[] = []
    let leftBytes = GUEST_REPLY_PAGE_MAX_BYTES
    let more = false
    for (const [key, content] of shown) {
      if (this.#sent.get(key) === content) continue
      more = leftBytes <= 0
      if (more) break
      this.#sent.set(key, content)
      changed.push([key, content])
      leftBytes -= ROW_COST_BYTES + key.length + content.length
    }
    return { isFirst: this.#isFirst, more, rows: changed, gone, isComplete: this.#source.query.complete && !isCut }
  }

  async #woken(holdMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, holdMs)
    this.#wake = resolve
    await promise
    clearTimeout(timer)
  }
}
