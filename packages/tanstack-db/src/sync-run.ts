import { deepEquals } from '@tanstack/db'
import type { LoadSubsetOptions, SyncConfig } from '@tanstack/db'
import { loadRows } from './load-rows.ts'
import type { MapLink } from './map-link.ts'
import { ROWS_PER_TURN } from './replicated-link.ts'
import type { RowForm } from './row-form.ts'
import { Subsets } from './subsets.ts'
import type { Subset } from './subsets.ts'

/** What TanStack DB gives a sync function. */
export type SyncParams = Parameters<SyncConfig<object, string>['sync']>[0]

/** Rows that were not complete, and all that were read at the start from other peers, are read again after this time. */
const AGAIN_MS = 3000

export interface SyncRunDeps {
  readonly params: SyncParams
  readonly form: RowForm
  readonly prefix: string
  readonly isOnDemand: boolean
  /** Called when `isComplete` may be another one. */
  readonly onCovered: () => void
}

/** One run of a collection's `sync`, from its first use until it is cleaned up. */
export class SyncRun {
  readonly #deps: SyncRunDeps
  readonly #params: SyncParams
  readonly #subsets: Subsets | undefined
  readonly #opened = Promise.withResolvers<MapLink>()
  readonly #abort = new AbortController()
  readonly #leftOut = new Set<string>()
  /** Rows to give to the collection, by key; undefined for one that is gone. */
  readonly #waiting = new Map<string, object | undefined>()
  #link: MapLink | undefined
  #isScheduled = false
  /** The rows that were there at the start are on their way. */
  #isLoading = false
  #followedAtMs = 0

  constructor(deps: SyncRunDeps) {
    this.#deps = deps
    this.#params = deps.params
    this.#subsets = deps.isOnDemand ? new Subsets() : undefined
    this.#opened.promise.catch(() => undefined)
  }

  get isComplete(): boolean {
    return (this.#subsets?.isComplete ?? true) && (this.#link?.isComplete ?? true)
  }

  get leftOutCount(): number {
    return this.#leftOut.size
  }

  /** Follows the map from now on. Never rejects: what goes wrong is an error of the collection. */
  async start(link: MapLink): Promise<void> {
    const { signal } = this.#abort
    if (signal.aborted) return
    this.#link = link
    this.#isLoading = this.#subsets === undefined
    let hasFailed = false
    const failed = (error: unknown): void => {
      hasFailed = true
      this.#opened.reject(error)
      if (!signal.aborted) this.#params.markError(error)
    }
    const changed = (key: string, value: object | undefined): void => this.#changed(key, value)
    try {
      await link.follow({ initial: this.#isLoading, changed, failed, signal })
    } catch (error) {
      failed(error)
    }
    if (hasFailed || signal.aborted) return
    this.#isLoading = false
    this.#followedAtMs = performance.now()
    this.flush()
    this.#opened.resolve(link)
    this.#params.markReady()
    if (!link.isComplete) this.#lookAgain()
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
    if (this.#waiting.size === 0 || this.#abort.signal.aborted) return
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
    const subset = this.#subsets!.add(options)
    const link = await this.#opened.promise
    await this.#read(link, subset, options)
    // What the followed owner received just before may still have been on its way to the owner that was asked.
    const isEarly = performance.now() - this.#followedAtMs < AGAIN_MS
    if (link.isRemote && (isEarly || !this.isComplete)) this.#readAgain(link, subset, options)
  }

  readonly unloadSubset = (options: LoadSubsetOptions): void => {
    const subsets = this.#subsets!
    if (!subsets.remove(options)) return
    for (const key of subsets.known) {
      const row = this.#shown(key)
      if (row !== undefined && subsets.wants(key, row)) continue
      subsets.known.delete(key)
      this.#queue(key, undefined)
    }
    this.#deps.onCovered()
  }

  async #read(link: MapLink, subset: Subset, options: LoadSubsetOptions): Promise<void> {
    try {
      const found = await loadRows(link.asked, this.#deps.form, options)
      if (options.signal?.aborted === true || subset.isGone || this.#abort.signal.aborted) return
      subset.isComplete = found.isComplete
      this.flush()
      this.#params.begin()
      for (const [key, value] of found.entries) {
        const row = subset.hasChanged(key) ? undefined : this.#rowOf(key, value)
        if (row === undefined) continue
        this.#subsets!.known.add(key)
        if (!deepEquals(this.#shown(key), row)) this.#params.write({ type: 'update', key, value: row } as never)
      }
      await this.#params.commit()
      this.#deps.onCovered()
    } finally {
      subset.isLoading = false
    }
  }

  #readAgain(link: MapLink, subset: Subset, options: LoadSubsetOptions): void {
    const read = async (): Promise<void> => {
      if (subset.isGone || this.#abort.signal.aborted) return
      const wasComplete = this.isComplete
      subset.beginAgain()
      // A query that fails now keeps the rows that it has.
      await this.#read(link, subset, options).catch(() => (subset.isComplete = false))
      if (!wasComplete || !this.isComplete) this.#readAgain(link, subset, options)
    }
    setTimeout(() => void read(), AGAIN_MS)
  }

  /** Until all parts of the map have answered. */
  #lookAgain(): void {
    setTimeout(() => {
      if (this.#abort.signal.aborted) return
      this.#deps.onCovered()
      if (!this.#link!.isComplete) this.#lookAgain()
    }, AGAIN_MS)
  }

  #changed(key: string, value: object | undefined): void {
    const row = this.#rowOf(key, value)
    if (this.#subsets === undefined) return this.#queue(key, row)
    if (this.#subsets.changed(key, row)) this.#queue(key, this.#subsets.known.has(key) ? row : undefined)
  }

  #queue(key: string, row: object | undefined): void {
    this.#waiting.set(key, row)
    if (this.#isLoading) {
      if (this.#waiting.size >= ROWS_PER_TURN) this.flush()
      return
    }
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  /** The row that the collection has of the map, or will have in a moment. */
  #shown(key: string): object | undefined {
    return this.#waiting.get(key) ?? this.#params.collection._state.syncedData.get(key)
  }

  #rowOf(key: string, value: unknown): object | undefined {
    if (!key.startsWith(this.#deps.prefix)) return undefined
    const row = value === undefined ? undefined : this.#deps.form.rowOf(key, value)
    if (value !== undefined && row === undefined) this.#leftOut.add(key)
    else this.#leftOut.delete(key)
    return row
  }
}
