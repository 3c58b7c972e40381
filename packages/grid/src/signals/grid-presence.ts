import { PRESENCE_MAX_BYTES, decodeValue, encodeValue } from '@gossipgrid/core'
import { frozen } from '../changes/frozen.ts'
import { ChangeFeed, INITIAL_OPTIONS, checkFeedOptions } from '../changes/change-feed.ts'
import type { FeedOptions } from '../changes/change-feed.ts'
import type { InitialSteps } from '../changes/change-loop.ts'
import type { Logger } from '../logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { compact, putDecoded } from '../changes/unread-change.ts'
import type { UnreadChange } from '../changes/unread-change.ts'

/** A change of a peer's state. A plain object that only this reader has. */
export interface PresenceChange<State> {
  /**
   * `gone`: the peer has removed its state, has closed, or has sent nothing for three heartbeats. `lagged`: the reader was too
   * slow, and `missed` changes were left out. Read the entries to continue.
   */
  readonly type: 'set' | 'gone' | 'lagged'
  /** '' if lagged. */
  readonly peerId: string
  /** Undefined unless `type` is `set`. */
  readonly state: State | undefined
  /** The subject of a guest, as the member that serves it vouches. Undefined for a peer that is no guest. */
  readonly subject?: string | undefined
  /** Number of changes that were left out. 0 unless lagged. */
  readonly missed: number
}

/** The state of a peer that does not say it itself: at a member, of a guest; at a guest, of every other peer. */
export interface OtherState {
  readonly value: Uint8Array
  /** The subject, if it is a guest. */
  readonly subject: string | undefined
}

/** What the presence needs of its grid, at a member that serves guests and at a guest. @internal */
export interface PresenceDeps {
  readonly route: { checkPresence(sizeBytes: number): void; present(): void } | undefined
  readonly tap: { presence(peerId: string): void } | undefined
}

/** How to follow the presence of peers. */
export interface PresenceOptions extends FeedOptions {
  /** Start with the current states, as `set` changes. */
  readonly initial?: boolean
}

/**
 * The peers that are present, and a small state that each of them has set, this peer included. A state is in memory only,
 * and ends with its peer. From `grid.presence()`.
 */
export class GridPresence<State> {
  readonly #deps: PresenceDeps
  readonly #runtime: Runtime
  readonly #feed: ChangeFeed<PresenceChange<State>>
  /** Set where other peers say what the states of some are. @internal */
  others: ReadonlyMap<string, OtherState> | undefined
  #shown: readonly (readonly [peerId: string, state: State])[] | undefined

  /** @internal */
  constructor(runtime: Runtime, logger: Logger, deps: PresenceDeps) {
    this.#deps = deps
    this.#runtime = runtime
    this.#feed = new ChangeFeed<PresenceChange<State>>({
      logger,
      lagged: (missed) => ({ type: 'lagged', peerId: '', state: undefined, missed }),
    })
  }

  /**
   * Sets this peer's state: a plain value of up to 4 KiB once encoded. Null or undefined removes it. Other peers get it within
   * milliseconds; of several quick changes they get only the last. If a message is lost, the next
   * heartbeat repairs that. Throws `INVALID_VALUE`, `VALUE_TOO_LARGE`, `CLOSED`.
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
    this.#deps.route?.checkPresence(value?.length ?? 0)
    this.#presence.set(value)
    if (this.#presence.own === before) return
    this.report(this.#runtime.peer.peerId, value)
    this.#runtime.tickSoon()
    this.#deps.route?.present()
  }

  /** The state of a peer. Undefined if it has none. */
  get(peerId: string): State | undefined {
    const value = this.stateOf(peerId)?.value
    return value === undefined ? undefined : (decodeValue(value) as State)
  }

  /** The subject of a guest that has a state, as the member that serves it vouches. Undefined for other peers. */
  subjectOf(peerId: string): string | undefined {
    return this.stateOf(peerId)?.subject
  }

  /** Every peer that has a state, with its state. This peer comes first. */
  entries(): [peerId: string, state: State][] {
    return this.peerIds().map((peerId) => [peerId, decodeValue(this.stateOf(peerId)!.value) as State])
  }

  [Symbol.iterator](): IterableIterator<[peerId: string, state: State]> {
    return this.entries()[Symbol.iterator]()
  }

  /**
   * Every change from now on. If a reader falls behind by more than `bufferMax` changes, changes are left out and a `lagged`
   * mark takes their place. The loop ends when you leave it and when the grid closes, and throws `ABORTED` when its signal is
   * aborted.
   */
  changes(options: PresenceOptions = {}): AsyncIterableIterator<PresenceChange<State>> {
    checkFeedOptions(options, INITIAL_OPTIONS)
    this.#runtime.checkOpen()
    return this.#feed.changes(options, options.initial === true ? { initial: () => this.#initial() } : {})
  }

  /** Calls `listener` for every change. The returned function ends that. */
  on(
    type: 'change',
    listener: (change: PresenceChange<State>) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#feed.on(type, listener, options)
  }

  /** Calls `listener` after every change: with `getSnapshot`, what `useSyncExternalStore` and its like ask for. */
  readonly subscribe = (listener: () => unknown): (() => void) => this.on('change', () => listener())
  /** `entries()`, in a frozen array that is the same one until a state changes. */
  readonly getSnapshot = (): readonly (readonly [peerId: string, state: State])[] =>
    (this.#shown ??= frozen(this.entries()))

  /** The state of a peer has changed. `set` has already reported this peer's own. @internal */
  onState(peerId: string, value: Uint8Array | undefined): void {
    if (peerId !== this.#runtime.peer.peerId) this.report(peerId, value)
  }

  /** Peers that have a state, this one first. @internal */
  peerIds(): string[] {
    const known = [...this.#presence.entries()].map(([peerId]) => peerId)
    return [...new Set([...known, ...(this.others?.keys() ?? [])])]
  }

  /** The state of a peer, as bytes. @internal */
  stateOf(peerId: string): OtherState | undefined {
    const value = this.#presence.get(peerId)
    return value === undefined ? this.others?.get(peerId) : { value, subject: undefined }
  }

  /** Ends all loops. @internal */
  close(): void {
    this.#feed.close()
  }

  /** @internal */
  report(peerId: string, value: Uint8Array | undefined, subject?: string): void {
    this.#shown = undefined
    this.#deps.tap?.presence(peerId)
    if (this.#feed.wanted) this.#feed.pushAndEmit(new StateChange<State>(peerId, value, subject))
  }

  /** The current states, as `set` changes. */
  *#initial(): InitialSteps<PresenceChange<State>> {
    for (const peerId of this.peerIds()) {
      const known = this.stateOf(peerId)
      const entry = known === undefined ? undefined : new StateChange<State>(peerId, known.value, known.subject)
      yield { key: peerId, entry }
    }
  }

  get #presence(): Runtime['peer']['signals']['presence'] {
    return this.#runtime.peer.signals.presence
  }
}

/** A change with its encoded state. Without a state the peer is gone. */
class StateChange<State> implements UnreadChange<PresenceChange<State>> {
  readonly key: string
  readonly #value: Uint8Array | undefined
  readonly #subject: string | undefined

  constructor(peerId: string, value: Uint8Array | undefined, subject: string | undefined) {
    this.key = peerId
    this.#value = value
    this.#subject = subject
  }

  get sizeBytes(): number {
    return this.#value?.length ?? 0
  }

  kept(): StateChange<State> {
    return this.#value === undefined ? this : new StateChange(this.key, compact(this.#value), this.#subject)
  }

  read(): PresenceChange<State> {
    const type = this.#value === undefined ? 'gone' : 'set'
    const change: PresenceChange<State> = {
      type,
      peerId: this.key,
      state: undefined,
      subject: this.#subject,
      missed: 0,
    }
    if (this.#value !== undefined) putDecoded(change, 'state', this.#value, decodeValue)
    return change
  }
}
