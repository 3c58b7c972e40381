import type { Effect, Input, Instant, Network, Peer, PeerEvent, PeerReport, Storage, Written } from '@gossipgrid/core'
import { GridError } from '@gossipgrid/core'
import { readClocks } from './clocks.ts'
import { FrameSharing } from './frame-sharing.ts'
import type { GuestStatus } from './guest-status.ts'
import { Inbox } from './inbox.ts'
import { ListenerCalls } from '../flow/listener-calls.ts'
import type { Logger } from '../logger.ts'
import { Meters } from '../meters/meters.ts'
import { Soon } from '../flow/soon.ts'
import { WritePath } from './write-path.ts'
import type { Pump, WritePathOptions } from './write-path.ts'

export interface RuntimeOptions {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly logger: Logger
  readonly onEvent: (event: PeerEvent) => void
  readonly trace?: WritePathOptions['trace']
  /** Reads the wall clock in milliseconds instead of `Date.now`. For tests. */
  readonly readWallMs?: (() => number) | undefined
}

/**
 * Runs a peer on real ports: gives it inputs, performs its effects, and wakes it when it asks for that. All timers and I/O
 * of a grid are here.
 */
export class Runtime implements Pump {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly meters: Meters = new Meters()
  readonly writes: WritePath
  readonly listenerCalls: ListenerCalls = new ListenerCalls(
    () => this.writes.room.crowded,
    () => this.writes.room.changed(),
  )
  readonly inbox: Inbox = new Inbox((input) => this.step(input))
  readonly #logger: Logger
  readonly #onEvent: (event: PeerEvent) => void
  readonly #readWallMs: (() => number) | undefined
  readonly #soon = new Soon(() => {
    this.#flushing = false
    this.step({ type: 'tick' })
  })
  readonly #closing = new AbortController()
  readonly #frameSharing = new FrameSharing()
  readonly #afterSteps = new Set<() => void>()
  #online = true
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = Infinity
  /** Writes of this turn wait for the tick at the end of the task. */
  #flushing = false
  #stepping = false
  #isSettled = false
  #closed = false
  #storageError: unknown

  constructor(options: RuntimeOptions) {
    this.peer = options.peer
    this.network = options.network
    this.storage = options.storage
    this.#logger = options.logger
    this.#onEvent = options.onEvent
    this.#readWallMs = options.readWallMs
    this.writes = new WritePath({
      pump: this,
      isPersistent: () => this.peer.persistent && this.storage.persistent,
      trace: options.trace,
    })
    this.peer.inbound.appeared = (hlc) => this.meters.appeared(hlc)
  }

  /** The state of a guest; undefined at a member. */
  guest: (() => GuestStatus) | undefined

  /** The error of the store while it fails. */
  get storageError(): unknown {
    return this.#storageError
  }

  get closed(): boolean {
    return this.#closed
  }

  /** False while the peer is cut off. */
  get online(): boolean {
    return this.#online
  }

  /** Cuts the peer off, or connects it again. Throws `CLOSED`, `INVALID_OPTION` if the network cannot do that. */
  setOnline(online: boolean): void {
    this.checkOpen()
    if (this.network.setOnline === undefined)
      throw new GridError('INVALID_OPTION', 'the network of this grid cannot be cut off: it has no setOnline')
    this.#online = online
    this.network.setOnline(online)
    this.step({ type: 'tick' })
  }

  now(): Instant {
    return readClocks(this.#readWallMs)
  }

  /** The grid's wall time now, in milliseconds. */
  get wallMs(): number {
    return this.peer.wallMs(this.now())
  }

  /** What the peer reports of itself now, for status and metrics. */
  report(): PeerReport {
    return this.peer.report(this.now())
  }

  /** Aborted when closing begins. Long operations end with it. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Opens the network and starts the timers. */
  async start(): Promise<void> {
    const addresses = (): void => this.step({ type: 'addresses', addresses: this.network.addresses() })
    await this.network.start({
      connected: (neighbour) => this.inbox.offer({ type: 'connected', neighbour }),
      disconnected: (neighbour) => this.inbox.offer({ type: 'disconnected', neighbour }),
      message: (from, bytes) => this.inbox.offer({ type: 'message', from, bytes }),
      broadcast: (from, bytes) => this.inbox.offer({ type: 'broadcast', from, bytes }),
      direct: (from, bytes) => this.inbox.offer({ type: 'direct', from, bytes }),
      hostile: (neighbour, reason) => this.inbox.offer({ type: 'hostile', neighbour, reason }),
      addresses,
      members: () => this.peer.membership.size,
    })
    addresses()
  }

  /** Removes the entries that have expired by now, and reports them, instead of waiting for the timer. */
  sweep(): void {
    const { expiries } = this.peer.collections
    while (!this.#stepping && !this.#closed && expiries.nextMs <= this.wallMs) this.step({ type: 'tick' })
  }

  afterSteps(call: () => void): () => void {
    this.#afterSteps.add(call)
    return () => this.#afterSteps.delete(call)
  }

  /** Runs `call` after the current step, or at once when there is none. Callbacks of core must not call core. */
  afterStep(call: () => void): void {
    this.listenerCalls.add(call)
    if (!this.#stepping) this.listenerCalls.run()
  }

  step(input: Input): void {
    if (this.#closed) return
    this.#stepping = true
    const now = this.now()
    this.meters.stepping(now.wallMs)
    let effects: readonly Effect[]
    try {
      effects = this.peer.step(input, now)
    } finally {
      this.#stepping = false
    }
    this.meters.stepped(input, now.monotonicMs)
    for (const effect of effects) void this.#perform(effect)
    for (const call of this.#afterSteps) call()
    this.listenerCalls.run()
    this.#schedule()
  }

  /** Begins to close: ends long operations. Resolves when no write waits to be durable. */
  async settled(): Promise<void> {
    this.#endOperations()
    this.step({ type: 'tick' })
    await this.writes.idle()
    this.#isSettled = true
  }

  /** Resolves when the network has all writes that are durable, so that the last one is not lost when the connections close. */
  async broadcastAll(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.#closed || this.peer.broadcaster.idle) resolve()
    }
    const off = this.afterSteps(look)
    look()
    await promise.finally(off)
  }

  /** Tells the other peers that this one closes. With `left`, it does not come back. */
  async sayGoodbye(left: boolean): Promise<void> {
    const farewell = this.peer.goodbye(left, this.now())
    await Promise.allSettled(farewell.map((effect) => this.#perform(effect)))
  }

  /**
   * Stops for good, with all timers. Writes that are not durable yet reject with `CLOSED`. Returns their number, or 0 if
   * `settled` has resolved: then only writes made while the grid was closing are left.
   */
  halt(): number {
    const count = this.#isSettled ? 0 : this.writes.pendingCount
    this.#endOperations()
    this.#closed = true
    clearTimeout(this.#timer)
    this.meters.loopDelay.stop()
    this.writes.close()
    this.writes.copies.close()
    return count
  }

  #endOperations(): void {
    this.#closing.abort()
    this.listenerCalls.end()
  }

  /** Throws `CLOSED` once the grid is closed. */
  checkOpen(): void {
    if (this.#closed) throw new GridError('CLOSED', 'the grid is closed')
  }

  /** Changes the peer outside of a step. Calls of `afterStep` wait until the change is done. */
  undisturbed<Result>(change: () => Result): Result {
    this.#stepping = true
    try {
      return change()
    } finally {
      this.#stepping = false
    }
  }

  /** Stores the writes of this turn of the event loop as one group, at the end of the current task. */
  flushSoon({ writeId }: Written): void {
    if (!this.#flushing) this.meters.durable.begin(writeId, performance.now())
    this.#flushing = true
    this.tickSoon()
  }

  /** Gives the peer a tick at the end of the current task. */
  tickSoon(): void {
    this.#soon.schedule()
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
    this.meters.effect(effect)
    switch (effect.type) {
      case 'event':
        this.#event(effect.event)
        break
      case 'store':
        await this.#store(effect)
        break
      case 'broadcast':
        await this.#quietly(() => this.network.publish(effect.bytes), 'broadcast')
        this.step({ type: 'broadcasted' })
        break
      case 'direct':
        await this.#sendDirect(effect)
        break
      case 'send':
        await this.#quietly(() => this.network.send(effect.to, effect.bytes), 'send', effect.to)
        break
      case 'dial':
        await this.#dial(effect.addresses)
        break
      case 'redial':
        this.#logger.warn(`${effect.neighbour} is connected but its broadcasts do not arrive: redialling it`, {
          peerId: effect.neighbour,
        })
        await this.#quietly(() => this.network.redial(effect.neighbour), 'redial', effect.neighbour)
        break
      case 'refuse':
        this.#logger.warn(`refusing ${effect.neighbour} for ${effect.refusedMs} ms: ${effect.reason}`, {
          peerId: effect.neighbour,
          ms: effect.refusedMs,
        })
        await this.#quietly(() => this.network.refuse(effect.neighbour, effect.refusedMs), 'refuse', effect.neighbour)
    }
  }

  async #store(effect: Extract<Effect, { type: 'store' }>): Promise<void> {
    let input: Input = { type: 'stored', ticket: effect.ticket }
    const startMs = performance.now()
    this.#frameSharing.storeBegins()
    try {
      await this.storage.write(effect.batch, { durable: true })
      this.#storageError = undefined
      this.meters.stored(effect.batch, startMs)
    } catch (error) {
      this.#storageError = error
      this.meters.storeFailures += 1
      this.writes.storeFailed(error)
      this.#logger.error(`storing failed, and is retried: ${String(error)}`, { code: codeOf(error), error })
      input = { type: 'store-failed', ticket: effect.ticket, error }
    }
    this.#frameSharing.storeEnds()
    this.step(input)
  }

  async #sendDirect({ to, bytes }: Extract<Effect, { type: 'direct' }>): Promise<void> {
    let missed: readonly string[] = []
    if (this.peer.persistent) await this.#frameSharing.ready(bytes.length, to.length)
    await this.#quietly(async () => (missed = await this.network.sendDirect(to, bytes)), 'direct')
    this.step({ type: 'directed', missed })
  }

  async #dial(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      try {
        await this.network.dial(address)
        return
      } catch (error) {
        this.#logger.debug(`dialling ${address} failed: ${String(error)}`, { address, code: codeOf(error) })
      }
    }
  }

  /** Logs a failure only: a message to a neighbour that has just gone is lost, and `disconnected` reports that. */
  async #quietly(call: () => Promise<unknown>, what: string, peerId?: string): Promise<void> {
    try {
      await call()
    } catch (error) {
      const whom = peerId === undefined ? '' : ` to ${peerId}`
      this.#logger.debug(`${what}${whom} failed: ${String(error)}`, { peerId, code: codeOf(error) })
    }
  }

  #event(event: PeerEvent): void {
    this.writes.onEvent(event)
    this.#onEvent(event)
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof GridError ? error.code : undefined
}
