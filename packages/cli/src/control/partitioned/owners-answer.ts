import type { OwnerState } from 'gossipgrid'

/** The owners of a key of a partitioned collection, the first choice first. */
export interface OwnersAnswer {
  readonly collection: string
  readonly key: string
  readonly owners: readonly (OwnerState & {
    /** The peer that answers is it, or has a connection to it. */
    readonly connected: boolean
  })[]
}
