import { Currency, LargestRows, RequestNumbers } from '@gossipgrid/core/internals'
import { replaceMethod } from './replacements.ts'

/** An owner answers at once after a start, or when it meets another owner again. */
function staleAnswers(): () => void {
  return replaceMethod(Currency.prototype, 'isCurrent', () => () => true)
}

/** A former owner answers, though it is not in touch with any owner. */
function formerAnswers(): () => void {
  return replaceMethod(Currency.prototype, 'isInTouch', () => () => true)
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

export type ReadMutantName = 'stale-answers' | 'former-answers' | 'own-writes-unread' | 'numbers-from-one'

/** Planted bugs in reads of partitions. */
export const READ_MUTANTS: Readonly<Record<ReadMutantName, () => () => void>> = {
  'stale-answers': staleAnswers,
  'former-answers': formerAnswers,
  'own-writes-unread': ownWritesUnread,
  'numbers-from-one': numbersFromOne,
}
