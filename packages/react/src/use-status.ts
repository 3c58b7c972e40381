import type { GridStanding } from 'gossipgrid'
import { useGrid } from './grid-context.ts'
import { useStore } from './use-store.ts'

const CLOSED: GridStanding = { open: false, online: false, peers: 0, state: 'unknown', behind: 0, ahead: 0 }

/** Whether this peer is connected, and whether it has what others have: for a line in the corner of the page. */
export function useStatus(): GridStanding {
  return useStore(useGrid()?.standing, CLOSED)
}
