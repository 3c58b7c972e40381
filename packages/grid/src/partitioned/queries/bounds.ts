import { GridError } from '@gossipgrid/core'
import { TimeSlices } from '../../flow/time-slices.ts'
import { queryTooLarge } from '../../queries/checks/invalid-query.ts'

/** Entries that a query of another peer may look at here. */
const LOOKED_MAX = 1_000_000
/** Turns of the event loop that it may take, of 3 ms each. A longer one counts as several. */
const TURNS_MAX = 700
const TURN_MS = 3

/** What a question may cost. */
export interface Bounds {
  readonly slices: TimeSlices
  readonly lookedMax?: number
}

/** What a question of another peer may cost. It ends with `ABORTED` once it is not wanted any more. `turn` resolves when it may go on. */
export function boundsOf({
  isWanted,
  turn,
  turnsMax = TURNS_MAX,
}: {
  readonly isWanted: () => boolean
  readonly turn: () => Promise<void>
  readonly turnsMax?: number
}): Bounds {
  let turns = 0
  const check = (workedMs: number): void => {
    if (!isWanted()) throw new GridError('ABORTED', 'the peer that asked is gone')
    turns += Math.max(1, workedMs / TURN_MS)
    if (turns > turnsMax)
      throw queryTooLarge('turns', 'it takes too long: add an index on a field of where, or of orderBy')
  }
  return { slices: new TimeSlices(check, turn), lookedMax: LOOKED_MAX }
}
