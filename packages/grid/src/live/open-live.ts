import type { Logger } from '../logger.ts'
import { checkQuery } from '../queries/check-query.ts'
import type { CheckedQuery } from '../queries/check-query.ts'
import { invalidQuery } from '../queries/checks/invalid-query.ts'
import { LiveQuery } from './live-query.ts'
import type { LiveQueryDeps } from './live-query.ts'

/** See `GridMap.live`. */
export function openLive<Value>(
  deps: Omit<LiveQueryDeps, 'logger'>,
  logger: Logger,
  query: unknown,
): Promise<LiveQuery<Value>> {
  return LiveQuery.open<Value>({ ...deps, logger }, checkLive(query))
}

/** Throws `INVALID_QUERY`. */
export function checkLive(query: unknown): CheckedQuery {
  const checked = checkQuery(query)
  if (checked.after !== undefined)
    throw invalidQuery('after', 'a live query has no pages: it has the first rows of all')
  return checked
}
