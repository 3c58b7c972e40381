import { KEY_MAX_BYTES, checkCollectionName } from '@gossipgrid/core'
import { misfit } from '../batches/checks.ts'
import { GRANTS_MAX } from './guest-limits.ts'

/** What a pass allows a guest to do. `write` includes `read`. */
export type May = 'read' | 'write'

/** The entries of a replicated map, all or those whose keys begin with a text. */
export interface MapGrant {
  /** The name of a replicated map, of whole values or of fields. */
  readonly map: string
  /** Only keys that begin with this text. Default: all keys. */
  readonly prefix?: string
  /** `write` includes `read`. */
  readonly may: May
}

/** The messages of topics. */
export interface TopicGrant {
  /** Topics whose names begin with this text. */
  readonly topic: string
  /** `read`: to listen. `write`: to publish as well. */
  readonly may: May
}

/** To see who is present, and to be seen. */
export interface PresenceGrant {
  /** Always true. */
  readonly presence: true
}

/** One thing that a pass allows. */
export type Grant = MapGrant | TopicGrant | PresenceGrant

/** Throws `INVALID_OPTION`, `INVALID_NAME`. */
export function checkGrants(grants: unknown): readonly Grant[] {
  if (Array.isArray(grants) && grants.length > 0 && grants.length <= GRANTS_MAX && grants.every(isGrant)) return grants
  throw misfit('grants', `1 to ${GRANTS_MAX} of { map, prefix, may }, { topic, may }, { presence: true }`, grants)
}

/** Throws `INVALID_NAME`. */
function isGrant(grant: unknown): grant is Grant {
  if (typeof grant !== 'object' || grant === null) return false
  const { map, may, prefix, presence, topic, ...rest } = grant as Readonly<Record<string, unknown>>
  if (Object.keys(rest).length > 0 || [map, topic, presence].filter((what) => what !== undefined).length !== 1)
    return false
  if (prefix !== undefined && (map === undefined || !isPrefix(prefix))) return false
  if (presence !== undefined) return presence === true && may === undefined
  checkCollectionName(map ?? topic)
  return may === 'read' || may === 'write'
}

function isPrefix(prefix: unknown): prefix is string {
  if (typeof prefix !== 'string' || prefix === '' || !prefix.isWellFormed()) return false
  return new TextEncoder().encode(prefix).length <= KEY_MAX_BYTES
}

/**
 * Whether grants cover an entry. This and `coversTopic` are the only places that decide it. Names and keys are compared code unit by
 * code unit, which for well-formed text is byte by byte: nothing is normalised or folded.
 */
export function covers(grants: readonly Grant[], may: May, map: string, key: string): boolean {
  return grants.some((grant) => {
    return isOfMap(grant, map) && (may === 'read' || grant.may === 'write') && key.startsWith(grant.prefix ?? '')
  })
}

/** Whether grants cover the messages of a topic. */
export function coversTopic(grants: readonly Grant[], may: May, topic: string): boolean {
  return grants.some((grant) => {
    return 'topic' in grant && (may === 'read' || grant.may === 'write') && topic.startsWith(grant.topic)
  })
}

/** Whether grants allow to see who is present, and to be seen. */
export function coversPresence(grants: readonly Grant[]): boolean {
  return grants.some((grant) => 'presence' in grant)
}

/** The names of all maps that grants say something about. */
export function mapsOf(grants: readonly Grant[]): string[] {
  return [...new Set(grants.flatMap((grant) => ('map' in grant ? [grant.map] : [])))]
}

/** Equal for grants that cover the same keys of a map for reading, as far as their texts say. */
export function readingKey(grants: readonly Grant[], map: string): string {
  return JSON.stringify(prefixesOf(grants, 'read', map).toSorted())
}

/** What the keys of a map begin with that grants cover: no key begins with two of these texts. */
export function prefixesOf(grants: readonly Grant[], may: May, map: string): string[] {
  const those = grants.filter((grant) => isOfMap(grant, map)).filter((grant) => may === 'read' || grant.may === 'write')
  const prefixes = those.map(({ prefix = '' }) => prefix)
  const widest = prefixes.filter((prefix) => !prefixes.some((other) => other !== prefix && prefix.startsWith(other)))
  return [...new Set(widest)]
}

function isOfMap(grant: Grant, map: string): grant is MapGrant {
  return 'map' in grant && grant.map === map
}
