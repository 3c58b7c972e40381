import type { LoadSubsetOptions, SyncConfig } from '@tanstack/db'
import type { Change, GridMap } from 'gossipgrid'
import { loadRows } from './load-rows.ts'
import type { RowForm } from './row-form.ts'
import { Subsets } from './subsets.ts'

/** What TanStack DB gives a sync function. */
export type SyncParams = Parameters<SyncConfig<object, string>['sync']>[0]

/** So many rows are given to the collection in one turn of the event loop. */
const ROWS_PER_TURN = 2000

/** One run of a collection's `sync`, from its first use until it is cleaned up. */
export class SyncRun {
  readonly #params: SyncParams
  readonly #form: RowForm
  readonly #subsets: Subsets | undefined
  readonly #opened = Promise.withResolvers<GridMap<object>>()
  readonly #abort = new AbortController()
  readonly #leftOut = new Set<string>()
  /** Rows to give to the collection, by key; undefined for one that is gone. */
  readonly #waiting = new Map<string, object | undefined>()
  #isScheduled = false
  /** The rows that were there at the start are on their way, and changes wait for them. */
  #isLoading = false

  constructor(params: SyncParams, form: RowForm, isOnDemand: boolean) {
    this.#params = params
    this.#form = form
    this.#subsets = isOnDemand ? new Subsets() : undefined
    this.#opened.promise.catch(() => undefined)
  }

  get isComplete(): boolean {
    return this.#subsets?.isComplete ?? true
  }

  get leftOutCount(): number {
    return this.#leftOut.size
  }

  /** Follows the map from now on. Never rejects: what goes wrong is an error of the collection. */
  async start(map: GridMap<object>): Promise<void> {
    const { signal } = this.#abort
    if (signal.aborted) return
    try {
      map.on('change', (change) => this.#changed(change), { signal })
      if (this.#subsets === undefined) await this.#loadAll(map)
      if (signal.aborted) return
      this.#opened.resolve(map)
      this.#params.markReady()
    } catch (error) {
      this.#opened.reject(error)
      if (!signal.aborted) this.#params.markError(error)
    }
  }

  stop(): void {
    this.#abort.abort()
    this.#opened.reject(new Error('the collection was cleaned up before its map was open'))
  }

  /** Rows of these keys are given to the collection, even if no live query asks for them, until `release` is called. */
  expect(keys: readonly string[]): () => void {
    return this.#subsets?.expect(keys) ?? (() => undefined)
  }

  /** Gives the collection all that has changed. */
  flush(): void {
    if (this.#isLoading || this.#waiting.size === 0 || this.#abort.signal.aborted) return
    const { begin, write, commit } = this.#params
    begin()
    for (const [key, row] of this.#waiting) {
      if (row === undefined) write({ type: 'delete', key })
      // An update of a row that is not there inserts it.
      else write({ type: 'update', key, value: row } as never)
    }
    this.#waiting.clear()
    void commit()
  }

  /** The `loadSubset` of TanStack DB: resolves when the collection has the rows. */
  readonly loadSubset = async (options: LoadSubsetOptions): Promise<void> => {
    const subsets = this.#subsets!
    const subset = subsets.add(options)
    const map = await this.#opened.promise
    try {
      const found = await loadRows(map, this.#form, options)
      if (options.signal?.aborted === true || this.#abort.signal.aborted) return
      subset.isComplete = found.isComplete
      this.flush()
      this.#params.begin()
      for (const [key, value] of found.entries) {
        const row = subset.hasChanged(key) ? undefined : this.#rowOf(key, value)
        if (row === undefined) continue
        subsets.known.add(key)
        this.#params.write({ type: 'update', key, value: row } as never)
      }
      await this.#params.commit()
    } finally {
      subset.isLoading = false
    }
  }

  readonly unloadSubset = (options: LoadSubsetOptions): void => {
    const subsets = this.#subsets!
    if (!subsets.remove(options)) return
    const { collection } = this.#params
    for (const key of subsets.known) {
      const row = this.#waiting.get(key) ?? collection._state.syncedData.get(key)
      if (row !== undefined && subsets.wants(key, row)) continue
      subsets.known.delete(key)
      this.#queue(key, undefined)
    }
  }

  #changed({ key, value }: Change<object>): void {
    const row = this.#rowOf(key, value)
    if (this.#subsets === undefined) return this.#queue(key, row)
    if (this.#subsets.changed(key, row)) this.#queue(key, this.#subsets.known.has(key) ? row : undefined)
  }

  #queue(key: string, row: object | undefined): void {
    this.#waiting.set(key, row)
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  async #loadAll(map: GridMap<object>): Promise<void> {
    this.#isLoading = true
    let rows: [string, object][] = []
    for await (const [key, value] of map.entries({ signal: this.#abort.signal })) {
      const row = this.#rowOf(key, value)
      if (row !== undefined) rows.push([key, row])
      if (rows.length < ROWS_PER_TURN) continue
      this.#give(rows)
      rows = []
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    this.#give(rows)
    this.#isLoading = false
    this.flush()
  }

  #give(rows: readonly [string, object][]): void {
    if (rows.length === 0 || this.#abort.signal.aborted) return
    this.#params.begin()
    for (const [key, row] of rows) {
      // What has changed meanwhile is newer, and follows.
      if (!this.#waiting.has(key)) this.#params.write({ type: 'update', key, value: row } as never)
    }
    void this.#params.commit()
  }

  #rowOf(key: string, value: unknown): object | undefined {
    const row = value === undefined ? undefined : this.#form.rowOf(key, value)
    if (value !== undefined && row === undefined) this.#leftOut.add(key)
    else this.#leftOut.delete(key)
    return row
  }
}
