import type {
  Collection,
  Effect,
  Input,
  Instant,
  Network,
  Partition,
  Peer,
  PeerEvent,
  Storage,
  Written,
} from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import { Inbox } from './inbox.ts'
import type { Logger } from './logger.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import { PendingWrites } from './pending-writes.ts'
import { checkAborted, orAborted, settlesWithin } from './waiting.ts'

/** How long closing waits for writes that are not durable yet. */
const CLOSE_FLUSH_MAX_MS = 10_000
const COPIES_TIMEOUT_MS = 10_000

/** The clocks of this machine. */
export function readClocks(): Instant {
  return { wallMs: Date.now(), monotonicMs: performance.now() }
}

export interface RuntimeOptions {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly logger: Logger
  readonly onEvent: (event: PeerEvent) => void
}

/**
 * Runs a peer against real ports: gives it what happens, does what it asks for, and wakes it when it wants to be woken.
 * All timers and I/O of a grid are here.
 */
export class Runtime {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly #logger: Logger
  readonly #onEvent: (event: PeerEvent) => void
  readonly #pending: PendingWrites
  readonly #copies = new Map<number, (copies: number) => void>()
  readonly #afterStep: (() => void)[] = []
  readonly #inbox: Inbox = new Inbox((input) => this.step(input))
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = Infinity
  #flushScheduled = false
  #stepping = false
  #closed = false
  #storageError: unknown

  constructor(options: RuntimeOptions) {
    this.peer = options.peer
    this.network = options.network
    this.storage = options.storage
    this.#logger = options.logger
    this.#onEvent = options.onEvent
    this.#pending = new PendingWrites(options.peer.persistent)
  }

  /** Why the store refuses writes, while it does. */
  get storageError(): unknown {
    return this.#storageError
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Opens the network and starts the clockwork. */
  async start(): Promise<void> {
    await this.network.start({
      connected: (neighbour) => this.#inbox.offer({ type: 'connected', neighbour }),
      disconnected: (neighbour) => this.#inbox.offer({ type: 'disconnected', neighbour }),
      message: (from, bytes) => this.#inbox.offer({ type: 'message', from, bytes }),
      broadcast: (from, bytes) => this.#inbox.offer({ type: 'broadcast', from, bytes }),
    })
    this.step({ type: 'addresses', addresses: this.network.addresses() })
  }

  /**
   * Applies a write at once; the promise keeps what `GridMap.set` says of it, and is all that a write leaves behind: as an
   * async function this would cost two more for each of thousands that wait for the disk.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    try {
      this.checkOpen()
      checkAborted(options?.signal)
      const durable = this.#pending.add(this.#apply(partition, key, value))
      this.#scheduleFlush()
      this.#callListeners()
      if (options === undefined || ((options.copies ?? 1) <= 1 && options.signal === undefined)) return durable
      return this.#followed(partition, durable, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Runs `call` once the step under way is over, or at once: callbacks of core must not call back into core. */
  afterStep(call: () => void): void {
    if (this.#stepping) this.#afterStep.push(call)
    else call()
  }

  step(input: Input): void {
    if (this.#closed) return
    this.#stepping = true
    let effects: readonly Effect[]
    try {
      effects = this.peer.step(input, readClocks())
    } finally {
      this.#stepping = false
    }
    for (const effect of effects) void this.#perform(effect)
    this.#callListeners()
    this.#schedule()
  }

  /** Waits until all writes so far are durable, or 10 s, then stops. */
  async close(left: boolean): Promise<void> {
    if (this.#closed) return
    this.step({ type: 'tick' })
    if (!(await settlesWithin(this.#pending.idle(), CLOSE_FLUSH_MAX_MS))) {
      this.#logger.error('closing although some writes could not be stored')
    }
    const farewell = this.peer.goodbye(left, readClocks())
    await settlesWithin(Promise.allSettled(farewell.map((effect) => this.#perform(effect))), 500)
    this.#closed = true
    clearTimeout(this.#timer)
    this.#pending.fail(new GridError('CLOSED', 'the grid was closed before the write was durable'))
    const results = await Promise.allSettled([this.network.stop(), this.storage.close()])
    const failures = results.filter((result) => result.status === 'rejected').map((result): unknown => result.reason)
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'closing failed')
  }

  /** Throws `CLOSED` after `close`. */
  checkOpen(): void {
    if (this.#closed) throw new GridError('CLOSED', 'the grid is closed')
  }

  #apply(partition: Partition, key: string, value: Uint8Array | undefined): Written {
    this.#stepping = true
    try {
      return this.peer.write(partition, key, value, readClocks())
    } finally {
      this.#stepping = false
    }
  }

  #callListeners(): void {
    if (this.#afterStep.length > 0) for (const call of this.#afterStep.splice(0)) call()
  }

  /** All writes of one turn of the event loop go as one group. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    queueMicrotask(() => {
      this.#flushScheduled = false
      this.step({ type: 'tick' })
    })
  }

  #schedule(): void {
    const wakeAtMs = this.peer.wakeAtMs
    if (this.#closed || wakeAtMs === Infinity || wakeAtMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = wakeAtMs
    this.#timer = setTimeout(
      () => {
        this.#timerAtMs = Infinity
        this.step({ type: 'tick' })
      },
      Math.max(0, Math.min(wakeAtMs - performance.now(), 60_000)),
    )
  }

  async #perform(effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'event':
        this.#event(effect.event)
        break
      case 'store':
        await this.#store(effect)
        break
      case 'broadcast':
        await this.#quietly(this.network.publish(effect.bytes), 'broadcast')
        this.step({ type: 'broadcasted' })
        break
      case 'send':
        await this.#quietly(this.network.send(effect.to, effect.bytes), `send to ${effect.to}`)
        break
      case 'dial':
        await this.#dial(effect.addresses)
        break
      case 'redial':
        this.#logger.warn(`${effect.neighbour} is connected but its broadcasts do not come: redialling it`)
        await this.#quietly(this.network.redial(effect.neighbour), 'redial')
        break
      case 'refuse':
        this.#logger.warn(`refusing ${effect.neighbour} for ${effect.refusedMs} ms: ${effect.reason}`)
        await this.#quietly(this.network.refuse(effect.neighbour, effect.refusedMs), 'refuse')
    }
  }

  async #store(effect: Extract<Effect, { type: 'store' }>): Promise<void> {
    let input: Input = { type: 'stored', ticket: effect.ticket }
    try {
      await this.storage.write(effect.batch, { durable: true })
      this.#storageError = undefined
    } catch (error) {
      this.#storageError = error
      this.#logger.error(`storing failed, will be tried again: ${String(error)}`)
      input = { type: 'store-failed', ticket: effect.ticket, error }
    }
    this.step(input)
  }

  async #dial(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      try {
        await this.network.dial(address)
        return
      } catch (error) {
        this.#logger.debug(`dialling ${address} failed: ${String(error)}`)
      }
    }
  }

  /** Messages to a neighbour that has just gone are lost, which is told as `disconnected`. */
  async #quietly(promise: Promise<unknown>, what: string): Promise<void> {
    try {
      await promise
    } catch (error) {
      this.#logger.debug(`${what} failed: ${String(error)}`)
    }
  }

  #event(event: PeerEvent): void {
    if (event.type === 'durable') this.#pending.durable(event.writeId)
    else if (event.type === 'not-durable') this.#pending.notDurable(event.writeId, event.error)
    else if (event.type === 'copies') this.#copies.get(event.request)?.(event.copies)
    this.#onEvent(event)
  }

  /** A write that somebody may stop waiting for, or that is to have copies elsewhere. */
  async #followed(partition: Partition, durable: Promise<Receipt>, options: WriteOptions): Promise<Receipt> {
    const receipt = await orAborted(durable, options.signal)
    const copies = options.copies ?? 1
    return receipt.copies >= copies ? receipt : this.#awaitCopies(partition, receipt, copies, options)
  }

  async #awaitCopies(partition: Partition, receipt: Receipt, copies: number, options: WriteOptions): Promise<Receipt> {
    const { timeoutMs = COPIES_TIMEOUT_MS, signal } = options
    checkAborted(signal)
    // Core counts this peer's copy; one that lives in memory is none.
    const own = receipt.copies
    const { collection, partition: number } = partition.name
    const dot = {
      collection,
      partition: number,
      replicaId: receipt.version.replicaId,
      sequence: receipt.version.sequence,
    }
    let reached = own
    const enough = Promise.withResolvers<void>()
    const request = this.peer.confirmations.request(dot, copies + 1 - own)
    this.#copies.set(request, (known) => {
      reached = known - 1 + own
      if (reached >= copies) enough.resolve()
    })
    this.step({ type: 'tick' })
    try {
      const inTime = await orAborted(settlesWithin(enough.promise, timeoutMs), signal)
      if (inTime) return { ...receipt, copies: reached }
      throw new GridError(
        'COPIES_TIMEOUT',
        `${reached} of ${copies} durable copies after ${timeoutMs} ms; the write stands here and goes on travelling`,
        { cause: { ...receipt, copies: reached } },
      )
    } finally {
      this.#copies.delete(request)
      this.peer.confirmations.cancel(request)
    }
  }
}

/** The one partition of a replicated collection. */
export function onlyPartition(collection: Collection): Partition {
  return collection.partitions[0]!
}
