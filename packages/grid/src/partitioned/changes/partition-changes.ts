import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { SIGNAL_OPTION, checkKind } from '../../batches/checks.ts'
import { checkSignal } from '../../runtime/waiting.ts'

/** Whether a result that spans partitions has all of them. */
export interface Coverage {
  /** Every partition was answered for. */
  readonly complete: boolean
  /** The partitions that no owner answered for in time, from 0. */
  readonly unanswered: readonly number[]
}

/** A change of an entry of a partitioned map. A plain object that only this reader has. */
export interface PartitionChange<Value> {
  /**
   * `reset`: deletes of long ago are not known any more, so what the reader has of this partition is void; the entries that are there
   * follow, as `set` changes. Only with `since`, and after weeks.
   */
  readonly type: 'set' | 'delete' | 'reset'
  /** '' for a reset. */
  readonly key: string
  /** Undefined unless set. */
  readonly value: Value | undefined
  /** When the entry expires; undefined for never. A `delete` comes then. */
  readonly expiresAt: Date | undefined
  /** This peer wrote it. */
  readonly local: boolean
  /** The peer that wrote it, where that is known. */
  readonly by: string | undefined
  /** The subject of the guest that wrote it, for which that peer vouches. Only there where a guest did, and another than this one. */
  readonly subject?: string
  /** When it was written, or when it expired. Undefined for a reset. */
  readonly at: Date | undefined
  /** The partition of the key, from 0. */
  readonly partition: number
}

/** A change with the place in all changes that it has led to. */
export interface PartitionWatched {
  /** What to pass as `since`, later or at another peer, to go on after this change. Undefined while more changes wait. */
  readonly cursor: string | undefined
}

/** Which changes of a partitioned map to follow. */
export interface PartitionChangesOptions {
  /** Only this key. */
  readonly key?: string
  /** Only keys that start with this text. One that has a whole tag, as `{42}`, is followed in one partition only. */
  readonly prefix?: string
  /** Start with the current entries, as `set` changes. */
  readonly initial?: boolean
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
}

/** Which changes of a partitioned map to watch, and from where on. */
export interface PartitionWatchOptions {
  /** As in `PartitionChangesOptions`. */
  readonly prefix?: string
  /** The `cursor` of a change, of this peer or another one: goes on after it. Without it, the current entries come first. */
  readonly since?: string | undefined
  /** Ends the loop with `ABORTED`. */
  readonly signal?: AbortSignal
}

/** A loop over changes. `complete` and `unanswered` say from which partitions nothing has come yet, because no owner has answered. */
export interface PartitionFeed<Shown> extends AsyncIterableIterator<Shown, void, undefined>, Coverage {}

const CHANGES_OPTIONS: Known<PartitionChangesOptions> = { ...SIGNAL_OPTION, key: true, prefix: true, initial: true }
const WATCH_OPTIONS: Known<PartitionWatchOptions> = { ...SIGNAL_OPTION, prefix: true, since: true }

/** Throws `INVALID_OPTION`. */
export function checkChanges(options: PartitionChangesOptions): void {
  checkKnown(options, CHANGES_OPTIONS)
  checkKind('key', options.key, 'text')
  checkKind('prefix', options.prefix, 'text')
  checkKind('initial', options.initial, 'boolean')
  checkSignal(options.signal)
  if (options.key !== undefined && options.prefix !== undefined)
    throw new GridError('INVALID_OPTION', 'pass key or prefix, not both')
}

/** Throws `INVALID_OPTION`. */
export function checkWatch(options: PartitionWatchOptions): void {
  checkKnown(options, WATCH_OPTIONS)
  checkKind('prefix', options.prefix, 'text')
  checkSignal(options.signal)
}
