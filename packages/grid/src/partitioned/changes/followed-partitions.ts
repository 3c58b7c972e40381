import { GridError } from '@gossipgrid/core'
import type { Followed, FollowedKey, PartitionName, Peer } from '@gossipgrid/core'
import { onAbort } from '../../flow/on-abort.ts'
import { aborted } from '../../runtime/waiting.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { ArrivedKeys, ChangeSource } from './change-source.ts'
import { EarlyKeys } from './early-keys.ts'

const FILLING_MAX = 16
/** What a key takes besides its rows. */
const KEY_COST_BYTES = 64

export interface FollowedPartitionsDeps {
  readonly pump: Pump
  /** Throws once the collection cannot be read any more. */
  readonly check: () => void
  readonly names: readonly PartitionName[]
  readonly prefix: string
  /** Only the key that is equal to `prefix`. */
  readonly exact: boolean
  /** With all that is there; or the places of which it is so. */
  readonly initial: boolean | ReadonlySet<number>
  /** By place in `names`, where to go on. */
  readonly since: ReadonlyMap<number, Uint8Array>
  readonly signal: AbortSignal | undefined
  /** Partitions that are asked at once for all that is there. Each of them may send 256 KiB. Default: 16. */
  readonly fillingMax?: number
  /** Bytes of answers that wait for the reader; one answer more fits. What comes past it is dropped, and asked for again. Default: one answer of each partition. */
  readonly waitingMaxBytes?: number
}

/** What has changed in one partition. `since` is undefined for keys of earlier answers, whose time has come only now. */
export type ArrivedChanges = ArrivedKeys<FollowedKey>

/**
 * Follows partitions for one reader. A partition is asked for its next changes when the reader has taken the last ones. So what waits
 * here is bounded, and a slow reader misses versions in between, but never the last one.
 */
export class FollowedPartitions implements ChangeSource<FollowedKey> {
  readonly #deps: FollowedPartitionsDeps
  readonly #cursors: (Uint8Array | undefined)[]
  /** Where the next question goes on. It may be behind keys that are dated too early to be given. */
  readonly #asked: (Uint8Array | undefined)[]
  readonly #early: EarlyKeys
  /** Places that are not asked on because too much is kept of them. */
  readonly #paused = new Set<number>()
  /** Places that have given all that was there. */
  readonly #filled = new Set<number>()
  readonly #arrived: ArrivedChanges[] = []
  #waitingBytes = 0
  /** Places whose answers were dropped, to be asked again when the reader has taken the others. */
  readonly #dropped = new Set<number>()
  readonly #stops = new Map<number, () => void>()
  readonly #unanswered: Set<number>
  /** The place of the changes that the reader is taking, and whether it was moved back meanwhile. */
  #taken: number | undefined
  #hasGoneBack = false
  #next = 0
  #filling = 0
  #wake: (() => void) | undefined
  #isWoken = false
  #ended = false
  #endWatching: () => void = () => undefined

  constructor(deps: FollowedPartitionsDeps) {
    this.#deps = deps
    this.#cursors = deps.names.map((_, place) => deps.since.get(place))
    this.#asked = this.#cursors.slice()
    this.#unanswered = new Set(deps.names.keys())
    this.#early = new EarlyKeys(
      ({ rows }) => deps.pump.undisturbed(() => deps.pump.peer.partitions.isDue(rows, deps.pump.now())),
      (place, keys) => {
        this.#arrived.push({ keys, place, isFirst: false, reset: false, more: false, since: undefined })
        this.#wake?.()
      },
    )
  }

  /** The places of partitions that no owner has answered for yet. */
  get unanswered(): ReadonlySet<number> {
    return this.#unanswered
  }

  /** Something waits for the reader. */
  get hasArrived(): boolean {
    return this.#arrived.length > 0
  }

  /** What waits takes about so many bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** The reader has been given all that has come. */
  get isCaughtUp(): boolean {
    return this.#arrived.length + this.#dropped.size + this.#unanswered.size + this.#filling === 0
  }

  /** By place, where to go on after what the reader was given. */
  get cursors(): readonly (Uint8Array | undefined)[] {
    return this.#cursors
  }

  /** The reader has taken all of it: the next question may go, and the cursor moves on. */
  done({ keys, place, isFirst, more, since }: ArrivedChanges): void {
    if (this.#ended) return
    this.#taken = undefined
    if (since === undefined) this.#early.done(place, keys)
    else if (!this.#hasGoneBack) this.#asked[place] = since
    if (isFirst && !more && !this.#hasGoneBack) {
      this.#filling -= 1
      this.#filled.add(place)
    }
    if (!this.#early.has(place)) {
      this.#cursors[place] = this.#asked[place]
      if (this.#filled.has(place)) this.#unanswered.delete(place)
    }
    if (since === undefined && !this.#paused.delete(place)) return
    if (this.#early.isFull(place)) this.#paused.add(place)
    else this.#ask(place)
    this.#askMore()
  }

  /**
   * Goes on from what both the reader and `cursor` have seen: what the reader was given since then may have been overwritten by an older
   * state. False if the cursor makes no sense.
   */
  goBack(place: number, cursor: Uint8Array): boolean {
    const asked = this.#asked[place]
    // Otherwise all of it is still to come.
    if (this.#ended || asked === undefined) return true
    try {
      const earlier = this.#deps.pump.peer.partitions.earlierCursor(asked, cursor)
      if (earlier !== asked) this.#moveTo(place, earlier)
      return true
    } catch (error) {
      if (error instanceof GridError) return false
      throw error
    }
  }

  /** Begins again with all that is there. */
  restart(place: number): void {
    if (this.#ended) return
    this.#unanswered.add(place)
    if (this.#filled.delete(place)) this.#filling += 1
    this.#moveTo(place, undefined)
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
    const arrived = this.#arrived.shift()
    if (arrived?.since !== undefined) this.#waitingBytes -= bytesOf(arrived.keys)
    if (this.#arrived.length === 0) for (const place of this.#dropped) this.#askAgain(place)
    this.#taken = arrived?.since === undefined ? undefined : arrived.place
    this.#hasGoneBack = false
    return arrived
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
    this.#early.stop()
    this.#dropped.clear()
    this.#arrived.length = 0
    this.#wake?.()
  }

  #moveTo(place: number, cursor: Uint8Array | undefined): void {
    this.#asked[place] = cursor
    if (!this.#early.has(place)) this.#cursors[place] = cursor
    if (this.#taken === place) this.#hasGoneBack = true
    const waiting = this.#arrived.findIndex((arrived) => arrived.place === place && arrived.since !== undefined)
    if (waiting >= 0) this.#waitingBytes -= bytesOf(this.#arrived.splice(waiting, 1)[0]!.keys)
    const stop = this.#stops.get(place)
    stop?.()
    if (stop !== undefined || waiting >= 0 || this.#paused.delete(place)) this.#ask(place)
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
    const { fillingMax = FILLING_MAX, names } = this.#deps
    while (this.#next < names.length && this.#filling < fillingMax) {
      this.#filling += 1
      this.#ask(this.#next++)
    }
  }

  #ask(place: number): void {
    const { exact, initial, names, prefix, pump } = this.#deps
    if (this.#ended || pump.closing.aborted) return
    const isFirst = !this.#filled.has(place)
    const since = this.#asked[place]
    // Without news an owner waits for a while: what is to be followed first would not be known before.
    const hasInitial = typeof initial === 'boolean' ? initial : initial.has(place)
    const follow = {
      name: names[place]!,
      prefix,
      exact,
      initial: hasInitial,
      since,
      atOnce: isFirst && since !== undefined,
    }
    const asked = (peer: Peer): (() => void) =>
      peer.partitions.follow(follow, pump.now(), (followed) => {
        this.#stops.delete(place)
        this.#arrive(place, isFirst, followed)
      })
    this.#stops.set(
      place,
      pump.undisturbed(() => asked(pump.peer)),
    )
    pump.tickSoon()
  }

  #arrive(place: number, isFirst: boolean, followed: Followed): void {
    const { waitingMaxBytes = Infinity } = this.#deps
    if (this.#arrived.length > 0 && this.#waitingBytes >= waitingMaxBytes) {
      this.#dropped.add(place)
      return
    }
    const { keys, ahead, reset } = kept(followed)
    this.#early.take(place, { keys, ahead, reset })
    this.#waitingBytes += bytesOf(keys)
    this.#arrived.push({ keys, place, isFirst, reset, more: followed.more, since: followed.since })
    this.#wake?.()
  }

  #askAgain(place: number): void {
    this.#dropped.delete(place)
    if (!this.#stops.has(place)) this.#ask(place)
  }
}

function bytesOf(keys: readonly FollowedKey[]): number {
  const rowBytes = ({ key, rows }: FollowedKey): number => rows.reduce((sum, { end }) => sum + key.length + end, 0)
  return keys.reduce((sum, each) => sum + KEY_COST_BYTES + rowBytes(each), 0)
}

/** Values are views of a message, or of the copy of this peer. */
function kept({ keys, ahead, reset }: Followed): Pick<Followed, 'keys' | 'ahead' | 'reset'> {
  const own = (changed: readonly FollowedKey[]): readonly FollowedKey[] =>
    changed.map(({ key, rows }) => {
      const copies = rows.map((row) => ({
        ...row,
        bytes: row.bytes?.slice(row.start, row.end),
        start: 0,
        end: row.end - row.start,
      }))
      return { key, rows: copies }
    })
  return { keys: own(keys), ahead: own(ahead), reset }
}
