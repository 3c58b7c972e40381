import type { RowWrite } from '../runtime/row-write.ts'
import type { CallOrder } from './call-order.ts'

/** Where the entries go. */
export interface BulkTarget<Entry, Planned> {
  /** What is to be written of an entry. Throws what is wrong with it. */
  plan(entry: Entry): Planned
  sizeBytes(planned: Planned): number
  /** The rows that it takes by now, in pieces that are each written as a whole. */
  pieces(planned: Planned): Iterable<readonly RowWrite[]>
  /** Where other calls may write the same entries: what is called later stands. */
  readonly calls?: CallTarget<Planned>
}

/** Which entries a method that writes many entries writes, in terms of the rows there are. */
export interface CallTarget<Planned> {
  readonly order: CallOrder
  /** The entries are listed when the calls before this one write no more, so that theirs are among them. */
  readonly afterEarlier?: boolean
  /** The slots of the rows of an entry, those of tombstones as well. */
  slotsOf(planned: Planned): readonly number[]
}
