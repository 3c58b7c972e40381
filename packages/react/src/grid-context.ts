import { createContext, createElement, useContext, useEffect, useState } from 'react'
import type { ReactElement, ReactNode } from 'react'
import type { Grid } from 'gossipgrid'

const GridContext = createContext<Grid | undefined>(undefined)

/** What a provider is given. */
export interface GridProviderProps {
  /** The grid, or the promise of `openGrid`. Undefined on a server, and as long as there is none: hooks are empty then. */
  readonly grid: Grid | PromiseLike<Grid> | undefined
  /** The components that use the grid. */
  readonly children?: ReactNode
}

/**
 * Gives a grid to the hooks below it. It neither opens nor closes the grid: open it once, in a module.
 *
 * @example
 * ```ts
 * const opening = openGrid({ name: 'shop' })
 * createElement(GridProvider, { grid: opening }, createElement(App))
 * ```
 */
export function GridProvider({ grid, children }: GridProviderProps): ReactElement {
  const [opened, setOpened] = useState<{ readonly from: PromiseLike<Grid>; readonly grid: Grid }>()
  const promise = grid !== undefined && 'then' in grid ? grid : undefined
  useEffect(() => {
    let isWanted = promise !== undefined
    // Its error belongs to the code that opened the grid, which has the promise too.
    promise?.then(
      (each) => isWanted && setOpened({ from: promise, grid: each }),
      () => undefined,
    )
    return () => {
      isWanted = false
    }
  }, [promise])
  const value = promise === undefined ? (grid as Grid | undefined) : opened?.from === promise ? opened.grid : undefined
  return createElement(GridContext.Provider, { value }, children)
}

/** The grid of the nearest provider. Undefined while there is none: on a server, and until it is open. */
export function useGrid(): Grid | undefined {
  return useContext(GridContext)
}
