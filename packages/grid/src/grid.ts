import { checkKnown, plainName } from '@gossipgrid/core'
import type { Known, MemberState, Peer } from '@gossipgrid/core'
import { SIGNAL_OPTION } from './batches/checks.ts'
import { CountersAndSets } from './collections/counters-and-sets.ts'
import { Documents } from './documents/documents.ts'
import { Emitter } from './changes/emitter.ts'
import { EventReporter, GRID_EVENTS } from './lifecycle/event-reporter.ts'
import type { GridEvents } from './lifecycle/event-reporter.ts'
import type { LeaveOptions } from './lifecycle/hand-over.ts'
import { farewellSteps, haltStep } from './lifecycle/farewell.ts'
import { GridWithGuests } from './guests/face/grid-with-guests.ts'
import type { GuestFace, OpenGuestFace } from './guests/face/guest-face.ts'
import { GridMaps } from './collections/grid-maps.ts'
import { GridSignals } from './signals/grid-signals.ts'
import { loadPeer } from './lifecycle/load-peer.ts'
import type { StoredPeer } from './lifecycle/load-peer.ts'
import type { Logger } from './logger.ts'
import { metricsOf } from './status/metrics.ts'
import type { GridMetrics } from './status/metrics.ts'
import { PartitionedCountersAndSets } from './collections/partitioned-counters-and-sets.ts'
import { PartitionedMaps } from './collections/partitioned-maps.ts'
import { Readiness } from './lifecycle/readiness.ts'
import { Runtime } from './runtime/runtime.ts'
import type { WritePath } from './runtime/write-path.ts'
import type { RuntimeOptions } from './runtime/runtime.ts'
import type { Convergence } from './status/convergence.ts'
import { StandingStore } from './status/standing.ts'
import { convergenceIn, membersOf, statusOf } from './status/status.ts'
import type { GridCollection, GridMember, GridStatus } from './status/status.ts'
import type { Teardown } from './lifecycle/teardown.ts'
import { tracingOf } from './lifecycle/tracing-of.ts'
import { orAborted } from './runtime/waiting.ts'
import { REACHED_OPTIONS, checkReadOptions, tokenReached } from './reads/after-token.ts'
import type { ReachedOptions } from './reads/after-token.ts'
import type { GridTracer } from './runtime/safe-tracer.ts'

/** What a grid is made of. `openGrid` makes it for its environment. */
export interface GridDeps extends StoredPeer {
  readonly logger: Logger
  readonly valueSizeMaxBytes: number
  readonly tracer?: GridTracer | undefined
  /** Reports to the peer when its page is hidden, frozen or shown, until the returned function is called. */
  readonly follow?: ((runtime: Runtime) => () => void) | undefined
  readonly guests: OpenGuestFace | undefined
}

const LEAVE_OPTIONS: Known<LeaveOptions> = { timeoutMs: true, signal: true, onProgress: true }

/**
 * One peer of a grid, with all its collections. From `openGrid`.
 *
 * @example
 * ```ts
 * const grid = await openGrid({ name: 'demo' })
 * const users = grid.map<{ age: number }>('users')
 * await users.set('ada', { age: 36 })
 * await grid.close()
 * ```
 */
export class Grid extends GridWithGuests {
  /** The name of the grid. */
  readonly name: string
  readonly #runtime: Runtime
  readonly #events: Emitter<GridEvents>
  readonly #logger: Logger
  protected readonly writes: WritePath
  protected readonly maps: GridMaps
  protected readonly partitionedMaps: PartitionedMaps
  protected readonly signals: GridSignals
  protected readonly countersAndSets: CountersAndSets
  protected readonly partitionedCountersAndSets: PartitionedCountersAndSets
  protected readonly guestFace: GuestFace | undefined
  /** @internal */
  readonly documents: Documents
  readonly #readiness: Readiness
  readonly #eventReporter: EventReporter
  readonly #openedAtMs = performance.now()
  #closing: Promise<void> | undefined
  #left = false
  #isWatching = false
  #standing: StandingStore | undefined
  readonly #teardown: Teardown

  /** Reads the stored state and joins the network. Adds the steps that close it to `teardown`. @internal */
  static async start(deps: GridDeps, teardown: Teardown, signal?: AbortSignal): Promise<Grid> {
    const grid = new Grid(
      deps,
      await orAborted(loadPeer(deps), signal),
      teardown,
      await tracingOf(deps.tracer, deps.name, deps.logger),
    )
    const runtime = grid.#runtime
    teardown.add(haltStep(runtime, deps.logger))
    await orAborted(runtime.start(), signal)
    const unfollow = deps.follow?.(runtime) ?? (() => undefined)
    if (grid.guestFace !== undefined) await orAborted(grid.guestFace.start(teardown), signal)
    grid.#watchReadiness()
    const faces = [grid.maps, grid.signals, grid.countersAndSets]
    const steps = farewellSteps({ runtime, faces, documents: grid.documents, unfollow, left: () => grid.#left })
    for (const step of steps) teardown.add(step)
    return grid
  }

  private constructor(deps: GridDeps, peer: Peer, teardown: Teardown, trace: RuntimeOptions['trace']) {
    super()
    const { name, storage, network, logger } = deps
    this.name = name
    this.#logger = logger
    this.#readiness = new Readiness(deps.joining, () => peer.partitions.hasOwnWhole)
    this.#teardown = teardown
    this.#events = new Emitter(logger, GRID_EVENTS)
    this.#runtime = new Runtime({
      peer,
      network,
      storage,
      logger,
      onEvent: (event) => this.#eventReporter.report(event),
      trace,
      readWallMs: deps.readWallMs,
    })
    const { writes } = this.#runtime
    this.writes = writes
    this.maps = new GridMaps(writes, logger, deps.valueSizeMaxBytes)
    this.partitionedMaps = new PartitionedMaps(writes, logger, deps.valueSizeMaxBytes, deps.joining)
    this.countersAndSets = new CountersAndSets(writes, logger)
    this.partitionedCountersAndSets = new PartitionedCountersAndSets(writes, () => this.partitionedMaps.takePart())
    this.signals = new GridSignals(this.#runtime, logger)
    const exchanged = (): void => this.#readiness.exchanged()
    this.#eventReporter = new EventReporter({
      events: this.#events,
      logger,
      exchanged,
      memberChanged: (peerId, state) => this.#memberChanged(peerId, state),
      dropped: () => this.dropped(),
      asked: (query) => this.partitionedMaps.answer(query),
      signalled: (event) => this.signals.take(event),
    })
    const faced = { runtime: this.#runtime, signals: this.signals, maps: this.partitionedMaps, exchanged }
    this.guestFace = deps.guests?.(faced, this.#events)
    this.documents = new Documents(writes, logger, (topic) => this.signals.topic(topic))
  }

  /** The id of this peer, the same after each restart with one directory. */
  get peerId(): string {
    return this.#runtime.peer.peerId
  }

  /** Addresses of this peer. Pass one as `join` at another peer. */
  get addresses(): readonly string[] {
    return this.#runtime.network.addresses()
  }

  /** False between `disconnect` and `connect`. */
  get online(): boolean {
    return this.#runtime.online
  }

  /**
   * Whether the grid is open and online, its number of neighbours, and whether it has what others have, with `subscribe` and
   * `getSnapshot`: for a line in the corner of a page.
   */
  get standing(): StandingStore {
    this.#standing ??= new StandingStore({
      isOpen: () => !this.#runtime.closed,
      convergence: () => convergenceIn(this.#runtime.report(), this.#runtime),
      follow: (changed) => {
        const ends = [this.on('convergence', changed), this.on('connection', changed), this.on('close', changed)]
        return () => ends.forEach((end) => end())
      },
    })
    return this.#standing
  }

  /** This peer and all other peers that it knows, including those that have gone recently. */
  get members(): readonly GridMember[] {
    return membersOf(this.#runtime.report())
  }

  /**
   * Resolves when this peer has exchanged all data with another one, since opening or since `connect`, and has whole copies of the
   * partitions that it owns: from then on, an entry that is not here does not exist there. Resolves with `alone: true` if no other peer was
   * found within 3 s and there are no addresses to join. Rejects with `ABORTED` or `CLOSED`.
   */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<{ readonly alone: boolean }> {
    checkKnown(options, SIGNAL_OPTION)
    return this.#readiness.wait(options.signal)
  }

  /**
   * Resolves when this peer has applied the write of a receipt's `token`, whichever peer wrote it, and all earlier writes of
   * that peer to the same collection: from then on every read here shows it, or what superseded it. Rejects with
   * `INVALID_TOKEN`, also for a token of another grid, with `TOKEN_TIMEOUT`, `BACKLOG_FULL` (10,000 reads wait), `ABORTED`,
   * `INVALID_OPTION` and `CLOSED`.
   *
   * @example
   * ```ts
   * const { token } = await users.set('ada', { age: 36 })
   * // Later, and most likely at another peer:
   * await grid.reached(token, { timeoutMs: 2000 })
   * ```
   */
  async reached(token: string, options: ReachedOptions = {}): Promise<void> {
    checkReadOptions(options, REACHED_OPTIONS)
    await tokenReached(this.writes.pump, token, options)
  }

  /** True if this peer need not wait for another one. @internal */
  get knowsNoOther(): boolean {
    return this.#readiness.knowsNoOther
  }

  /**
   * The collections that this peer knows, in the order in which it learned of them: those opened here, and those that other
   * peers have written to. All documents are one collection. To look a name up, this costs far less than `status()`.
   *
   * @example
   * ```ts
   * const isThere = grid.collections().some(({ name }) => name === 'users')
   * ```
   */
  collections(): readonly GridCollection[] {
    const { peer } = this.#runtime
    const partitioned = new Map(peer.partitions.collections.map((each) => [each.name, each]))
    const known = this.#runtime.report().collectionNames.map((each): GridCollection => {
      const stored = peer.collections.dropped.current(each.name)
      const { partitions, owners, kind } = partitioned.get(stored) ?? {}
      partitioned.delete(stored)
      return partitions === undefined ? each : { ...each, kind: kind!, partitions, owners }
    })
    // Others may have opened it, and this peer has no part of it.
    const elsewhere = [...partitioned.values()].map(({ name, kind, partitions, owners }): GridCollection => {
      return { name: plainName(name), kind, drops: 0, partitions, owners }
    })
    return [...known, ...elsewhere]
  }

  /** The current state of this peer, and what it knows of others. */
  status(): GridStatus {
    const { recoveries } = this.#eventReporter
    return statusOf(this.name, this.#runtime, recoveries, (each) => this.entriesIn(each), this.guestFace?.status())
  }

  /**
   * All counters of this peer as plain numbers, for your own monitoring in any runtime. `gossipgrid peer --metrics` serves
   * the same to Prometheus.
   *
   * @example
   * ```ts
   * const { convergence, writes, visibleSeconds } = grid.metrics()
   * console.log(convergence.text, writes.sets, visibleSeconds.count)
   * ```
   */
  metrics(): GridMetrics {
    return metricsOf(this.status(), this.#runtime, this.#readiness.isReady, this.uptimeMs)
  }

  /**
   * Cuts this peer off: closes all connections, and makes and accepts none until `connect`. Reading and writing go on, what is
   * written is stored, and other peers get it later. `status().convergence` and a `convergence` event say so, and a provider of
   * a document is `disconnected`. Rejects with `CLOSED`, and with `INVALID_OPTION` if a network of your own cannot do that.
   *
   * @example
   * ```ts
   * await grid.disconnect()
   * await users.set('ada', { age: 37 }) // stored here
   * await grid.connect()
   * ```
   */
  async disconnect(): Promise<void> {
    this.#setOnline(false)
  }

  /** Ends what `disconnect` began: dials the lost peers at once. To wait until it has met one, call `ready`. Rejects as it does. */
  async connect(): Promise<void> {
    this.#setOnline(true)
  }

  /** Calls `listener` for every event of a type. The returned function ends that. */
  on<Type extends keyof GridEvents>(
    type: Type,
    listener: (event: GridEvents[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    const off = this.#events.on(type, listener, options)
    if (type === 'convergence') void this.#watchConvergence()
    return off
  }

  /**
   * Declares that a peer with a directory will never come back, so that purging of deletes does not wait for it. Resolves to
   * true when that is durable here, or to false if no such peer is registered (`status().purging.members`). A peer that still
   * runs registers again within seconds. Rejects with `INVALID_OPTION` for this peer itself, for which there is `leave`, and
   * with `BACKLOG_FULL`, `STORAGE_FULL`, `STORAGE_FAILED`, `CLOSED`.
   */
  async forget(peerId: string): Promise<boolean> {
    const { forget } = await import('./lifecycle/forget.ts')
    return forget(this.writes, peerId)
  }

  /**
   * Closes for good: hands its partitions over to other owners, and tells other peers that this one will not come back, so that they
   * do not wait for it. Resolves once others have durably all that it had of partitioned collections. Does not delete its stored
   * data. If the peer will come back, use `close` instead, which hands nothing over. Rejects as `close` does, with `INVALID_OPTION`,
   * and with `LEAVE_INCOMPLETE` or `ABORTED` while the grid stays open: call `leave` again, or `close`.
   *
   * @example
   * ```ts
   * const grid = await openGrid({ name: 'shop' })
   * await grid.leave({ timeoutMs: 60_000, onProgress: ({ partitions }) => console.log(`${partitions} left`) })
   * ```
   */
  async leave(options: LeaveOptions = {}): Promise<void> {
    checkKnown(options, LEAVE_OPTIONS)
    if (this.#closing === undefined && this.#runtime.peer.takesPart) {
      const { handOver } = await import('./lifecycle/hand-over.ts')
      await handOver(this.writes, options, this.#logger)
    }
    return this.#close(true)
  }

  /**
   * Waits until pending writes are durable, says goodbye to other peers, and closes everything. Afterwards nothing of the grid keeps
   * the process alive. Idempotent. Takes at most 20 s, even if something hangs; longer in a process that is too busy to run.
   * Rejects with `CLOSE_INCOMPLETE` if writes were not stored or something did not close in time, and with errors of the store and
   * the network; even then, everything that can be closed is closed.
   */
  close(): Promise<void> {
    return this.#close(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #close(left: boolean): Promise<void> {
    this.#closing ??= this.#shutDown(left)
    return this.#closing
  }

  async #shutDown(left: boolean): Promise<void> {
    this.#left = left
    this.#readiness.close()
    try {
      await this.#teardown.close()
    } finally {
      this.signals.closed()
      this.#events.emit('close', undefined)
    }
  }

  #setOnline(online: boolean): void {
    const runtime = this.#runtime
    const isChange = online !== runtime.online
    runtime.setOnline(online)
    if (!isChange) return
    if (online) this.#watchReadiness()
    else this.#readiness.reset()
    this.#events.emit('connection', { online })
  }

  #watchReadiness(): void {
    this.#readiness.watch(() => this.#runtime.peer.neighbours.size === 0)
  }

  /** Most grids have no listener of this event, so what finds the changes is loaded with the first one. */
  async #watchConvergence(): Promise<void> {
    if (this.#isWatching) return
    this.#isWatching = true
    const runtime = this.#runtime
    const read = (): Convergence => convergenceIn(runtime.report(), runtime)
    const before = read()
    const { watchConvergence } = await import('./status/convergence-watch.ts')
    await watchConvergence({
      ...{ runtime, before, read },
      isWanted: () => this.#events.has('convergence'),
      changed: (convergence) => this.#events.emit('convergence', convergence),
    })
    this.#isWatching = false
    // Another listener may have come meanwhile.
    if (this.#events.has('convergence') && !runtime.closing.aborted) void this.#watchConvergence()
  }

  #memberChanged(peerId: string, state: MemberState): void {
    this.#logger.debug(`${peerId} is ${state}`, { peerId, state })
    this.documents.memberChanged(peerId, state)
    if (!this.#events.has('member')) return
    const member = this.members.find((candidate) => candidate.peerId === peerId)
    if (member !== undefined) this.#events.emit('member', member)
  }

  /** @internal */
  get pump(): Runtime {
    return this.#runtime
  }

  /** Milliseconds since this grid was opened. */
  get uptimeMs(): number {
    return performance.now() - this.#openedAtMs
  }
}
