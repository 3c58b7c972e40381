import type {
  Collection,
  Effect,
  Input,
  Network,
  Partition,
  Peer,
  PeerEvent,
  PeerId,
  Storage,
  Written,
} from '@gossipgrid/core'
import { GridError, UNDURABLE_MAX_BYTES } from '@gossipgrid/core'
import { readClocks } from './clocks.ts'
import { Copies } from './copies.ts'
import { Inbox } from './inbox.ts'
import type { RowWrite } from './layout.ts'
import { leaveRegistry } from './leaving.ts'
import type { Logger } from './logger.ts'
import { Meters } from './meters.ts'
import type { Receipt, WriteOptions } from './receipt.ts'
import { PendingWrites } from './pending-writes.ts'
import { safeTracer } from './safe-tracer.ts'
import { checkAborted, settlesWithin } from './waiting.ts'
import { WriteTracing } from './write-tracing.ts'
import type { GridTracer } from './write-tracing.ts'

/** How long closing waits for writes that are not durable yet. */
const CLOSE_FLUSH_MAX_MS = 10_000
/** More than a row takes beside its key and its value. */
const ROW_OVERHEAD_BYTES = 256

export interface RuntimeOptions {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly logger: Logger
  readonly onEvent: (event: PeerEvent) => void
  readonly tracing?: { readonly tracer: GridTracer; readonly grid: string } | undefined
}

/** Writes that were applied in one piece. */
export interface BegunWrites {
  /** Resolves when all of them are durable. */
  readonly durable: Promise<Receipt>
  /** The last one of each partition. */
  readonly parts: ReadonlyMap<Partition, Written>
}

/**
 * Runs a peer against real ports: gives it what happens, does what it asks for, and wakes it when it wants to be woken.
 * All timers and I/O of a grid are here.
 */
export class Runtime {
  readonly peer: Peer
  readonly network: Network
  readonly storage: Storage
  readonly meters: Meters = new Meters()
  readonly copies: Copies = new Copies(this)
  readonly inbox: Inbox = new Inbox((input) => this.step(input))
  readonly #logger: Logger
  readonly #onEvent: (event: PeerEvent) => void
  readonly #pending: PendingWrites = new PendingWrites(() => this.peer.persistent && this.storage.persistent)
  readonly #afterStep: (() => void)[] = []
  readonly #tracing: WriteTracing | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAtMs = Infinity
  #flushScheduled = false
  #stepping = false
  #telling = false
  #writing = false
  #closed = false
  #storageError: unknown

  constructor(options: RuntimeOptions) {
    this.peer = options.peer
    this.network = options.network
    this.storage = options.storage
    this.#logger = options.logger
    this.#onEvent = options.onEvent
    if (options.tracing !== undefined) {
      const { tracer, grid } = options.tracing
      this.#tracing = new WriteTracing({ tracer: safeTracer(tracer, options.logger), grid }, this)
    }
    this.peer.inbound.appeared = (hlc) => this.meters.appeared(hlc)
  }

  /** Writes whose promises have not settled. */
  get pendingCount(): number {
    return this.#pending.count
  }

  /** Why the store refuses writes, while it does. */
  get storageError(): unknown {
    return this.#storageError
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The grid's wall milliseconds now. */
  get wallMs(): number {
    return this.peer.wallMs(readClocks())
  }

  /** Whether what core tells of is a write of this peer under way. */
  get writing(): boolean {
    return this.#writing
  }

  /** Opens the network and starts the clockwork. */
  async start(): Promise<void> {
    const addresses = (): void => this.step({ type: 'addresses', addresses: this.network.addresses() })
    await this.network.start({
      connected: (neighbour) => this.inbox.offer({ type: 'connected', neighbour }),
      disconnected: (neighbour) => this.inbox.offer({ type: 'disconnected', neighbour }),
      message: (from, bytes) => this.inbox.offer({ type: 'message', from, bytes }),
      broadcast: (from, bytes) => this.inbox.offer({ type: 'broadcast', from, bytes }),
      hostile: (neighbour, reason) => this.inbox.offer({ type: 'hostile', neighbour, reason }),
      addresses,
    })
    addresses()
  }

  /**
   * Applies a write at once; the promise keeps what `GridMap.set` says of it, and is all that a write leaves behind: as an
   * async function this would cost two more for each of thousands that wait for the disk.
   */
  write(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.write(partition, key, value, options)
      return this.copies.follow(partition, this.begin(partition, key, value, options), options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Applies a write; the promise resolves when it is durable. Throws what keeps it from being applied. */
  begin(partition: Partition, key: string, value: Uint8Array | undefined, options?: WriteOptions): Promise<Receipt> {
    this.checkOpen()
    checkAborted(options?.signal)
    const written = this.#apply(partition, key, value)
    if (value === undefined) this.meters.writes.deletes += 1
    else this.meters.writes.sets += 1
    const durable = this.#pending.add(written)
    this.#scheduleFlush(written)
    this.#callListeners()
    return durable
  }

  /**
   * Applies several writes in one piece: all or none, before any listener hears of one; logged and sent together. The
   * receipt is that of the last. Rejects as `write` does.
   */
  writeAll(rows: readonly RowWrite[], options?: WriteOptions): Promise<Receipt> {
    try {
      if (this.#tracing !== undefined) return this.#tracing.writeAll(rows, options)
      const { durable, parts } = this.beginAll(rows, options)
      return this.copies.followAll(parts, durable, options)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** As `begin`, for several writes. `parts` are the last writes of each partition: whoever has them has all. */
  beginAll(rows: readonly RowWrite[], options?: WriteOptions): BegunWrites {
    this.checkOpen()
    checkAborted(options?.signal)
    this.#checkRoom(rows)
    const parts = new Map<Partition, Written>()
    this.peer.atomically(() => {
      for (const { partition, key, bytes } of rows) parts.set(partition, this.#apply(partition, key, bytes))
    })
    const written = [...parts.values()].reduce((last, part) => (part.writeId > last.writeId ? part : last))
    for (const { bytes } of rows) this.meters.writes[bytes === undefined ? 'deletes' : 'sets'] += 1
    const durable = this.#pending.add(written)
    this.#scheduleFlush(written)
    this.#callListeners()
    return { durable, parts }
  }

  /** Takes a durable member out of the registry: false when it was not there, else true once that is durable here. */
  async forget(peerId: PeerId): Promise<boolean> {
    this.checkOpen()
    const written = this.peer.forget(peerId, readClocks())
    if (written === undefined) return false
    const durable = this.#pending.add(written)
    this.#scheduleFlush(written)
    await durable
    return true
  }

  /** Drops what has expired by now, and tells of it, instead of waiting for the clockwork. */
  sweep(): void {
    const { expiries } = this.peer.collections
    while (!this.#stepping && !this.#closed && expiries.nextMs <= this.wallMs) this.step({ type: 'tick' })
  }

  /** Runs `call` once the step under way is over, or at once: callbacks of core must not call back into core. */
  afterStep(call: () => void): void {
    this.#afterStep.push(call)
    if (!this.#stepping) this.#callListeners()
  }

  step(input: Input): void {
    if (this.#closed) return
    this.#stepping = true
    const now = readClocks()
    this.meters.stepping(now.wallMs)
    let effects: readonly Effect[]
    try {
      effects = this.peer.step(input, now)
    } finally {
      this.#stepping = false
    }
    this.meters.stepped(input, now.monotonicMs)
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
    if (left) await leaveRegistry(this)
    const farewell = this.peer.goodbye(left, readClocks())
    await settlesWithin(Promise.allSettled(farewell.map((effect) => this.#perform(effect))), 500)
    this.#closed = true
    clearTimeout(this.#timer)
    this.meters.loopDelay.stop()
    this.#tracing?.close()
    this.#pending.fail(new GridError('CLOSED', 'the grid was closed before the write was durable'))
    const results = await Promise.allSettled([this.network.stop(), this.storage.close()])
    const failures = results.filter((result) => result.status === 'rejected').map((result): unknown => result.reason)
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'closing failed')
  }

  /** Throws `CLOSED` after `close`. */
  checkOpen(): void {
    if (this.#closed) throw new GridError('CLOSED', 'the grid is closed')
  }

  /** A piece that stops in the middle for want of room would be none. */
  #checkRoom(rows: readonly RowWrite[]): void {
    const sizeBytes = rows.reduce(
      (sum, { key, bytes }) => sum + ROW_OVERHEAD_BYTES + key.length * 3 + (bytes?.length ?? 0),
      0,
    )
    if (this.peer.commit.undurableBytes + sizeBytes <= UNDURABLE_MAX_BYTES) return
    this.meters.writes.refused += 1
    throw new GridError('BACKLOG_FULL', `${UNDURABLE_MAX_BYTES} bytes of writes wait to be stored: await some first`)
  }

  #apply(partition: Partition, key: string, value: Uint8Array | undefined): Written {
    this.#stepping = true
    this.#writing = true
    try {
      return this.peer.write(partition, key, value, readClocks())
    } catch (error) {
      this.meters.writes.refused += 1
      throw error
    } finally {
      this.#stepping = false
      this.#writing = false
    }
  }

  /** In the order of what happened: what a listener causes is told after the rest of what it was caused by. */
  #callListeners(): void {
    if (this.#telling) return
    this.#telling = true
    try {
      while (this.#afterStep.length > 0) for (const call of this.#afterStep.splice(0)) call()
    } finally {
      this.#telling = false
    }
  }

  /** All writes of one turn of the event loop go as one group. */
  #scheduleFlush({ writeId }: Written): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.meters.durable.begin(writeId, performance.now())
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
      case 'send':
        await this.#quietly(() => this.network.send(effect.to, effect.bytes), 'send', effect.to)
        break
      case 'dial':
        await this.#dial(effect.addresses)
        break
      case 'redial':
        this.#logger.warn(`${effect.neighbour} is connected but its broadcasts do not come: redialling it`, {
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
    try {
      await this.storage.write(effect.batch, { durable: true })
      this.#storageError = undefined
      this.meters.stored(effect.batch, startMs)
    } catch (error) {
      this.#storageError = error
      this.meters.storeFailures += 1
      this.#logger.error(`storing failed, will be tried again: ${String(error)}`, { code: codeOf(error), error })
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
        this.#logger.debug(`dialling ${address} failed: ${String(error)}`, { address, code: codeOf(error) })
      }
    }
  }

  /** Messages to a neighbour that has just gone are lost, which is told as `disconnected`. */
  async #quietly(call: () => Promise<unknown>, what: string, peerId?: string): Promise<void> {
    try {
      await call()
    } catch (error) {
      const whom = peerId === undefined ? '' : ` to ${peerId}`
      this.#logger.debug(`${what}${whom} failed: ${String(error)}`, { peerId, code: codeOf(error) })
    }
  }

  #event(event: PeerEvent): void {
    if (event.type === 'durable') this.#pending.durable(event.writeId)
    else if (event.type === 'not-durable') this.#pending.notDurable(event.writeId, event.error)
    else if (event.type === 'copies') this.copies.told(event.request, event.copies)
    this.#onEvent(event)
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof GridError ? error.code : undefined
}

/** The one partition of a replicated collection. */
export function onlyPartition(collection: Collection): Partition {
  return collection.partitions[0]!
}
