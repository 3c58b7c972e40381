import { Answering, Currency, LargestRows, RequestNumbers } from '@gossipgrid/core/internals'
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

/** A peer answers whatever registration of the collection the question means. */
function anyRegistration(): () => void {
  return replaceMethod(Answering.prototype, 'asked', (original) => {
    return function asked(this: Answering, from, { items, ...rest }, onward, now): void {
      const bare = items.map((item) => {
        const { origin: _, ...left } = item
        return left as typeof item
      })
      original.call(this, from, { items: bare, ...rest } as never, onward as never, now)
    }
  })
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

export type ReadMutantName =
  | 'stale-answers'
  | 'former-answers'
  | 'own-writes-unread'
  | 'any-registration'
  | 'numbers-from-one'

/** Planted bugs in reads of partitions. */
export const READ_MUTANTS: Readonly<Record<ReadMutantName, () => () => void>> = {
  'stale-answers': staleAnswers,
  'former-answers': formerAnswers,
  'own-writes-unread': ownWritesUnread,
  'any-registration': anyRegistration,
  'numbers-from-one': numbersFromOne,
}
