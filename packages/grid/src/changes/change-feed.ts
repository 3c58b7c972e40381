import { checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { ChangeLoop } from './change-loop.ts'
import type { ChangeSource, InitialSteps } from './change-loop.ts'
import { checkCount, checkKind } from '../batches/checks.ts'
import { Emitter, checkEvent, checkListener } from './emitter.ts'
import type { Logger } from '../logger.ts'
import type { UnreadChange } from './unread-change.ts'
import { aborted, checkSignal } from '../runtime/waiting.ts'

const BUFFER_MAX = 10_000_000
const BUFFER_MAX_BYTES: number = 1024 * 1024 * 1024

/** How to follow changes. */
export interface FeedOptions {
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
  /** Changes that may wait for a slow reader before some are left out. Default 65,536. */
  readonly bufferMax?: number
}

/** What a loop starts with, and which changes it wants. */
export interface LoopStart<Change> {
  /** The entries that are there when the loop starts. Without it the loop has only the changes from now on. */
  readonly initial?: (() => InitialSteps<Change>) | undefined
  /** Whether the loop wants the changes of a key. Default: all keys. */
  readonly wants?: (key: string) => boolean
}

export const FEED_OPTIONS: Known<FeedOptions> = { signal: true, bufferMax: true }
/** Options of a feed that can start with the entries that are there. */
export const INITIAL_OPTIONS: Known<FeedOptions & { readonly initial?: boolean }> = { ...FEED_OPTIONS, initial: true }

/** Throws `INVALID_OPTION` for a value out of range, and for an option that is not `known`. */
export function checkFeedOptions<
  Options extends FeedOptions & { readonly bufferMaxBytes?: number; readonly initial?: boolean },
>(options: Options, known?: Known<Options>): void {
  if (known !== undefined) checkKnown(options, known)
  checkCount('bufferMax', options.bufferMax, 1, BUFFER_MAX)
  checkCount('bufferMaxBytes', options.bufferMaxBytes, 1, BUFFER_MAX_BYTES)
  checkSignal(options.signal)
  checkKind('initial', options.initial, 'boolean')
}

/** Gives the changes of one collection to its readers: loops and listeners. */
export class ChangeFeed<Change extends object> {
  readonly #event: string
  readonly #events: Emitter<Record<string, UnreadChange<Change>>>
  readonly #subscriptions = new Set<Subscription<Change>>()
  readonly #lagged: (missed: number) => Change
  readonly #used: () => void
  #isClosed = false

  /**
   * `event` is what listeners register for. `lagged` makes the mark for changes that were left out. `used` is called when a
   * reader comes or goes.
   */
  constructor(options: {
    readonly logger: Logger
    readonly event?: string
    readonly lagged: (missed: number) => Change
    readonly used?: () => void
  }) {
    this.#event = options.event ?? 'change'
    this.#events = new Emitter(options.logger, { [this.#event]: true } as Readonly<Record<string, true>>)
    this.#lagged = options.lagged
    this.#used = options.used ?? (() => undefined)
  }

  /** True if there is a reader. */
  get wanted(): boolean {
    return this.#subscriptions.size > 0 || this.#events.has(this.#event)
  }

  /**
   * A loop over every change from now on. With initial entries it starts at its first `next`. A loop ends by itself when
   * nothing refers to it and no call of `next` waits. Throws `INVALID_OPTION`.
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

  /** Calls `listener` for every change. The returned function ends that. Throws `INVALID_OPTION`, also for another event. */
  on(type: string, listener: (change: Change) => unknown, options?: { readonly signal?: AbortSignal }): () => void {
    checkEvent(type, { [this.#event]: true })
    checkListener(listener)
    const off = this.#events.on(this.#event, (change) => listener(change.read()), options)
    this.#used()
    return off
  }

  /** Gives a change to the loops. At once, so that the changes they get agree with what they read of the collection. */
  push(change: UnreadChange<Change>): void {
    for (const subscription of this.#subscriptions) subscription.push(change)
  }

  /** Calls the listeners. Only after the step that brought the change. */
  emit(change: UnreadChange<Change>): void {
    this.#events.emit(this.#event, change)
  }

  /** Gives a change to loops and listeners. */
  pushAndEmit(change: UnreadChange<Change>): void {
    this.push(change)
    this.emit(change)
  }

  /** Ends all loops, and every loop that starts later. */
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

/** Removes the subscriptions of loops that were garbage collected. */
const collectedLoops = new FinalizationRegistry<() => void>((leave) => leave())

/**
 * Connects a loop with its feed. It keeps the loop alive only while a call of `next` waits, so that a loop that was dropped
 * without `return` is garbage collected, and its buffer with it.
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

  /** Sets the loop of this subscription. Called once. */
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
    collectedLoops.unregister(this)
    this.#leave()
  }

  get #alive(): ChangeLoop<Change> | undefined {
    return this.#waiting ?? this.#loop?.deref()
  }

  /** Returns false if the loop ended instead. */
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
    collectedLoops.register(loop, () => this.#leave(), this)
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
