import type { RowWrite } from '../runtime/row-write.ts'
import type { CallOrder } from './call-order.ts'

/** Writes the entries of a bulk call to one collection. */
export interface BulkTarget<Entry, Planned> {
  /** Checks and encodes an entry. Throws if it is not valid. */
  plan(entry: Entry): Planned
  sizeBytes(planned: Planned): number
  /** The rows that the entry takes now, in groups that are each written in one piece. */
  pieces(planned: Planned): Iterable<readonly RowWrite[]>
  /** For collections where other calls may write the same entries: the later call wins. */
  readonly calls?: CallTarget<Planned>
}

/** How a bulk call finds out whether a later call has written an entry. */
export interface CallTarget<Planned> {
  readonly order: CallOrder
  /** List the entries only after all earlier calls have ended, so that theirs are included. */
  readonly afterEarlier?: boolean
  /** The slots of the rows of an entry, tombstones included. */
  slotsOf(planned: Planned): readonly number[]
}
