import { GridError } from '@gossipgrid/core'
import type { Followed, PartitionName, Peer } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import { aborted } from '../../runtime/waiting.ts'
import type { Pump } from '../../runtime/write-path.ts'

/** Partitions that are asked at once for all that is there. Each of them may send 256 KiB. */
const FILLING_MAX = 16

export interface FollowedPartitionsDeps {
  readonly pump: Pump
  /** Throws once the collection cannot be read any more. */
  readonly check: () => void
  readonly names: readonly PartitionName[]
  readonly prefix: string
  /** Only the key that is equal to `prefix`. */
  readonly exact: boolean
  /** With all that is there. */
  readonly initial: boolean
  /** By place in `names`, where to go on. */
  readonly since: ReadonlyMap<number, Uint8Array>
  readonly signal: AbortSignal | undefined
}

/** What has changed in one partition. */
export interface ArrivedChanges extends Followed {
  /** Of the partition, in `names`. */
  readonly place: number
  /** It has what was there when the reader began: deletes in it are of keys that the reader was never given. */
  readonly isFirst: boolean
}

/**
 * Follows partitions for one reader. A partition is asked for its next changes when the reader has taken the last ones. So what waits
 * here is bounded, and a slow reader misses versions in between, but never the last one.
 */
export class FollowedPartitions {
  readonly #deps: FollowedPartitionsDeps
  readonly #cursors: (Uint8Array | undefined)[]
  readonly #arrived: ArrivedChanges[] = []
  readonly #stops = new Map<number, () => void>()
  readonly #unanswered: Set<number>
  #next = 0
  #filling = 0
  #wake: (() => void) | undefined
  #isWoken = false
  #ended = false
  #endWatching: () => void = () => undefined

  constructor(deps: FollowedPartitionsDeps) {
    this.#deps = deps
    this.#cursors = deps.names.map((_, place) => deps.since.get(place))
    this.#unanswered = new Set(deps.names.keys())
  }

  /** The places of partitions that no owner has answered for yet. */
  get unanswered(): ReadonlySet<number> {
    return this.#unanswered
  }

  /** The reader has been given all that has come. */
  get isCaughtUp(): boolean {
    return this.#arrived.length === 0 && this.#unanswered.size === 0 && this.#filling === 0
  }

  /** By place, where to go on after what the reader was given. */
  get cursors(): readonly (Uint8Array | undefined)[] {
    return this.#cursors
  }

  /** The reader has taken all of it: the next question may go, and the cursor moves on. */
  done({ place, isFirst, more, since }: ArrivedChanges): void {
    if (this.#ended) return
    this.#cursors[place] = since
    if (!more && isFirst) {
      this.#filling -= 1
      this.#unanswered.delete(place)
    }
    this.#ask(place, isFirst && more)
    this.#askMore()
  }

  /** What comes next. Rejects with `ABORTED`, `COLLECTION_DROPPED`; undefined when the grid closes; 'woken' after `wake`. */
  async next(): Promise<ArrivedChanges | 'woken' | undefined> {
    const { check, pump, signal } = this.#deps
    this.#start()
    while (this.#arrived.length === 0) {
      if (this.#isWoken) {
        this.#isWoken = false
        return 'woken'
      }
      if (signal?.aborted === true) throw aborted(signal)
      if (this.#ended || pump.closing.aborted) return undefined
      check()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const offs = [onAbort(pump.closing, resolve), ...(signal === undefined ? [] : [onAbort(signal, resolve)])]
      await promise
      for (const off of offs) off()
    }
    return this.#arrived.shift()
  }

  /** The reader has something to do of its own. */
  wake(): void {
    this.#isWoken = true
    this.#wake?.()
  }

  /** Follows no more. */
  stop(): void {
    if (this.#ended) return
    this.#ended = true
    this.#endWatching()
    for (const stop of this.#stops.values()) stop()
    this.#stops.clear()
    this.#arrived.length = 0
    this.#wake?.()
  }

  #start(): void {
    if (this.#next > 0 || this.#ended) return
    const { check, pump } = this.#deps
    this.#endWatching = pump.afterSteps(() => {
      try {
        check()
      } catch (error) {
        // The reader that waits hears of a drop.
        if (error instanceof GridError) this.#wake?.()
        else throw error
      }
    })
    this.#askMore()
  }

  #askMore(): void {
    while (this.#next < this.#deps.names.length && this.#filling < FILLING_MAX) {
      this.#filling += 1
      this.#ask(this.#next++, true)
    }
  }

  #ask(place: number, isFirst: boolean): void {
    const { exact, initial, names, prefix, pump } = this.#deps
    if (this.#ended || pump.closing.aborted) return
    const follow = { name: names[place]!, prefix, exact, initial, since: this.#cursors[place] }
    const asked = (peer: Peer): (() => void) =>
      peer.partitions.follow(follow, pump.now(), (followed) => {
        this.#stops.delete(place)
        this.#arrived.push({ ...kept(followed), place, isFirst })
        this.#wake?.()
      })
    this.#stops.set(
      place,
      pump.undisturbed(() => asked(pump.peer)),
    )
    pump.tickSoon()
  }
}

/** Values are views of a message, or of the copy of this peer. */
function kept(followed: Followed): Followed {
  const keys = followed.keys.map(({ key, rows }) => {
    const own = rows.map((row) => ({
      ...row,
      bytes: row.bytes?.slice(row.start, row.end),
      start: 0,
      end: row.end - row.start,
    }))
    return { key, rows: own }
  })
  return { ...followed, keys }
}
