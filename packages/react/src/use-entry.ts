import { useCallback, useMemo } from 'react'
import type { Change, GridMap, MapOptions, Receipt, SetOptions } from 'gossipgrid'
import { useGrid } from './grid-context.ts'
import { useStore, withoutGrid } from './use-store.ts'
import type { Store } from './use-store.ts'

/** Writes a value, or deletes the entry with undefined. Resolves and rejects as `set` and `delete` of the map do. */
export type SetEntry<Value> = (value: Value | undefined, options?: SetOptions) => Promise<Receipt | undefined>

/** The map of that name. Undefined while there is no grid. `options` are those of `grid.map`, and count the first time. */
export function useMap<Value>(name: string, options?: MapOptions<Value>): GridMap<Value> | undefined {
  const grid = useGrid()
  return useMemo(() => grid?.map<Value>(name, options), [grid, name])
}

/**
 * The value of one key, and a function that writes it: like `useState`, on all peers. Undefined while there is none. Renders again
 * only when this entry changes.
 */
export function useEntry<Value>(
  name: string,
  key: string,
  options?: MapOptions<Value>,
): readonly [value: Value | undefined, set: SetEntry<Value>] {
  const map = useMap<Value>(name, options)
  const store = useMemo(() => (map === undefined ? undefined : entryStore(map, key)), [map, key])
  const set = useCallback<SetEntry<Value>>(
    (value, setOptions) => {
      if (map === undefined) return Promise.reject(withoutGrid())
      return value === undefined ? map.delete(key, setOptions) : map.set(key, value, setOptions)
    },
    [map, key],
  )
  return [useStore<Value | undefined>(store, undefined), set]
}

/** A value is decoded at each read, so the last one is kept until the entry changes. */
function entryStore<Value>(map: GridMap<Value>, key: string): Store<Value | undefined> {
  let shown = map.peek(key)
  let text = ''
  let listeners = 0
  const read = (): void => {
    const value = map.peek(key)
    const next = same(value)
    if (next !== text || next === '') shown = value
    text = next
  }
  text = same(shown)
  return {
    subscribe(listener) {
      if (listeners++ === 0) read()
      const off = map.on('change', (change: Change<Value>) => {
        if (change.key !== key) return
        read()
        listener()
      })
      return () => {
        listeners -= 1
        off()
      }
    },
    getSnapshot: () => shown,
  }
}

/** A text that is the same for equal values, or '' where JSON cannot tell. */
function same(value: unknown): string {
  try {
    return JSON.stringify(value, (_, part: unknown) => (ArrayBuffer.isView(part) ? fail() : part)) ?? 'undefined'
  } catch {
    return ''
  }
}

function fail(): never {
  throw new TypeError('bytes')
}
