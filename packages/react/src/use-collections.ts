import { useCallback, useEffect, useMemo, useState } from 'react'
import type { GridDocument, GridPresence, GridSet, Receipt } from 'gossipgrid'
import { useGrid } from './grid-context.ts'
import { useStore, withoutGrid } from './use-store.ts'

const NONE: readonly never[] = []

/** The value of a counter, and a function that adds to it, or subtracts with a number below zero. */
export function useCounter(name: string): readonly [value: number, add: (by?: number) => Promise<Receipt>] {
  const grid = useGrid()
  const counter = useMemo(() => grid?.counter(name), [grid, name])
  const add = useCallback(
    (by = 1) => {
      if (counter === undefined) return Promise.reject(withoutGrid())
      return by < 0 ? counter.decrement(-by) : counter.increment(by)
    },
    [counter],
  )
  return [useStore(counter, 0), add]
}

/** The elements of a set, and the set itself to add and delete with. Undefined while there is no grid. */
export function useSet<Element>(
  name: string,
): readonly [elements: readonly Element[], set: GridSet<Element> | undefined] {
  const grid = useGrid()
  const set = useMemo(() => grid?.set<Element>(name), [grid, name])
  return [useStore<readonly Element[]>(set, NONE), set]
}

/** The states of all peers that have one, this peer first, and a function that sets that of this peer. */
export function usePresence<State>(): readonly [
  states: readonly (readonly [peerId: string, state: State])[],
  set: (state: State | null) => void,
] {
  const grid = useGrid()
  const presence: GridPresence<State> | undefined = useMemo(() => grid?.presence<State>(), [grid])
  const set = useCallback((state: State | null) => presence?.set(state), [presence])
  return [useStore<readonly (readonly [string, State])[]>(presence, NONE), set]
}

interface Opened {
  readonly name: string
  readonly document?: GridDocument
  readonly error?: Error
}

/**
 * An open Yjs document, for an editor. Undefined until it is open; then the error says why, if it cannot be opened. It is closed when
 * the component goes.
 */
export function useDoc(name: string): readonly [document: GridDocument | undefined, error: Error | undefined] {
  const grid = useGrid()
  const [opened, setOpened] = useState<Opened>()
  useEffect(() => {
    let isWanted = true
    const show = (next: Opened): void => {
      if (isWanted) setOpened(next)
    }
    const opening = grid?.doc(name)
    opening?.then(
      (document) => show({ name, document }),
      (error: unknown) => show({ name, error: error as Error }),
    )
    return () => {
      isWanted = false
      setOpened(undefined)
      opening?.then((document) => document.close()).catch(() => undefined)
    }
  }, [grid, name])
  return opened?.name === name ? [opened.document, opened.error] : [undefined, undefined]
}
