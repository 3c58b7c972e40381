import { GridError, KEY_MAX_BYTES, checkCollectionName, checkKnown, shown } from '@gossipgrid/core'
import type { Known } from '@gossipgrid/core'
import { checkWord, misfit } from '../batches/checks.ts'
import { GRANTS_MAX } from './guest-limits.ts'

/** What a pass allows: to read, or to read and write, the entries of a replicated map, all or those whose keys begin with a text. */
export interface Grant {
  /** The name of a replicated map, of whole values or of fields. */
  readonly map: string
  /** Only keys that begin with this text. Default: all keys. */
  readonly prefix?: string
  /** `write` includes `read`. */
  readonly may: 'read' | 'write'
}

const GRANT: Known<Grant> = { map: true, prefix: true, may: true }

/** Throws `INVALID_OPTION`, `INVALID_NAME`. Returns the grants without what else the objects have. */
export function checkGrants(grants: unknown): readonly Grant[] {
  if (!Array.isArray(grants)) throw misfit('grants', 'an array of { map, prefix, may }', grants)
  if (grants.length === 0 || grants.length > GRANTS_MAX)
    throw new GridError('INVALID_OPTION', `grants are 1 to ${GRANTS_MAX}, not ${grants.length}`)
  return grants.map(checkGrant)
}

function checkGrant(grant: unknown): Grant {
  if (typeof grant !== 'object' || grant === null) throw misfit('a grant', 'an object { map, prefix, may }', grant)
  checkKnown<Grant>(grant as Grant, GRANT)
  const { map, prefix, may } = grant as { readonly [Name in keyof Grant]?: unknown }
  checkCollectionName(map)
  if (prefix !== undefined && !isPrefix(prefix))
    throw misfit('prefix', `well-formed text of 1 to ${KEY_MAX_BYTES} bytes`, prefix)
  checkWord('may', may, ['read', 'write'])
  if (may === undefined) throw new GridError('INVALID_OPTION', `a grant says may: 'read' or 'write', not ${shown(may)}`)
  return { map, ...(prefix === undefined ? {} : { prefix }), may: may as Grant['may'] }
}

function isPrefix(prefix: unknown): prefix is string {
  if (typeof prefix !== 'string' || prefix === '' || !prefix.isWellFormed()) return false
  return new TextEncoder().encode(prefix).length <= KEY_MAX_BYTES
}

/**
 * Whether grants cover an entry. The one place that decides it. Names and keys are compared code unit by code unit, which for
 * well-formed text is byte by byte: nothing is normalised or folded.
 */
export function covers(grants: readonly Grant[], may: Grant['may'], map: string, key: string): boolean {
  return grants.some((grant) => {
    return grant.map === map && (may === 'read' || grant.may === 'write') && key.startsWith(grant.prefix ?? '')
  })
}

/** The names of all maps that grants say something about. */
export function mapsOf(grants: readonly Grant[]): string[] {
  return [...new Set(grants.map(({ map }) => map))]
}

/** Equal for grants that cover the same keys of a map for reading, as far as their texts say. */
export function readingKey(grants: readonly Grant[], map: string): string {
  return JSON.stringify(prefixesOf(grants, 'read', map).toSorted())
}

/** What the keys of a map begin with that grants cover: no key begins with two of these texts. */
export function prefixesOf(grants: readonly Grant[], may: Grant['may'], map: string): string[] {
  const those = grants.filter((grant) => grant.map === map && (may === 'read' || grant.may === 'write'))
  const prefixes = those.map(({ prefix = '' }) => prefix)
  const widest = prefixes.filter((prefix) => !prefixes.some((other) => other !== prefix && prefix.startsWith(other)))
  return [...new Set(widest)]
}
