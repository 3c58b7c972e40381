import {
  Answering,
  Currency,
  LargestRows,
  PartitionAccess,
  RepairingReads,
  Rendezvous,
  RequestNumbers,
} from '@gossipgrid/core/internals'
import type { PartitionName, Row } from '@gossipgrid/core'
import { replaceMethod } from './replacements.ts'

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

export type ReadMutantName =
  | 'stale-answers'
  | 'former-answers'
  | 'own-writes-unread'
  | 'numbers-from-one'
  | 'repair-as-write'

/** Planted bugs in reads of partitions. */
export const READ_MUTANTS: Readonly<Record<ReadMutantName, () => () => void>> = {
  'stale-answers': staleAnswers,
  'former-answers': formerAnswers,
  'own-writes-unread': ownWritesUnread,
  'numbers-from-one': numbersFromOne,
  'repair-as-write': repairAsWrite,
}
