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

/** What became of the promise of a grid. */
type Opened = { readonly from: PromiseLike<Grid> } & ({ readonly grid: Grid } | { readonly error: unknown })

/**
 * Gives a grid to the hooks below it. It neither opens nor closes the grid: open it once, in a module. Throws what `openGrid` rejects
 * with while it renders, for the error boundary above it.
 *
 * @example
 * ```ts
 * const opening = openGrid({ name: 'shop' })
 * createElement(GridProvider, { grid: opening }, createElement(App))
 * ```
 */
export function GridProvider({ grid, children }: GridProviderProps): ReactElement {
  const [opened, setOpened] = useState<Opened>()
  const promise = grid !== undefined && 'then' in grid ? grid : undefined
  useEffect(() => {
    let isWanted = promise !== undefined
    promise?.then(
      (each) => isWanted && setOpened({ from: promise, grid: each }),
      (error: unknown) => isWanted && setOpened({ from: promise, error }),
    )
    return () => {
      isWanted = false
    }
  }, [promise])
  const result = opened?.from === promise ? opened : undefined
  // An error boundary shows it. Without one, React logs it: otherwise the page would wait for ever, without a word.
  if (result !== undefined && 'error' in result) throw result.error
  const value = promise === undefined ? (grid as Grid | undefined) : result?.grid
  return createElement(GridContext.Provider, { value }, children)
}

/** The grid of the nearest provider. Undefined while there is none: on a server, and until it is open. */
export function useGrid(): Grid | undefined {
  return useContext(GridContext)
}
