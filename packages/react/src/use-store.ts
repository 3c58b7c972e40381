import { useCallback, useSyncExternalStore } from 'react'

/** What a hook shows: a collection, a live query. */
export interface Store<Shown> {
  subscribe(listener: () => void): () => void
  getSnapshot(): Shown
}

const nothing = (): void => undefined

/** What a store shows, or `empty` without one and on a server. `empty` must be the same at every call. */
export function useStore<Shown>(store: Store<Shown> | undefined, empty: Shown): Shown {
  const subscribe = useCallback((listener: () => void) => store?.subscribe(listener) ?? nothing, [store])
  const read = (): Shown => (store === undefined ? empty : store.getSnapshot())
  return useSyncExternalStore(subscribe, read, () => empty)
}

/** The error of a call before there is a grid: the write would be lost. */
export function withoutGrid(): Error {
  return new Error('there is no grid yet: wait until useGrid() gives one')
}
