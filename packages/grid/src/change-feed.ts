import { ChangeQueue } from './changes.ts'
import { checkCount } from './checks.ts'
import { Emitter } from './emitter.ts'
import type { Logger } from './logger.ts'

/** How to follow changes. */
export interface FeedOptions {
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
  /** How many changes a slow reader may be behind before some are left out. Default 65,536. */
  readonly bufferMax?: number
}

/** Those who follow the changes of one collection, by loops or by listeners. */
export class ChangeFeed<Change extends object> {
  readonly #events: Emitter<{ change: Change }>
  readonly #queues = new Set<ChangeQueue<Change>>()
  readonly #lagged: (missed: number) => Change
  readonly #sizeOf: (change: Change) => number
  readonly #used: () => void

  /**
   * `lagged` makes the mark for changes left out; `sizeOf` says how many bytes a change keeps, where they can be many;
   * `used` is called when somebody comes or goes.
   */
  constructor(options: {
    readonly logger: Logger
    readonly lagged: (missed: number) => Change
    readonly sizeOf?: (change: Change) => number
    readonly used?: () => void
  }) {
    this.#events = new Emitter(options.logger)
    this.#lagged = options.lagged
    this.#sizeOf = options.sizeOf ?? (() => 0)
    this.#used = options.used ?? (() => undefined)
  }

  /** Somebody follows. */
  get wanted(): boolean {
    return this.#queues.size > 0 || this.#events.has('change')
  }

  /** A loop over every change from now on. */
  changes(options: FeedOptions): ChangeQueue<Change> {
    checkCount('bufferMax', options.bufferMax, 1, 10_000_000)
    const queue = new ChangeQueue<Change>({
      bufferMax: options.bufferMax,
      signal: options.signal,
      sizeOf: this.#sizeOf,
      lagged: this.#lagged,
      onEnd: () => {
        this.#queues.delete(queue)
        this.#used()
      },
    })
    if (options.signal?.aborted === true) return queue
    this.#queues.add(queue)
    this.#used()
    return queue
  }

  on(listener: (change: Change) => void, options?: { readonly signal?: AbortSignal }): () => void {
    const off = this.#events.on('change', listener, options)
    this.#used()
    return off
  }

  tell(change: Change): void {
    for (const queue of this.#queues) queue.push(change)
    this.#events.emit('change', change)
  }

  /** Ends all loops. */
  close(): void {
    for (const queue of [...this.#queues]) queue.end()
  }
}
