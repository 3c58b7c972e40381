import type { SyncConfig, SyncConfigRes } from '@tanstack/db'
import type { Conflict, GridMap, WriteOptions } from 'gossipgrid'
import type { RowForm } from './row-form.ts'
import { SyncRun } from './sync-run.ts'
import type { SyncParams } from './sync-run.ts'
import { writeMutations } from './write-mutations.ts'
import type { RowMutation } from './write-mutations.ts'

/** A map, the promise of one, or a function that gives one of these. */
export type MapSource<Value extends object> =
  | GridMap<Value>
  | PromiseLike<GridMap<Value>>
  | (() => GridMap<Value> | PromiseLike<GridMap<Value>>)

export interface CollectionSyncDeps {
  readonly source: MapSource<object>
  readonly form: RowForm
  readonly write: WriteOptions | undefined
  readonly isOnDemand: boolean
}

/** Connects one collection with its map: what the map has goes to the collection, what the collection writes to the map. */
export class CollectionSync {
  readonly #deps: CollectionSyncDeps
  readonly #listeners = new Set<(conflict: Conflict<never>) => unknown>()
  #map: Promise<GridMap<object>> | undefined
  #current: SyncRun | undefined

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
    const run = new SyncRun(params, this.#deps.form, this.#deps.isOnDemand)
    this.#current = run
    const off = this.#followConflicts()
    void this.#opened().then(
      (map) => run.start(map),
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
    const map = await this.#opened()
    const run = this.#current
    const release = run?.expect(mutations.map(({ key }) => key as string))
    try {
      await writeMutations(map, this.#deps.form, mutations, this.#deps.write)
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

  #followConflicts(): () => void {
    const abort = new AbortController()
    this.#opened().then(
      (map) => {
        if (abort.signal.aborted) return
        map.on(
          'conflict',
          (conflict) => {
            for (const listener of [...this.#listeners]) listener(conflict as Conflict<never>)
          },
          { signal: abort.signal },
        )
      },
      // The run reports it.
      () => undefined,
    )
    return () => abort.abort()
  }

  #opened(): Promise<GridMap<object>> {
    const { source } = this.#deps
    this.#map ??= (async () => (typeof source === 'function' ? source() : source))()
    return this.#map
  }
}
