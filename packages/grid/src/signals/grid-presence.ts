import { PRESENCE_MAX_BYTES, decodeValue, encodeValue } from '@gossipgrid/core'
import { ChangeFeed, INITIAL_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import type { InitialSteps } from '../changes/change-loop.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { compact, putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A peer's state has changed: a plain object, the reader's own. */
export interface PresenceChange<State> {
  /**
   * `gone`: the peer has taken its state back, has closed, or was not heard of for three heartbeats. `lagged`: the reader was
   * too slow and `missed` changes were left out; read the entries to go on.
   */
  readonly type: 'set' | 'gone' | 'lagged'
  /** '' when lagged. */
  readonly peerId: string
  /** Undefined unless set. */
  readonly state: State | undefined
  /** How many changes were left out; 0 unless lagged. */
  readonly missed: number
}

/** How to follow who is there. */
export interface PresenceOptions extends FeedOptions {
  /** Begin with those that are there already, as `set` changes. */
  readonly initial?: boolean
}

/**
 * Who is there, and what each peer says of itself: a small state for every peer that has set one, this one included. It
 * lives as long as its peer, and is kept nowhere. From `grid.presence()`.
 */
export class GridPresence<State> {
  readonly #runtime: Runtime
  readonly #changed: () => void
  readonly #feed: ChangeFeed<PresenceChange<State>>

  /** `changed` is called after every change of this peer's own. @internal */
  constructor(runtime: Runtime, logger: Logger, changed: () => void) {
    this.#runtime = runtime
    this.#changed = changed
    this.#feed = new ChangeFeed<PresenceChange<State>>({
      logger,
      lagged: (missed) => ({ type: 'lagged', peerId: '', state: undefined, missed }),
    })
  }

  /**
   * Says what this peer's state is: a plain value of up to 4 KiB once encoded; null or undefined takes it back. Here it is so
   * at once; the others hear of it within milliseconds, of several changes at once only the last, and should a
   * message be lost with the next heartbeat. Throws `INVALID_VALUE`, `VALUE_TOO_LARGE`, `CLOSED`.
   *
   * @example
   * ```ts
   * const presence = grid.presence<{ name: string; typing: boolean }>()
   * presence.on('change', ({ peerId, state }) => console.log(peerId, state))
   * presence.set({ name: 'Ada', typing: true })
   * ```
   */
  set(state: State | null | undefined): void {
    this.#runtime.checkOpen()
    const before = this.#presence.own
    const value = state === null || state === undefined ? undefined : encodeValue(state, PRESENCE_MAX_BYTES)
    this.#presence.set(value)
    if (this.#presence.own === before) return
    this.#tell(this.#runtime.peer.peerId, value)
    this.#changed()
  }

  /** The state of a peer; undefined when it has none. */
  get(peerId: string): State | undefined {
    const value = this.#presence.get(peerId)
    return value === undefined ? undefined : (decodeValue(value) as State)
  }

  /** Every peer that has a state, with it; this peer first. */
  entries(): [peerId: string, state: State][] {
    return [...this.#presence.entries()].map(([peerId, value]) => [peerId, decodeValue(value) as State])
  }

  [Symbol.iterator](): IterableIterator<[peerId: string, state: State]> {
    return this.entries()[Symbol.iterator]()
  }

  /**
   * Every change from now on. A reader that falls behind by more than `bufferMax` changes gets a `lagged` mark instead of
   * those left out. The loop ends when it is left, when the grid closes, or with `ABORTED` by its signal.
   */
  changes(options: PresenceOptions = {}): AsyncIterableIterator<PresenceChange<State>> {
    checkFeedOptions(options, INITIAL_OPTIONS)
    this.#runtime.checkOpen()
    return this.#feed.changes(options, options.initial === true ? { initial: () => this.#initial() } : {})
  }

  /** Calls `listener` for every change; the function returned ends that. */
  on(
    type: 'change',
    listener: (change: PresenceChange<State>) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#feed.on(type, listener, options)
  }

  /** A peer's state is another; this one's own has been told by then. @internal */
  told(peerId: string, value: Uint8Array | undefined): void {
    if (peerId !== this.#runtime.peer.peerId) this.#tell(peerId, value)
  }

  /** Ends all loops. @internal */
  close(): void {
    this.#feed.close()
  }

  #tell(peerId: string, value: Uint8Array | undefined): void {
    if (this.#feed.wanted) this.#feed.pushAndEmit(new StateChange<State>(peerId, value))
  }

  /** The states as `set` changes: those that are there at the first step. */
  *#initial(): InitialSteps<PresenceChange<State>> {
    for (const [peerId] of [...this.#presence.entries()]) {
      const value = this.#presence.get(peerId)
      yield { key: peerId, entry: value === undefined ? undefined : new StateChange<State>(peerId, value) }
    }
  }

  get #presence(): Runtime['peer']['signals']['presence'] {
    return this.#runtime.peer.signals.presence
  }
}

/** A change with its state as it came; without one the peer is gone. */
class StateChange<State> implements UnreadChange<PresenceChange<State>> {
  readonly key: string
  readonly #value: Uint8Array | undefined

  constructor(peerId: string, value: Uint8Array | undefined) {
    this.key = peerId
    this.#value = value
  }

  get sizeBytes(): number {
    return this.#value?.length ?? 0
  }

  kept(): StateChange<State> {
    return this.#value === undefined ? this : new StateChange(this.key, compact(this.#value))
  }

  read(): PresenceChange<State> {
    const type = this.#value === undefined ? 'gone' : 'set'
    const change: PresenceChange<State> = { type, peerId: this.key, state: undefined, missed: 0 }
    if (this.#value !== undefined) putDecoded(change, 'state', this.#value, decodeValue)
    return change
  }
}
