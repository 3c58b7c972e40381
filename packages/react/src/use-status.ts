import { useMemo } from 'react'
import type { ConvergenceState, Grid } from 'gossipgrid'
import { useGrid } from './grid-context.ts'
import { useStore } from './use-store.ts'
import type { Store } from './use-store.ts'

/** How this peer stands with others. The same object until something in it changes. */
export interface GridStanding {
  /** There is a grid, and it is open. */
  readonly open: boolean
  /** False between `grid.disconnect()` and `grid.connect()`. */
  readonly online: boolean
  /** Neighbours. */
  readonly peers: number
  /** See `ConvergenceState`. */
  readonly state: ConvergenceState
  /** Writes that this peer lacks, as far as is known. */
  readonly behind: number
  /** Writes of this peer that another one lacks, as far as is known. */
  readonly ahead: number
}

const CLOSED: GridStanding = { open: false, online: false, peers: 0, state: 'unknown', behind: 0, ahead: 0 }

/** Whether this peer is connected, and whether it has what others have: for a line in the corner of the page. */
export function useStatus(): GridStanding {
  const grid = useGrid()
  const store = useMemo(() => (grid === undefined ? undefined : standingOf(grid)), [grid])
  return useStore(store, CLOSED)
}

function standingOf(grid: Grid): Store<GridStanding> {
  let shown = read(grid)
  const isNew = (): boolean => {
    const next = read(grid)
    const names = Object.keys(next) as (keyof GridStanding)[]
    if (names.every((name) => next[name] === shown[name])) return false
    shown = next
    return true
  }
  return {
    subscribe(listener) {
      const changed = (): void => {
        if (isNew()) listener()
      }
      const closed = (): void => {
        shown = { ...CLOSED, state: shown.state }
        listener()
      }
      const ends = [grid.on('convergence', changed), grid.on('connection', changed), grid.on('close', closed)]
      // What has changed between the first rendering and now.
      changed()
      return () => {
        for (const end of ends) end()
      }
    },
    getSnapshot: () => shown,
  }
}

function read(grid: Grid): GridStanding {
  const { state, online, neighbours, worst } = grid.status().convergence
  const writes = worst?.writes ?? 0
  return {
    ...{ open: true, online, peers: neighbours, state },
    behind: state === 'behind' ? writes : 0,
    ahead: state === 'ahead' ? writes : 0,
  }
}
