import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { ChangeLoop } from './change-loop.ts'
import type { ChangeSource, InitialSteps } from './change-loop.ts'
import { checkCount } from '../batches/checks.ts'
import { Emitter, checkListener } from './emitter.ts'
import type { Logger } from '../logger.ts'
import type { UnreadChange } from './unread-change.ts'
import { aborted, checkSignal } from '../runtime/waiting.ts'

const BUFFER_MAX = 10_000_000
const BUFFER_MAX_BYTES: number = 1024 * 1024 * 1024

/** How to follow changes. */
export interface FeedOptions {
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
  /** How many changes a slow reader may be behind before some are left out. Default 65,536. */
  readonly bufferMax?: number
}

/** What a loop of a feed begins with, and what it wants of the rest. */
export interface LoopStart<Change> {
  /** What is there, looked up when the loop starts. Without it the loop follows from now on. */
  readonly initial?: (() => InitialSteps<Change>) | undefined
  /** Which changes it wants, by their keys. Default all. */
  readonly wants?: (key: string) => boolean
}

export const FEED_OPTIONS: Known<FeedOptions> = { signal: true, bufferMax: true }
/** Of a feed that can begin with what is there. */
export const INITIAL_OPTIONS: Known<FeedOptions & { readonly initial?: boolean }> = { ...FEED_OPTIONS, initial: true }

/** Throws `INVALID_OPTION`, also for an option that is not `known`. */
export function checkFeedOptions<Options extends FeedOptions & { readonly bufferMaxBytes?: number }>(
  options: Options,
  known?: Known<Options>,
): void {
  if (known !== undefined) checkKnown(options, known)
  checkCount('bufferMax', options.bufferMax, 1, BUFFER_MAX)
  checkCount('bufferMaxBytes', options.bufferMaxBytes, 1, BUFFER_MAX_BYTES)
  checkSignal(options.signal)
}

/** Those who follow the changes of one collection, by loops or by listeners. */
export class ChangeFeed<Change extends object> {
  readonly #event: string
  readonly #events: Emitter<Record<string, UnreadChange<Change>>>
  readonly #subscriptions = new Set<Subscription<Change>>()
  readonly #lagged: (missed: number) => Change
  readonly #used: () => void
  #isClosed = false

  /**
   * `event` is what listeners register for; `lagged` makes the mark for changes left out; `used` is called when somebody
   * comes or goes.
   */
  constructor(options: {
    readonly logger: Logger
    readonly event?: string
    readonly lagged: (missed: number) => Change
    readonly used?: () => void
  }) {
    this.#event = options.event ?? 'change'
    this.#events = new Emitter(options.logger)
    this.#lagged = options.lagged
    this.#used = options.used ?? (() => undefined)
  }

  /** Somebody follows. */
  get wanted(): boolean {
    return this.#subscriptions.size > 0 || this.#events.has(this.#event)
  }

  /**
   * A loop over every change: from now on, or, with initial entries, from its first `next` on. A loop that nothing refers
   * to any more, and that does not wait for a change, ends by itself. Throws `INVALID_OPTION`.
   */
  changes(
    options: FeedOptions & { readonly bufferMaxBytes?: number },
    { initial, wants = () => true }: LoopStart<Change> = {},
  ): ChangeLoop<Change> {
    checkFeedOptions(options)
    const subscription: Subscription<Change> = new Subscription(options.signal, wants, {
      initial,
      isClosed: () => this.#isClosed,
      join: () => this.#subscriptions.add(subscription),
      leave: () => this.#subscriptions.delete(subscription),
      used: this.#used,
    })
    const { bufferMax, bufferMaxBytes } = options
    const loop = new ChangeLoop(subscription, { bufferMax, bufferMaxBytes, lagged: this.#lagged })
    subscription.serve(loop)
    return loop
  }

  /** Calls `listener` for every change; the function returned ends that. Throws `INVALID_OPTION`, for another event too. */
  on(type: string, listener: (change: Change) => unknown, options?: { readonly signal?: AbortSignal }): () => void {
    if (type !== this.#event)
      throw new GridError('INVALID_OPTION', `the event here is '${this.#event}', not '${String(type)}'`)
    checkListener(listener)
    const off = this.#events.on(this.#event, (change) => listener(change.read()), options)
    this.#used()
    return off
  }

  /** Gives a change to the loops; at once, so that what they read of the collection and what they are given agree. */
  push(change: UnreadChange<Change>): void {
    for (const subscription of this.#subscriptions) subscription.push(change)
  }

  /** Calls the listeners: not before the step that brought the change is over. */
  emit(change: UnreadChange<Change>): void {
    this.#events.emit(this.#event, change)
  }

  /** Gives a change to loops and listeners. */
  tell(change: UnreadChange<Change>): void {
    this.push(change)
    this.emit(change)
  }

  /** Ends all loops, also those that start later. */
  close(): void {
    this.#isClosed = true
    for (const subscription of [...this.#subscriptions]) subscription.end()
  }
}

/** What a subscription needs of its feed. */
interface SubscriptionDeps<Change> {
  readonly initial: (() => InitialSteps<Change>) | undefined
  isClosed(): boolean
  join(): void
  leave(): void
  used(): void
}

const leftBehind = new FinalizationRegistry<() => void>((leave) => leave())

/**
 * Connects a loop with its feed, and keeps the loop alive only while a call of `next` waits: a loop that was dropped
 * without `return` takes its buffer with it.
 */
class Subscription<Change extends object> implements ChangeSource<Change> {
  readonly #signal: AbortSignal | undefined
  readonly #wants: (key: string) => boolean
  readonly #deps: SubscriptionDeps<Change>
  #loop: WeakRef<ChangeLoop<Change>> | undefined
  #waiting: ChangeLoop<Change> | undefined
  readonly #abort = (): void => this.#alive?.abort(aborted(this.#signal!))

  constructor(signal: AbortSignal | undefined, wants: (key: string) => boolean, deps: SubscriptionDeps<Change>) {
    this.#signal = signal
    this.#wants = wants
    this.#deps = deps
  }

  /** Called once, with the loop that was made for this subscription. */
  serve(loop: ChangeLoop<Change>): void {
    this.#loop = new WeakRef(loop)
    if (this.#deps.initial === undefined) this.#join(loop)
  }

  push(change: UnreadChange<Change>): void {
    if (this.#wants(change.key)) this.#alive?.push(change)
  }

  end(): void {
    this.#alive?.end()
  }

  started(): InitialSteps<Change> | undefined {
    const loop = this.#alive
    const steps = this.#deps.initial?.()
    return steps !== undefined && loop !== undefined && this.#join(loop) ? steps : undefined
  }

  waits(waits: boolean): void {
    this.#waiting = waits ? this.#alive : undefined
  }

  ended(): void {
    leftBehind.unregister(this)
    this.#leave()
  }

  get #alive(): ChangeLoop<Change> | undefined {
    return this.#waiting ?? this.#loop?.deref()
  }

  /** Returns false when the loop ended instead. */
  #join(loop: ChangeLoop<Change>): boolean {
    const signal = this.#signal
    if (signal?.aborted === true) {
      loop.abort(aborted(signal))
      return false
    }
    if (this.#deps.isClosed()) {
      loop.end()
      return false
    }
    leftBehind.register(loop, () => this.#leave(), this)
    signal?.addEventListener('abort', this.#abort, { once: true })
    this.#deps.join()
    this.#deps.used()
    return true
  }

  #leave(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#deps.leave()
    this.#deps.used()
  }
}
