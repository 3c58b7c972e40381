import type { Spend } from '../ordering/spend.ts'
import { queryTooLarge } from './checks/invalid-query.ts'

/** Steps that testing one entry may take, besides those for its bytes. An element of an array that meets one part of the condition is a step. */
const ENTRY_STEPS_MAX = 500_000
/** Each byte may be an element, and so two parts of a condition can meet any array. */
const STEPS_PER_BYTE = 2

/**
 * What it takes to test one entry. The time of a query is bounded between entries, where it lets others have their turn. A condition of
 * thousands of parts on an array of thousands of elements would go on for minutes without such a place.
 */
export class Effort {
  #steps = 0
  #stepsMax = ENTRY_STEPS_MAX

  /** Steps since the last `begin`. */
  get steps(): number {
    return this.#steps
  }

  /** Goes on to the next entry. */
  begin(entryBytes: number): void {
    this.#steps = 0
    this.#stepsMax = ENTRY_STEPS_MAX + STEPS_PER_BYTE * entryBytes
  }

  /** Throws `QUERY_TOO_LARGE`. */
  readonly spend: Spend = (steps) => {
    this.#steps += steps
    if (this.#steps > this.#stepsMax)
      throw queryTooLarge(
        'steps',
        'an entry has an array or object too long for a condition of so many parts: ask with fewer of them, or with $in',
      )
  }
}
