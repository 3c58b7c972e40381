import { GridError, checkKnown } from '@gossipgrid/core'
import type { MemberState, Peer } from '@gossipgrid/core'
import { writeBatch } from './batches/batch.ts'
import type { Batch } from './batches/batch.ts'
import { SIGNAL_OPTION, checkKind } from './batches/checks.ts'
import { CountersAndSets } from './collections/counters-and-sets.ts'
import { Documents } from './documents/documents.ts'
import type { DocumentOptions, GridDocument } from './documents/opened/grid-document.ts'
import { Emitter } from './changes/emitter.ts'
import { EventReporter } from './lifecycle/event-reporter.ts'
import { GRID_EVENTS } from './lifecycle/event-reporter.ts'
import type { GridEvents } from './lifecycle/event-reporter.ts'
import { farewellSteps, haltStep } from './lifecycle/farewell.ts'
import type { GridCounter } from './counters/grid-counter.ts'
import type { GridMap } from './maps/grid-map.ts'
import { GridMaps } from './collections/grid-maps.ts'
import type { GridBatch } from './collections/grid-maps.ts'
import type { GridPresence } from './signals/grid-presence.ts'
import type { GridSet } from './sets/grid-set.ts'
import { GridSignals } from './signals/grid-signals.ts'
import type { GridTopic } from './signals/grid-topic.ts'
import { loadPeer } from './lifecycle/load-peer.ts'
import type { StoredPeer } from './lifecycle/load-peer.ts'
import type { Logger } from './logger.ts'
import type { MapOptions } from './maps/map-options.ts'
import { metricsOf } from './status/metrics.ts'
import type { GridMetrics } from './status/metrics.ts'
import { Readiness } from './lifecycle/readiness.ts'
import type { Receipt, WriteOptions } from './runtime/receipt.ts'
import { Runtime } from './runtime/runtime.ts'
import type { RuntimeOptions } from './runtime/runtime.ts'
import { membersOf, statusOf } from './status/status.ts'
import type { GridCollection, GridMember, GridStatus } from './status/status.ts'
import type { Teardown } from './lifecycle/teardown.ts'
import { orAborted } from './runtime/waiting.ts'
import type { GridTracer } from './runtime/safe-tracer.ts'

/** What a grid is made of, once an environment has been chosen. `openGrid` chooses one. */
export interface GridDeps extends StoredPeer {
  readonly logger: Logger
  readonly valueSizeMaxBytes: number
  /** Addresses to join by were given, so being without neighbours means waiting, not being alone. */
  readonly joining: boolean
  readonly tracer?: GridTracer | undefined
  /** Tells the grid what becomes of the page it lives in, until what it returns is called. */
  readonly follow?: ((runtime: Runtime) => () => void) | undefined
}

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
export class Grid {
  readonly name: string
  readonly #runtime: Runtime
  readonly #events: Emitter<GridEvents>
  readonly #logger: Logger
  readonly #maps: GridMaps
  readonly #signals: GridSignals
  readonly #countersAndSets: CountersAndSets
  /** @internal */
  readonly documents: Documents
  readonly #readiness: Readiness
  readonly #eventReporter: EventReporter
  readonly #openedAtMs = performance.now()
  #closing: Promise<void> | undefined
  #left = false
  readonly #teardown: Teardown

  /** Reads the stored state and joins the network. What closes it again is added to `teardown`, step by step. @internal */
  static async start(parts: GridDeps, teardown: Teardown, signal?: AbortSignal): Promise<Grid> {
    const grid = new Grid(parts, await orAborted(loadPeer(parts), signal), teardown, await tracingOf(parts))
    const runtime = grid.#runtime
    teardown.add(haltStep(runtime, parts.logger))
    await orAborted(runtime.start(), signal)
    const unfollow = parts.follow?.(runtime) ?? (() => undefined)
    grid.#readiness.watch(() => runtime.peer.neighbours.size === 0)
    const faces = [grid.#maps, grid.#signals, grid.#countersAndSets]
    const steps = farewellSteps({ runtime, faces, documents: grid.documents, unfollow, left: () => grid.#left })
    for (const step of steps) teardown.add(step)
    return grid
  }

  private constructor(parts: GridDeps, peer: Peer, teardown: Teardown, trace: RuntimeOptions['trace']) {
    const { name, storage, network, logger } = parts
    this.name = name
    this.#logger = logger
    this.#readiness = new Readiness(parts.joining)
    this.#teardown = teardown
    this.#events = new Emitter(logger, GRID_EVENTS)
    this.#runtime = new Runtime({
      peer,
      network,
      storage,
      logger,
      onEvent: (event) => this.#eventReporter.report(event),
      trace,
    })
    const { writes } = this.#runtime
    this.#maps = new GridMaps(writes, logger, parts.valueSizeMaxBytes)
    this.#countersAndSets = new CountersAndSets(writes, logger)
    this.#signals = new GridSignals(this.#runtime, logger)
    this.#eventReporter = new EventReporter({
      events: this.#events,
      logger,
      exchanged: () => this.#readiness.exchanged(),
      memberChanged: (peerId, state) => this.#memberChanged(peerId, state),
      signalled: (event) => this.#signals.take(event),
    })
    this.documents = new Documents(writes, logger, (topic) => this.#signals.topic(topic))
  }

  get peerId(): string {
    return this.#runtime.peer.peerId
  }

  /** Addresses that another peer can join by: pass one as `join` there. */
  get addresses(): readonly string[] {
    return this.#runtime.network.addresses()
  }

  /** This peer and all others it knows of, also those that have gone lately. */
  get members(): readonly GridMember[] {
    return membersOf(this.#runtime.report())
  }

  /**
   * The map of that name; the same object every time. What it is to be is said where it is opened first, on every peer
   * alike; later calls say the same or nothing. Throws `INVALID_NAME`, `INVALID_OPTION`, `COLLECTION_MISMATCH`, `CLOSED`.
   *
   * @example
   * ```ts
   * const profiles = grid.map<{ name: string; city: string }>('profiles', { merge: 'fields' })
   * await profiles.set('ada', { name: 'Ada', city: 'London' })
   * ```
   */
  map<Value = unknown>(name: string, options: MapOptions<Value> = {}): GridMap<Value> {
    return this.#maps.get(name, options)
  }

  /**
   * Writes to several collections in one piece: what `GridMap.transact` promises, over all of them.
   *
   * @example
   * ```ts
   * await grid.transact((batch) => {
   *   batch.map('orders').set('o-17', { item: 'tea' })
   *   batch.map<number>('stock').set('tea', (batch.map<number>('stock').get('tea') ?? 1) - 1)
   * })
   * ```
   */
  transact(write: (batch: GridBatch) => void, options?: WriteOptions): Promise<Receipt | undefined> {
    return writeBatch(this.#runtime.writes, write, (batch) => this.#inBatch(batch), options)
  }

  /**
   * The counter of that name, which all peers count up and down at once; the same object every time. Throws `INVALID_NAME`,
   * `COLLECTION_MISMATCH`, `CLOSED`.
   */
  counter(name: string): GridCounter {
    return this.#countersAndSets.counter(name)
  }

  /** The set of that name; the same object every time. Throws `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`. */
  set<Element = unknown>(name: string): GridSet<Element> {
    return this.#countersAndSets.set(name)
  }

  /**
   * Opens a document that all peers edit at once: `y` is a real Y.Doc, `awareness` one of y-protocols. Rejects with
   * `INVALID_NAME`, `DOCUMENT_FOREIGN` for a `doc` with content of elsewhere, `DOCUMENT_LIBRARY` without Yjs, `CLOSED`.
   *
   * @example
   * ```ts
   * const grid = await openGrid({ name: 'office' })
   * ;(await grid.doc('notes/today')).y.getText('body').insert(0, 'hello')
   * await grid.close()
   * ```
   */
  doc(name: string, options?: DocumentOptions): Promise<GridDocument> {
    return this.documents.open(name, options)
  }

  /** The names of the documents there are, in order: those that begin with `prefix`. Throws `CLOSED`. */
  docs(prefix: string = ''): string[] {
    checkKind('prefix', prefix, 'text')
    return this.documents.names(prefix)
  }

  /**
   * Deletes a document for good, on all peers; those that have it open are told by an `ended` event. Resolves to true once
   * that is durable here, to false when there is no such document. Rejects as `set` of a map does.
   */
  deleteDoc(name: string): Promise<boolean> {
    return this.documents.delete(name)
  }

  /**
   * Messages to everybody who listens now, kept nowhere; the same object every time. Throws `INVALID_NAME`,
   * `COLLECTION_LIMIT`, `CLOSED`.
   */
  topic<Message = unknown>(name: string): GridTopic<Message> {
    return this.#signals.topic(name) as GridTopic<Message>
  }

  /** Who is there, and what each peer says of itself; the same object every time. */
  presence<State = unknown>(): GridPresence<State> {
    return this.#signals.presence as GridPresence<State>
  }

  /**
   * Resolves once this peer has exchanged everything with one other since it was opened, so that from then on "missing"
   * means missing; or, with `alone: true`, when no other peer was found within 3 s and no address to join by was given.
   * Rejects with `ABORTED` or `CLOSED`.
   */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<{ readonly alone: boolean }> {
    checkKnown(options, SIGNAL_OPTION)
    return this.#readiness.wait(options.signal)
  }

  /** No other peer is known to be missing. @internal */
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
    return this.#runtime.report().collectionNames
  }

  /** Everything worth knowing of this peer right now. */
  status(): GridStatus {
    return statusOf(this.name, this.#runtime, this.#eventReporter.recoveries, (collection) =>
      this.#maps.hidden(collection),
    )
  }

  /**
   * Everything that this peer counts, in plain numbers: for your own monitoring, in any runtime. `gossipgrid peer
   * --metrics` serves the same to Prometheus.
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

  /** Calls `listener` for every event of a type; the function returned ends that. */
  on<Type extends keyof GridEvents>(
    type: Type,
    listener: (event: GridEvents[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#events.on(type, listener, options)
  }

  /**
   * A peer that keeps data in a directory will never come back: deletes are purged without waiting for it. Resolves to true
   * once that is durable here, to false when no such peer is registered (`status().purging.members`). One that still runs
   * registers again within seconds. Rejects with `INVALID_OPTION` for this peer itself, which leaves with `leave`; with
   * `BACKLOG_FULL`, `STORAGE_FULL`, `STORAGE_FAILED`, `CLOSED`.
   */
  async forget(peerId: string): Promise<boolean> {
    checkKind('peerId', peerId ?? null, 'text')
    if (peerId !== this.peerId) return this.#runtime.writes.forget(peerId)
    throw new GridError(
      'INVALID_OPTION',
      'a peer cannot forget itself: leave() closes it for good, or another peer forgets it once it has ended',
    )
  }

  /**
   * Closes for good: tells the others that this peer will not come back, so that nobody waits for it. Its stored state is
   * left alone. A peer that is to come back is closed with `close`. Rejects as `close` does.
   */
  leave(): Promise<void> {
    return this.#close(true)
  }

  /**
   * Waits for writes under way to be durable, says goodbye, and releases everything; idempotent. Takes at most 20 s, whatever
   * hangs. Rejects, with everything closed that can be, with `CLOSE_INCOMPLETE` when writes were not stored or something
   * did not close in time, and with what the store or the network says of closing.
   */
  close(): Promise<void> {
    return this.#close(false)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #inBatch(batch: Batch): GridBatch {
    return { ...this.#maps.inBatch(batch), ...this.#countersAndSets.inBatch(batch) }
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
      this.#signals.closed()
      this.#events.emit('close', undefined)
    }
  }

  #memberChanged(peerId: string, state: MemberState): void {
    this.#logger.debug(`${peerId} is ${state}`, { peerId, state })
    this.documents.memberChanged(peerId, state)
    if (!this.#events.has('member')) return
    const member = this.members.find((candidate) => candidate.peerId === peerId)
    if (member !== undefined) this.#events.emit('member', member)
  }

  /** Milliseconds since this grid was opened. */
  get uptimeMs(): number {
    return performance.now() - this.#openedAtMs
  }
}

/** Spans around writes are loaded with the first tracer: most grids have none. */
async function tracingOf({ name, tracer, logger }: GridDeps): Promise<RuntimeOptions['trace']> {
  if (tracer === undefined) return undefined
  const { WriteTracing } = await import('./runtime/write-tracing.ts')
  return (writes) => new WriteTracing(writes, { tracer, grid: name, logger })
}
