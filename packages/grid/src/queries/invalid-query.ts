import { GridError } from '@gossipgrid/core'

/** The error for a fault in a query, at a place such as `where.age.$gt`. */
export function invalidQuery(place: string, fault: string, cause?: unknown): GridError {
  return new GridError('INVALID_QUERY', `${place.slice(0, 200)}: ${fault}`, cause === undefined ? {} : { cause })
}

/** The error for a query that costs more than is allowed. */
export function queryTooLarge(what: string): GridError {
  return new GridError('QUERY_TOO_LARGE', what)
}
