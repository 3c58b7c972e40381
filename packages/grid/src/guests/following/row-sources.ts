import { GridError } from '@gossipgrid/core'
import type { FollowedQuery } from '../../partitioned/live/followed-query.ts'
import { GUEST_LIVE_MAX_BYTES } from '../guest-limits.ts'

/** The rows of one query that are kept current for all guests that ask the same and may see the same. */
export class RowSource {
  readonly query: FollowedQuery
  readonly #guests = new Set<() => void>()
  readonly #endObserving: () => void
  readonly #left: () => void
  #isTooLarge = false

  /** `left` is called when the last guest has left. */
  constructor(query: FollowedQuery, left: () => void) {
    this.query = query
    this.#left = left
    this.#endObserving = query.rows.observe(() => this.#changed())
    query.onComplete(() => this.#changed())
  }

  /** It follows no more: the map was dropped, or the rows became too large. */
  get isOver(): boolean {
    return this.query.isStopped && !this.#isTooLarge
  }

  /** Throws `QUERY_TOO_LARGE`. */
  checkSize(): void {
    if (this.#isTooLarge || this.query.rows.sizeBytes > GUEST_LIVE_MAX_BYTES)
      throw new GridError(
        'QUERY_TOO_LARGE',
        'the rows are too large for a live query of a guest: ask for fewer of them',
      )
  }

  /** Calls `wake` when something has changed. The returned function ends that. */
  join(wake: () => void): () => void {
    const own = (): void => wake()
    this.#guests.add(own)
    return () => {
      if (!this.#guests.delete(own) || this.#guests.size > 0) return
      this.#left()
      // With the last observer, the query stops.
      this.#endObserving()
    }
  }

  #changed(): void {
    if (this.query.rows.sizeBytes > GUEST_LIVE_MAX_BYTES) {
      this.#isTooLarge = true
      this.query.stop()
    }
    for (const wake of this.#guests) wake()
  }
}

/** Live queries of guests: one that several of them have is followed once. */
export class RowSources {
  readonly #sources = new Map<string, RowSource>()
  readonly #opening = new Map<string, Promise<FollowedQuery>>()

  /** `key` says which query it is of which map, and what the guest may see. Rejects as a query does. */
  async open(key: string, begin: () => Promise<FollowedQuery>): Promise<RowSource> {
    const known = this.#sources.get(key)
    if (known !== undefined && !known.query.isStopped) return known
    const opening = this.#opening.get(key) ?? begin()
    this.#opening.set(key, opening)
    try {
      const query = await opening
      // Another guest that waited for it may have been first.
      const made = this.#sources.get(key)
      if (made?.query === query) return made
      const source: RowSource = new RowSource(query, () => {
        if (this.#sources.get(key) === source) this.#sources.delete(key)
      })
      this.#sources.set(key, source)
      return source
    } finally {
      this.#opening.delete(key)
    }
  }
}
