import type { PartitionName } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import type { ArrivedKeys, ChangeSource } from '../../partitioned/changes/change-source.ts'
import { aborted } from '../../runtime/waiting.ts'
import { GUEST_REQUEST_MAX_BYTES } from '../guest-limits.ts'
import type { AskedMap } from '../asked-map.ts'
import type { ChangesPage, FedEntry, FollowedChanges, SealedPlace } from './feed-request.ts'
import type { GuestFeed, GuestFeeds } from './guest-feeds.ts'

/** What a place takes in a request besides its bytes. */
const PLACE_COST_BYTES = 16
/** What the other fields of a request may take. */
const REQUEST_COST_BYTES: number = 32 * 1024

export interface ChangesAtGuestDeps {
  readonly feeds: GuestFeeds
  readonly asked: AskedMap
  readonly follow: Pick<FollowedChanges, 'prefix' | 'exact' | 'initial'>
  /** The partitions that may have such keys. */
  readonly names: readonly PartitionName[]
  indexOf(name: PartitionName): number
  /** By place in `names`, where to go on. */
  readonly since: ReadonlyMap<number, Uint8Array>
  readonly signal: AbortSignal | undefined
}

/** The changes of a map as a member gives them to a guest. The guest remembers where it stands, and goes on from there at any member. */
export class ChangesAtGuest implements ChangeSource<FedEntry> {
  readonly #deps: ChangesAtGuestDeps
  readonly #feed: GuestFeed
  readonly #indexes: readonly number[]
  readonly #cursors: (Uint8Array | undefined)[]
  readonly #parts: ArrivedKeys<FedEntry>[] = []
  #page: ChangesPage | undefined
  /** Partitions of which the reader has something. */
  readonly #given: Set<number>
  #isAsking = false
  #error: Error | undefined
  #isEnded = false
  #isWoken = false
  #wake: () => void = () => undefined

  constructor(deps: ChangesAtGuestDeps) {
    this.#deps = deps
    const { asked, feeds, follow, indexOf, names, since } = deps
    this.#indexes = names.map(indexOf)
    this.#cursors = names.map((_, place) => since.get(place))
    this.#given = new Set([...since.keys()].map((place) => this.#indexes[place]!))
    this.#feed = feeds.open(
      (feed) => {
        const since = this.#places()
        const known = new Set(since.map(([index]) => index))
        const lost = [...this.#given].filter((index) => !known.has(index))
        return { op: 'changes', feed, ...asked, ...follow, since, lost }
      },
      () => undefined,
    )
  }

  get unanswered(): ReadonlySet<number> {
    if (this.#page === undefined || !this.#feed.isOpen) return new Set(this.#indexes.keys())
    return new Set(this.#page.unanswered.map((index) => this.#indexes.indexOf(index)))
  }

  get isCaughtUp(): boolean {
    return this.#parts.length === 0 && this.#page?.isCaughtUp === true && this.#feed.isOpen
  }

  get cursors(): readonly (Uint8Array | undefined)[] {
    return this.#cursors
  }

  async next(): Promise<ArrivedKeys<FedEntry> | 'woken' | undefined> {
    const { feeds, signal } = this.#deps
    for (;;) {
      if (signal?.aborted === true) throw aborted(signal)
      if (this.#isEnded || feeds.closing.aborted) return undefined
      const arrived = this.#parts.shift()
      if (arrived !== undefined) return arrived
      if (this.#error !== undefined) throw this.#error
      if (this.#isWoken) {
        this.#isWoken = false
        return 'woken'
      }
      if (!this.#isAsking) void this.#ask()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const offs = [feeds.closing, ...(signal === undefined ? [] : [signal])].map((each) => onAbort(each, resolve))
      await promise
      for (const off of offs) off()
    }
  }

  done({ place, since }: ArrivedKeys<FedEntry>): void {
    if (since !== undefined) this.#cursors[place] = since
  }

  wake(): void {
    this.#isWoken = true
    this.#wake()
  }

  stop(): void {
    this.#isEnded = true
    this.#feed.stop()
    this.#wake()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    try {
      const page = (await this.#feed.next()) as ChangesPage | undefined
      if (page === undefined) this.#isEnded = true
      else this.#take(page)
    } catch (error) {
      this.#error = error as Error
    }
    this.#isAsking = false
    this.#wake()
  }

  #take(page: ChangesPage): void {
    this.#page = page
    for (const { entries, isReset, partition, sealed } of page.parts) {
      const place = this.#indexes.indexOf(partition)
      if (place < 0) continue
      this.#given.add(partition)
      // Where it stood before is void too.
      if (isReset) this.#cursors[place] = undefined
      this.#parts.push({ keys: entries, place, isFirst: false, reset: isReset, more: false, since: sealed })
    }
  }

  /** Where the guest stands, as far as it fits into a request. */
  #places(): readonly SealedPlace[] {
    let leftBytes = GUEST_REQUEST_MAX_BYTES - REQUEST_COST_BYTES
    return this.#cursors.flatMap((cursor, place) => {
      leftBytes -= PLACE_COST_BYTES + (cursor?.length ?? 0)
      return cursor === undefined || leftBytes < 0 ? [] : [[this.#indexes[place]!, cursor] as const]
    })
  }
}
