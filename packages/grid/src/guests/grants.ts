import { ELEMENT_SEPARATOR, KEY_MAX_BYTES, KEY_SEPARATOR, checkCollectionName, checkName } from '@gossipgrid/core'
import { misfit } from '../batches/checks.ts'
import { GRANTS_MAX } from './guest-limits.ts'

/** What a pass allows a guest to do. `write` includes `read`. */
export type May = 'read' | 'write'

/** The entries of a replicated or partitioned map, all or those whose keys begin with a text. */
export interface MapGrant {
  /** The name of a map, of whole values or of fields. */
  readonly map: string
  /** Only keys that begin with this text. Default: all keys. */
  readonly prefix?: string
  /** `write` includes `read`. */
  readonly may: May
}

/** Documents. */
export interface DocGrant {
  /** Documents whose names begin with this text. */
  readonly doc: string
  /** `read`: to see the document and the awareness of others. `write`: to edit it, and to be seen. */
  readonly may: May
}

/** The elements of a replicated set, or those of the sets under some keys. */
export interface SetGrant {
  /** The name of `grid.set` or `grid.sets`. */
  readonly set: string
  /** Only sets under keys that begin with this text, so nothing of `grid.set`. Default: all. */
  readonly prefix?: string
  /** `write`: to add and to remove. */
  readonly may: May
}

/** A replicated counter, or those under some keys. */
export interface CounterGrant {
  /** The name of `grid.counter` or `grid.counters`. */
  readonly counter: string
  /** Only counters under keys that begin with this text, so nothing of `grid.counter`. Default: all. */
  readonly prefix?: string
  /** `write`: to count up and down, and to delete the counter under a key. */
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
export type Grant = MapGrant | SetGrant | CounterGrant | DocGrant | TopicGrant | PresenceGrant

/** Throws `INVALID_OPTION`, `INVALID_NAME`. */
export function checkGrants(grants: unknown): readonly Grant[] {
  if (Array.isArray(grants) && grants.length > 0 && grants.length <= GRANTS_MAX && grants.every(isGrant)) return grants
  throw misfit('grants', `1 to ${GRANTS_MAX} grants such as { map, may }`, grants)
}

/** Throws `INVALID_NAME`. */
function isGrant(grant: unknown): grant is Grant {
  if (typeof grant !== 'object' || grant === null) return false
  const { counter, doc, map, may, prefix, presence, set, topic, ...rest } = grant as Readonly<Record<string, unknown>>
  const named = [map, set, counter, topic, doc].filter((name) => name !== undefined)
  if (Object.keys(rest).length > 0 || named.length + (presence === undefined ? 0 : 1) !== 1) return false
  if (prefix !== undefined && ((map ?? set ?? counter) === undefined || !isPrefix(prefix))) return false
  // A key of sets and counters has none of these, so such a prefix would begin in an element.
  if (map === undefined && [KEY_SEPARATOR, ELEMENT_SEPARATOR].some((mark) => String(prefix).includes(mark)))
    return false
  if (presence !== undefined) return presence === true && may === undefined
  if (doc === undefined) checkCollectionName(named[0])
  else checkName(doc, 'document')
  return may === 'read' || may === 'write'
}

function isPrefix(prefix: unknown): prefix is string {
  if (typeof prefix !== 'string' || prefix === '' || !prefix.isWellFormed()) return false
  return new TextEncoder().encode(prefix).length <= KEY_MAX_BYTES
}
