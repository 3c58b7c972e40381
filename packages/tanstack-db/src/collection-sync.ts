import type { SyncConfig, SyncConfigRes } from '@tanstack/db'
import type { Conflict, GridMap, PartitionedMap, WriteOptions } from 'gossipgrid'
import type { MapLink } from './map-link.ts'
import { PartitionedLink } from './partitioned-link.ts'
import { ReplicatedLink } from './replicated-link.ts'
import type { RowForm } from './row-form.ts'
import { SyncRun } from './sync-run.ts'
import type { SyncParams } from './sync-run.ts'
import type { RowMutation } from './write-mutations.ts'

/** A map of either kind: every peer has all of it, or it is partitioned. */
export type AnyMap<Value extends object> = GridMap<Value> | PartitionedMap<Value>

/** A map, the promise of one, or a function that gives one of these. */
export type MapSource<Value extends object> =
  | AnyMap<Value>
  | PromiseLike<AnyMap<Value>>
  | (() => AnyMap<Value> | PromiseLike<AnyMap<Value>>)

export interface CollectionSyncDeps {
  readonly source: MapSource<object>
  readonly form: RowForm
  readonly prefix: string
  readonly write: WriteOptions | undefined
  readonly isOnDemand: boolean
}

/** Connects one collection with its map: what the map has goes to the collection, what the collection writes to the map. */
export class CollectionSync {
  readonly #deps: CollectionSyncDeps
  readonly #listeners = new Set<(conflict: Conflict<never>) => unknown>()
  readonly #coverListeners = new Set<(isComplete: boolean) => unknown>()
  #map: Promise<AnyMap<object>> | undefined
  /** Of the current run, and of those that write without one. */
  #link: Promise<MapLink> | undefined
  #current: SyncRun | undefined
  #wasComplete = true

  constructor(deps: CollectionSyncDeps) {
    this.#deps = deps
  }

  get isComplete(): boolean {
    return this.#current?.isComplete ?? true
  }

  get leftOutCount(): number {
    return this.#current?.leftOutCount ?? 0
  }

  /** The `sync` of TanStack DB: called when the collection is first used, and again after it was cleaned up. */
  readonly run: SyncConfig<object, string>['sync'] = (params: SyncParams): SyncConfigRes => {
    const { form, isOnDemand, prefix } = this.#deps
    const run = new SyncRun({ params, form, prefix, isOnDemand, onCovered: this.#covered })
    this.#current = run
    this.#link = undefined
    const off = this.#followConflicts()
    void this.#linked().then(
      (link) => run.start(link),
      (error: unknown) => params.markError(error),
    )
    return {
      cleanup: () => {
        off()
        run.stop()
      },
      ...(this.#deps.isOnDemand && { loadSubset: run.loadSubset, unloadSubset: run.unloadSubset }),
    }
  }

  /** Writes mutations of this collection. Resolves when they are durable here, and the collection has them back. */
  async persist(mutations: readonly RowMutation[]): Promise<void> {
    if (mutations.length === 0) return
    const link = await this.#linked()
    const run = this.#current
    const release = run?.expect(mutations.map(({ key }) => key as string))
    try {
      await link.write(this.#deps.form, mutations, this.#deps.write)
    } finally {
      release?.()
      // The optimistic state is dropped next: the rows must be there by then.
      run?.flush()
    }
  }

  readonly onConflict = (listener: (conflict: Conflict<never>) => unknown): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  readonly onComplete = (listener: (isComplete: boolean) => unknown): (() => void) => {
    this.#coverListeners.add(listener)
    return () => void this.#coverListeners.delete(listener)
  }

  readonly #covered = (): void => {
    const { isComplete } = this
    if (isComplete === this.#wasComplete) return
    this.#wasComplete = isComplete
    for (const listener of [...this.#coverListeners]) listener(isComplete)
  }

  #followConflicts(): () => void {
    const abort = new AbortController()
    this.#linked().then(
      (link) => {
        if (abort.signal.aborted) return
        link.onConflict((conflict) => {
          for (const listener of [...this.#listeners]) listener(conflict as Conflict<never>)
        }, abort.signal)
      },
      // The run reports it.
      () => undefined,
    )
    return () => abort.abort()
  }

  #linked(): Promise<MapLink> {
    const { prefix, source } = this.#deps
    this.#map ??= (async () => (typeof source === 'function' ? source() : source))()
    this.#link ??= this.#map.then((map) =>
      'partitionOf' in map ? new PartitionedLink(map, prefix) : new ReplicatedLink(map),
    )
    return this.#link
  }
}
