import { GridError, checkKnown } from '@gossipgrid/core'
import type { MemberState, Peer } from '@gossipgrid/core'
import { writeBatch } from './batches/batch.ts'
import type { Batch } from './batches/batch.ts'
import { SIGNAL_OPTION, checkKind } from './batches/checks.ts'
import { CountersAndSets } from './collections/counters-and-sets.ts'
import type { KeyedFaces } from './collections/counters-and-sets.ts'
import { Documents } from './documents/documents.ts'
import type { DocumentOptions, GridDocument } from './documents/opened/grid-document.ts'
import { Emitter } from './changes/emitter.ts'
import { EventReporter } from './lifecycle/event-reporter.ts'
import { GRID_EVENTS } from './lifecycle/event-reporter.ts'
import type { GridEvents } from './lifecycle/event-reporter.ts'
import { farewellSteps, haltStep } from './lifecycle/farewell.ts'
import type { GridCounter } from './counters/grid-counter.ts'
import type { GridCounters } from './keyed/grid-counters.ts'
import type { GridSets } from './keyed/grid-sets.ts'
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

/** What a grid is made of. `openGrid` makes it for its environment. */
export interface GridDeps extends StoredPeer {
  readonly logger: Logger
  readonly valueSizeMaxBytes: number
  /** There are addresses to join, so a peer without neighbours waits, and is not alone. */
  readonly joining: boolean
  readonly tracer?: GridTracer | undefined
  /** Counters and sets under keys, where they are loaded. */
  readonly keyed: KeyedFaces | undefined
  /** Reports to the peer when its page is hidden, frozen or shown, until the returned function is called. */
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

  /** Reads the stored state and joins the network. Adds the steps that close it to `teardown`. @internal */
  static async start(deps: GridDeps, teardown: Teardown, signal?: AbortSignal): Promise<Grid> {
    const grid = new Grid(deps, await orAborted(loadPeer(deps), signal), teardown, await tracingOf(deps))
    const runtime = grid.#runtime
    teardown.add(haltStep(runtime, deps.logger))
    await orAborted(runtime.start(), signal)
    const unfollow = deps.follow?.(runtime) ?? (() => undefined)
    grid.#readiness.watch(() => runtime.peer.neighbours.size === 0)
    const faces = [grid.#maps, grid.#signals, grid.#countersAndSets]
    const steps = farewellSteps({ runtime, faces, documents: grid.documents, unfollow, left: () => grid.#left })
    for (const step of steps) teardown.add(step)
    return grid
  }

  private constructor(deps: GridDeps, peer: Peer, teardown: Teardown, trace: RuntimeOptions['trace']) {
    const { name, storage, network, logger } = deps
    this.name = name
    this.#logger = logger
    this.#readiness = new Readiness(deps.joining)
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
    this.#maps = new GridMaps(writes, logger, deps.valueSizeMaxBytes)
    this.#countersAndSets = new CountersAndSets(writes, logger, deps.keyed)
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

  /** Addresses of this peer. Pass one as `join` at another peer. */
  get addresses(): readonly string[] {
    return this.#runtime.network.addresses()
  }

  /** This peer and all other peers that it knows, including those that have gone recently. */
  get members(): readonly GridMember[] {
    return membersOf(this.#runtime.report())
  }

  /**
   * The map of that name; the same object every time. Pass options the first time you open a map, and pass the same ones on
   * every peer. Later calls pass the same options or none. Throws `INVALID_NAME`, `INVALID_OPTION`, `COLLECTION_MISMATCH`,
   * `CLOSED`.
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
   * Writes to several collections in one piece, as `GridMap.transact` does for one map.
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
   * The counter of that name, which all peers can increment and decrement concurrently; the same object every time. Throws
   * `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`.
   */
  counter(name: string): GridCounter {
    return this.#countersAndSets.counter(name)
  }

  /** The set of that name; the same object every time. Throws `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`. */
  set<Element = unknown>(name: string): GridSet<Element> {
    return this.#countersAndSets.set(name)
  }

  /**
   * The counters of that name: one under each key, for keys that users choose. The same object every time. Throws
   * `INVALID_NAME`, `COLLECTION_MISMATCH`, `CLOSED`, and `INVALID_OPTION` in a browser, unless the grid was opened with
   * `keyed: true`.
   */
  counters(name: string): GridCounters {
    return this.#countersAndSets.counters(name)
  }

  /** The sets of that name: one under each key, for keys that users choose. The same object every time. Throws as `counters` does. */
  sets<Element = unknown>(name: string): GridSets<Element> {
    return this.#countersAndSets.sets(name)
  }

  /**
   * Opens a document that all peers can edit concurrently: `y` is a real Y.Doc, `awareness` one of y-protocols. Rejects with
   * `INVALID_NAME`, `DOCUMENT_FOREIGN` for a `doc` with content from outside the grid, `DOCUMENT_LIBRARY` if Yjs is not
   * installed, `CLOSED`.
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

  /** The names of the documents that begin with `prefix`, sorted. Throws `CLOSED`. */
  docs(prefix: string = ''): string[] {
    checkKind('prefix', prefix, 'text')
    return this.documents.names(prefix)
  }

  /**
   * Deletes a document for good, on all peers. Where it is open, an `ended` event reports that. Resolves to true when the
   * delete is durable here, or to false if there is no such document. Rejects as `set` of a map does.
   */
  deleteDoc(name: string): Promise<boolean> {
    return this.documents.delete(name)
  }

  /**
   * The topic of that name, for messages to all peers that listen now; they are not stored. The same object every time.
   * Throws `INVALID_NAME`, `COLLECTION_LIMIT`, `CLOSED`.
   */
  topic<Message = unknown>(name: string): GridTopic<Message> {
    return this.#signals.topic(name) as GridTopic<Message>
  }

  /** The peers that are present, with the state that each has set; the same object every time. */
  presence<State = unknown>(): GridPresence<State> {
    return this.#signals.presence as GridPresence<State>
  }

  /**
   * Resolves when this peer has exchanged all data with another one since opening: from then on, an entry that is not here
   * does not exist there. Resolves with `alone: true` if no other peer was found within 3 s and there are no addresses to
   * join. Rejects with `ABORTED` or `CLOSED`.
   */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<{ readonly alone: boolean }> {
    checkKnown(options, SIGNAL_OPTION)
    return this.#readiness.wait(options.signal)
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
    return this.#runtime.report().collectionNames
  }

  /** The current state of this peer, and what it knows of others. */
  status(): GridStatus {
    return statusOf(this.name, this.#runtime, this.#eventReporter.recoveries, (collection) =>
      this.#maps.hidden(collection),
    )
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

  /** Calls `listener` for every event of a type. The returned function ends that. */
  on<Type extends keyof GridEvents>(
    type: Type,
    listener: (event: GridEvents[Type]) => unknown,
    options?: { readonly signal?: AbortSignal },
  ): () => void {
    return this.#events.on(type, listener, options)
  }

  /**
   * Declares that a peer with a directory will never come back, so that purging of deletes does not wait for it. Resolves to
   * true when that is durable here, or to false if no such peer is registered (`status().purging.members`). A peer that still
   * runs registers again within seconds. Rejects with `INVALID_OPTION` for this peer itself, for which there is `leave`, and
   * with `BACKLOG_FULL`, `STORAGE_FULL`, `STORAGE_FAILED`, `CLOSED`.
   */
  async forget(peerId: string): Promise<boolean> {
    checkKind('peerId', peerId ?? null, 'text')
    if (peerId !== this.peerId) return this.#runtime.writes.forget(peerId)
    throw new GridError(
      'INVALID_OPTION',
      'a peer cannot forget itself: close it for good with leave(), or let another peer forget it after it has ended',
    )
  }

  /**
   * Closes for good: tells other peers that this one will not come back, so that they do not wait for it. Does not delete its
   * stored data. If the peer will come back, use `close` instead. Rejects as `close` does.
   */
  leave(): Promise<void> {
    return this.#close(true)
  }

  /**
   * Waits until pending writes are durable, says goodbye to other peers, and closes everything. Idempotent. Takes at most 20 s,
   * even if something hangs. Rejects with `CLOSE_INCOMPLETE` if writes were not stored or something did not close in time, and
   * with errors of the store and the network; even then, everything that can be closed is closed.
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
