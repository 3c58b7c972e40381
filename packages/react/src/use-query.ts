import { useMemo } from 'react'
import type { FieldName, GridMap, LiveQuery, PartitionedMap, Query, QueryRow, RowValue } from 'gossipgrid'
import { useGrid } from './grid-context.ts'
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
 *
 * `map` is a map, as `useMap` gives it, or the name of a replicated one. With a map, the rows of a query with `select` have the type of
 * what is selected; with a name, the names of the fields have to be said once more: `useQuery<Task, 'title'>('tasks', { select: 'title' })`.
 */
export function useQuery<Value, Names extends FieldName<Value> = never>(
  map: GridMap<Value> | PartitionedMap<Value> | string | undefined,
  query: Omit<Query<Value, Names>, 'after'> = {},
  { suspense = false }: { readonly suspense?: boolean } = {},
): QueryState<RowValue<Value, Names>> {
  const grid = useGrid()
  const queried = useMemo(() => (typeof map === 'string' ? grid?.map<Value>(map) : map), [grid, map])
  const text = textOf(query)
  const store = useMemo(
    () => (queried === undefined ? undefined : storeOf<Value, Names>(queried as GridMap<Value>, query, text)),
    [queried, text],
  )
  const state = useStore<QueryState<RowValue<Value, Names>>>(store, EMPTY)
  if (suspense && store !== undefined && isBrowser() && store.isNew) throw suspended(store.found())
  return state
}

/** A component is suspended by throwing a promise, which React 18 and 19 take. */
function suspended(found: Promise<unknown>): Error {
  return found as unknown as Error
}

/** The stores of a map, by query: components with the same query share one, also while they are suspended. */
const stores = new WeakMap<object, Map<string, LiveStore<never>>>()

function storeOf<Value, Names extends FieldName<Value>>(
  map: GridMap<Value>,
  query: Omit<Query<Value, Names>, 'after'>,
  text: string,
): LiveStore<RowValue<Value, Names>> {
  const known = stores.get(map) ?? new Map<string, LiveStore<never>>()
  stores.set(map, known)
  const open = known.get(text) as LiveStore<RowValue<Value, Names>> | undefined
  if (open !== undefined) return open
  const store = new LiveStore<RowValue<Value, Names>>(
    () => map.live<Names>(query),
    () => {
      if (known.get(text) === (store as never)) known.delete(text)
    },
  )
  known.set(text, store as never)
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
        const { complete } = live
        if (this.#state.ready && rows === this.#state.rows && complete === this.#state.complete) return
        this.#show({ rows, ready: true, complete, error: undefined })
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

/** A text that differs for queries that differ. No query can have a field `$`, so what JSON has no form for is marked with it. */
function textOf(query: unknown): string {
  const form = function (this: Readonly<Record<string, unknown>>, name: string): unknown {
    // What `toJSON` makes of it is not asked for.
    const own = this[name]
    if (own instanceof Date) return { $: 'date', of: own.getTime() }
    if (ArrayBuffer.isView(own)) return { $: 'bytes', of: Array.from(own as Uint8Array) }
    const isPlain = typeof own === 'object' ? isPlainOrNone(own) : typeof own === 'string' || typeof own === 'boolean'
    return isPlain || (typeof own === 'number' && Number.isFinite(own)) ? own : { $: typeof own, of: String(own) }
  }
  try {
    return JSON.stringify(query, form)
  } catch {
    // A query with a circle is one fault, which `live` reports.
    return 'circular'
  }
}

function isPlainOrNone(value: object | null): boolean {
  const prototype: unknown = value === null || Array.isArray(value) ? null : Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
