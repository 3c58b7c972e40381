import { shown } from '@gossipgrid/core'
import { checkBareName } from './check-name.ts'
import { invalidQuery } from './invalid-query.ts'

const INDEX_PATHS_MAX = 8

/** The fields of an index, in order. Throws `INVALID_QUERY`. */
export function checkIndexNames(names: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(names) ? names : [names]
  if (list.length === 0 || list.length > INDEX_PATHS_MAX)
    throw invalidQuery('index', `the names of 1 to ${INDEX_PATHS_MAX} fields, not ${shown(names)}`)
  for (const name of list) checkBareName(name, 'index')
  if (new Set(list).size < list.length) throw invalidQuery('index', 'it has one field twice')
  return list as readonly string[]
}
