import { useMemo } from 'react'
import type { GridMap, LiveQuery, Query, QueryRow } from 'gossipgrid'
import { useMap } from './use-entry.ts'
import { useStore } from './use-store.ts'
import type { Store } from './use-store.ts'

/** What a query shows. The same object until something in it changes. */
export interface QueryState<Value> {
  /** The entries that match, in order. */
  readonly rows: readonly QueryRow<Value>[]
  /** The rows are those of the map. False on a server, and until they are found for the first time. */
  readonly ready: boolean
  /** As in `map.query`. */
  readonly complete: boolean
  /** Why there are no rows, such as `INVALID_QUERY`. */
  readonly error: Error | undefined
}

const EMPTY: QueryState<never> = { rows: [], ready: false, complete: false, error: undefined }

/** On a server nothing would render the component again. */
const isBrowser = (): boolean => typeof document !== 'undefined'
/** How long a query that suspended its component lives without one, in milliseconds. */
const KEPT_MS = 5000

/**
 * The rows of a live query: see `map.live`. The query may be written in place: a new one begins only if what it says changes.
 * With `suspense`, the component is suspended until there are rows; it needs a grid then.
 */
export function useQuery<Value>(
  name: string,
  query: Omit<Query<Value, never>, 'after'> = {},
  { suspense = false }: { readonly suspense?: boolean } = {},
): QueryState<Value> {
  const map = useMap<Value>(name)
  const text = textOf(query)
  const store = useMemo(() => (map === undefined ? undefined : storeOf(map, query, text)), [map, text])
  const state = useStore<QueryState<Value>>(store, EMPTY)
  if (suspense && store !== undefined && isBrowser() && store.isNew) throw suspended(store.found())
  return state
}

/** A component is suspended by throwing a promise, which React 18 and 19 take. */
function suspended(found: Promise<unknown>): Error {
  return found as unknown as Error
}

/** The stores of a map, by query: components with the same query share one, also while they are suspended. */
const stores = new WeakMap<object, Map<string, LiveStore<never>>>()

function storeOf<Value>(map: GridMap<Value>, query: Query<Value, never>, text: string): LiveStore<Value> {
  const known = stores.get(map) ?? new Map<string, LiveStore<never>>()
  stores.set(map, known)
  let store = known.get(text) as LiveStore<Value> | undefined
  if (store === undefined) {
    store = new LiveStore<Value>(
      () => map.live<never>(query),
      () => known.delete(text),
    )
    known.set(text, store as never)
  }
  return store
}

/** Runs a live query while there are listeners. */
class LiveStore<Value> implements Store<QueryState<Value>> {
  readonly #open: () => Promise<LiveQuery<Value>>
  readonly #forget: () => void
  readonly #listeners = new Set<() => void>()
  #state: QueryState<Value> = EMPTY
  #live: Promise<LiveQuery<Value> | undefined> | undefined

  constructor(open: () => Promise<LiveQuery<Value>>, forget: () => void) {
    this.#open = open
    this.#forget = forget
  }

  /** There is no result yet. */
  get isNew(): boolean {
    return !this.#state.ready && this.#state.error === undefined
  }

  readonly getSnapshot = (): QueryState<Value> => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    void this.found()
    return () => {
      this.#listeners.delete(listener)
      // Strict mode unsubscribes and subscribes again, and so does a component that gets another key.
      if (this.#listeners.size === 0) setTimeout(() => this.#end(), 0)
    }
  }

  /** Resolves when there are rows, or an error. */
  found(): Promise<unknown> {
    if (this.#live === undefined) {
      this.#live = this.#begin()
      setTimeout(() => this.#end(), KEPT_MS)
    }
    return this.#live
  }

  async #begin(): Promise<LiveQuery<Value> | undefined> {
    try {
      const live = await this.#open()
      const show = (): void => {
        const rows = live.getSnapshot()
        if (rows === this.#state.rows && this.#state.ready) return
        this.#show({ rows, ready: true, complete: live.complete, error: undefined })
      }
      live.subscribe(show)
      show()
      return live
    } catch (error) {
      this.#show({ ...EMPTY, error: error as Error })
      return undefined
    }
  }

  #show(state: QueryState<Value>): void {
    this.#state = state
    for (const listener of [...this.#listeners]) listener()
  }

  #end(): void {
    if (this.#listeners.size > 0 || this.#live === undefined) return
    const ending = this.#live
    this.#live = undefined
    this.#state = EMPTY
    this.#forget()
    void ending.then((live) => live?.close())
  }
}

/** A text that differs for queries that differ. */
function textOf(query: unknown): string {
  return JSON.stringify(query, function (this: Readonly<Record<string, unknown>>, name, value: unknown) {
    const own = this[name]
    if (typeof own === 'bigint') return ['bigint', String(own)]
    if (own instanceof Date) return ['date', own.getTime()]
    if (ArrayBuffer.isView(own)) return ['bytes', ...(own as Uint8Array)]
    return typeof own === 'number' && !Number.isFinite(own) ? ['number', String(own)] : value
  })
}
