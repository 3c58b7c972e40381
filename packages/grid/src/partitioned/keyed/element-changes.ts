import { checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { SIGNAL_OPTION } from '../../batches/checks.ts'
import { checkChanges } from '../changes/partition-changes.ts'
import type { PartitionChange, PartitionChangesOptions, PartitionWatched } from '../changes/partition-changes.ts'

/** Which changes of a partitioned set to follow. */
export interface PartitionElementChangesOptions extends Pick<PartitionChangesOptions, 'signal'> {
  /** Start with the current elements, as `add` changes. */
  readonly initial?: boolean
}

const ELEMENT_CHANGES: Known<PartitionElementChangesOptions> = { ...SIGNAL_OPTION, initial: true }

/** A change of a partitioned set. A plain object that only this reader has. */
export interface PartitionElementChange<Element> extends Pick<
  PartitionChange<unknown>,
  'local' | 'by' | 'at' | 'partition'
> {
  /**
   * `reset`: deletes of long ago are not known any more, so what the reader has of this partition is void; the elements that are there
   * follow, as `add` changes. Only with `since`, and after weeks. An `add` may come again for an element that the reader has.
   */
  readonly type: 'add' | 'delete' | 'reset'
  /** Undefined for a reset. */
  readonly element: Element | undefined
}

/** A change of sets under keys. */
export interface PartitionKeyElementChange<Element> extends PartitionElementChange<Element> {
  /** '' for a reset. */
  readonly key: string
}

/** Throws `INVALID_OPTION`. */
export function checkElementChanges(options: PartitionElementChangesOptions): void {
  checkKnown(options, ELEMENT_CHANGES)
  checkChanges(options)
}

/** The change of an element, with what `named` says of its text. */
export function elementChange<Named extends object>(
  change: PartitionChange<boolean> & PartitionWatched,
  named: (text: string) => Named,
): Named & Omit<PartitionElementChange<never>, 'element'> & PartitionWatched {
  const { at, by, key, local, partition, type } = change
  const shown = { type: type === 'set' ? 'add' : type, ...named(key), local, by, at, partition } as const
  const cursor = { get: () => change.cursor, enumerable: true, configurable: true }
  return Object.defineProperty(shown, 'cursor', cursor) as typeof shown & PartitionWatched
}
