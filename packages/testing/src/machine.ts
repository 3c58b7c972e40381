import type { Role } from '@gossipgrid/core'
import type { Partitioning } from '@gossipgrid/core/internals'
import type { Random } from './random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

/** What stays the same over all starts of a machine. */
export interface Machine {
  readonly index: number
  readonly disk: SimulatedDisk
  readonly clock: SimulatedClock
  /** False for a machine whose peer keeps everything in memory. */
  readonly persistent: boolean
  /** Whether its peer sends and accepts frames directly to and from neighbours. */
  readonly direct?: boolean
  /** The peer's role; core's default when left out. */
  readonly role?: Role
  /** Its peer takes part in partitioned collections. */
  readonly partitioning?: Partitioning
  readonly random: Random
}
