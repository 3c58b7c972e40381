import { GridError, checkKnown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { TIMEOUT_MAX_MS, checkCount, checkKind } from '../batches/checks.ts'
import { GridMap } from '../maps/grid-map.ts'
import { PartitionedMap } from '../partitioned/partitioned-map.ts'
import { checkAborted, checkSignal } from '../runtime/waiting.ts'

/** How far a copy is. */
export interface CopyProgress {
  /** Entries that were written to the other map. */
  readonly copied: number
  /** Entries that it had already, as they are or with later writes. */
  readonly same: number
}

/** Options of `copyCollection`. */
export interface CopyOptions {
  /** Called after each slice of entries. */
  readonly onProgress?: (progress: CopyProgress) => void
  /** How long owners of partitions may take to answer, or to take writes, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
  /** Ends the copying with `ABORTED`. What was copied stays. */
  readonly signal?: AbortSignal
}

/** A map that can be copied. */
export type CopiedMap<Value> = GridMap<Value> | PartitionedMap<Value>

const COPY_OPTIONS: Known<CopyOptions> = { onProgress: true, timeoutMs: true, signal: true }

/**
 * Copies all entries of a map into another one: from a replicated map into a partitioned one, back, or into one with another number of
 * partitions. Entries keep the dates of their writes, so a later write in the other map stays, and so does a later delete. Run it again
 * to go on after it was interrupted, or to take over what was written meanwhile: only what differs is written. Deletes are taken
 * over as long as they are remembered, for 14 days.
 *
 * Rejects with `INVALID_OPTION` (not two maps with the same `merge`), `OWNERS_UNREACHABLE` at the end if partitions were not answered
 * for, and as `setMany` does, with the entries before that copied.
 *
 * @example
 * ```ts
 * import { copyCollection, openGrid } from 'gossipgrid'
 *
 * const grid = await openGrid({ name: 'shop' })
 * const small = grid.map<number>('stock')
 * const large = grid.map<number>('stock of all shops', { mode: 'partitioned' })
 * const { copied, same } = await copyCollection(small, large, { onProgress: ({ copied }) => console.log(copied) })
 * await grid.close()
 * ```
 */
export async function copyCollection<Value>(
  from: CopiedMap<Value>,
  to: CopiedMap<Value>,
  options: CopyOptions = {},
): Promise<CopyProgress> {
  checkKnown(options, COPY_OPTIONS)
  checkKind('onProgress', options.onProgress, 'function')
  checkCount('timeoutMs', options.timeoutMs, 1, TIMEOUT_MAX_MS)
  checkSignal(options.signal)
  checkAborted(options.signal)
  const [source, target] = [await copiedOf(from), await copiedOf(to)]
  if ((from as unknown) === to) throw new GridError('INVALID_OPTION', 'a map cannot be copied into itself')
  const { copyRows, kindOf } = await import('./copy-rows.ts')
  if (kindOf(source) !== kindOf(target))
    throw new GridError('INVALID_OPTION', `'${from.name}' and '${to.name}' do not have the same merge`)
  return copyRows(source, target, options)
}

type Copied = GridMap<unknown>['asCopied'] | Awaited<ReturnType<PartitionedMap<unknown>['asCopied']>>

async function copiedOf(map: unknown): Promise<Copied> {
  if (map instanceof PartitionedMap) return map.asCopied()
  if (map instanceof GridMap) return map.asCopied
  throw new GridError('INVALID_OPTION', 'only maps can be copied: those of grid.map')
}
