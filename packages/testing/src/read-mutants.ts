import {
  Answering,
  Currency,
  LargestRows,
  OwnShares,
  PartitionAccess,
  RepairingReads,
  Rendezvous,
  RequestNumbers,
} from '@gossipgrid/core/internals'
import { compositeKey, readShare } from '@gossipgrid/core'
import type { OwnShare, PartitionName, Row, Share } from '@gossipgrid/core'
import { codeOf } from './simulated-collection.ts'
import { replaceMethod } from './replacements.ts'

const COUNTERS_KIND = codeOf('counters')

/** An owner answers at once after a start, or when it meets another owner again. */
function staleAnswers(): () => void {
  return replaceMethod(Currency.prototype, 'isCurrent', () => () => true)
}

/** A former owner answers from its copy, though owners have the partition and it is not in touch with them. */
function formerAnswers(): () => void {
  const restoreTouch = replaceMethod(Currency.prototype, 'isInTouch', () => () => true)
  const restoreAnswering = replaceMethod(Answering.prototype, 'mayAnswer', (original) => {
    return function mayAnswer(this: Answering, ...args: Parameters<Answering['mayAnswer']>): boolean {
      const restore = replaceMethod(Rendezvous.prototype, 'wholeHolders', () => () => [])
      try {
        return original.apply(this, args)
      } finally {
        restore()
      }
    }
  })
  return () => {
    restoreAnswering()
    restoreTouch()
  }
}

/** A reader takes what others found for all there is: what it wrote itself and no owner has is left out. */
function ownWritesUnread(): () => void {
  return replaceMethod(LargestRows.prototype, 'of', () => (_, found) => [...found])
}

/** Each life of a peer numbers its questions from one. */
function numbersFromOne(): () => void {
  const lasts = new WeakMap<RequestNumbers, number>()
  return replaceMethod(RequestNumbers.prototype, 'next', () => {
    return function next(this: RequestNumbers): number {
      const number = (lasts.get(this) ?? 0) + 1
      lasts.set(this, number)
      return number
    }
  })
}

/** A reader that has found owners behind writes again what it has found. */
function repairAsWrite(): () => void {
  let found: { readonly name: PartitionName; readonly row: Readonly<Row> }[] = []
  const restoreMend = replaceMethod(RepairingReads.prototype, 'mend', () => (_, name, rows) => {
    for (const row of rows) found.push({ name, row })
  })
  const restoreRead = replaceMethod(PartitionAccess.prototype, 'readAll', (original) => {
    return function readAll(
      this: PartitionAccess,
      ...[key, now, done, options]: Parameters<PartitionAccess['readAll']>
    ): void {
      const written: typeof done = (read) => {
        const repaired = found
        found = []
        for (const { name, row } of repaired) {
          const { bytes, start, end } = row
          this.write(name, row.key, bytes?.slice(start, end), now)
        }
        done(read)
      }
      original.call(this, key, now, written, options)
    }
  })
  return () => {
    restoreRead()
    restoreMend()
  }
}

/** A peer goes on counting from what an owner says that its slot has counted. */
function shareFromRead(): () => void {
  /** What owners have last said of slots, by the keys of their rows. */
  const said = new Map<string, Share>()
  const restoreFound = replaceMethod(LargestRows.prototype, 'of', (original) => {
    return function of(this: LargestRows, ...[key, found]: Parameters<LargestRows['of']>) {
      if (key.name.kind === COUNTERS_KIND)
        for (const { bytes, end, key: rowKey, start } of found) said.set(rowKey, readShare(bytes?.subarray(start, end)))
      return original.call(this, key, found)
    }
  })
  const restoreShares = replaceMethod(OwnShares.prototype, 'of', (original) => {
    return function of(this: OwnShares, ...[key, nowMs]: Parameters<OwnShares['of']>): OwnShare {
      const own = original.call(this, key, nowMs)
      return { ...own, share: said.get(compositeKey(key, own.slot)) ?? own.share }
    }
  })
  return () => {
    restoreShares()
    restoreFound()
  }
}

/** A remove from a set is dated when it is made, and so wins over every add before it. */
function removeByDate(): () => void {
  return replaceMethod(PartitionAccess.prototype, 'write', (original) => {
    return function write(
      this: PartitionAccess,
      ...[name, key, value, now]: Parameters<PartitionAccess['write']>
    ): ReturnType<PartitionAccess['write']> {
      return original.call(this, name, key, value, now)
    }
  })
}

export type ReadMutantName =
  | 'stale-answers'
  | 'former-answers'
  | 'own-writes-unread'
  | 'numbers-from-one'
  | 'repair-as-write'
  | 'share-from-read'
  | 'remove-by-date'

/** Planted bugs in reads of partitions. */
export const READ_MUTANTS: Readonly<Record<ReadMutantName, () => () => void>> = {
  'stale-answers': staleAnswers,
  'former-answers': formerAnswers,
  'own-writes-unread': ownWritesUnread,
  'numbers-from-one': numbersFromOne,
  'repair-as-write': repairAsWrite,
  'share-from-read': shareFromRead,
  'remove-by-date': removeByDate,
}
