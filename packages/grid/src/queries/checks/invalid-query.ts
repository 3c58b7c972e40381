import { GridError } from '@gossipgrid/core'

/** The error for a fault in a query, at a place such as `where.age.$gt`. */
export function invalidQuery(place: string, fault: string, cause?: unknown): GridError {
  return new GridError('INVALID_QUERY', `${place.slice(0, 200)}: ${fault}`, cause === undefined ? {} : { cause })
}

/** What about a query is too large: the entries that it looks at, the time that it takes, its groups, or the work on one entry. */
export type Excess = 'looked' | 'turns' | 'groups' | 'steps'

const excesses = new WeakMap<GridError, Excess>()

/** The error for a query that costs more than is allowed. */
export function queryTooLarge(excess: Excess, what: string): GridError {
  const error = new GridError('QUERY_TOO_LARGE', what)
  excesses.set(error, excess)
  return error
}

/** What was too large, if that is why a query has failed. */
export function excessOf(error: unknown): Excess | undefined {
  return error instanceof GridError ? excesses.get(error) : undefined
}
