import { GridError } from '@gossipgrid/core'
import type { Grant, May } from './grants.ts'

/** What guests and members call the collection of the rows of documents, beside the names of maps. No map has such a name. */
export const DOCUMENT_ROWS = '\ue000documents'
/** What they put before the names of sets and counters, so that they differ from those of maps. */
const SET_MARK = '\ue000set '
const COUNTER_MARK = '\ue000counter '

/** What guests and members call a set. */
export function setName(name: string): string {
  return SET_MARK + name
}

/** What guests and members call a counter. */
export function counterName(name: string): string {
  return COUNTER_MARK + name
}

/** The collection that guests and members call so. That of documents has no name. */
export function calledSo(map: string): { readonly what: 'map' | 'set' | 'counter' | 'doc'; readonly name: string } {
  if (map === DOCUMENT_ROWS) return { what: 'doc', name: '' }
  if (map.startsWith(SET_MARK)) return { what: 'set', name: map.slice(SET_MARK.length) }
  if (map.startsWith(COUNTER_MARK)) return { what: 'counter', name: map.slice(COUNTER_MARK.length) }
  return { what: 'map', name: map }
}

/**
 * Whether grants cover an entry, by what guests and members call its collection and its key. This and `coversTopic` are the only places that
 * decide it. Names and keys are compared code unit by code unit, which for well-formed text is byte by byte: nothing is normalised or folded.
 */
export function covers(grants: readonly Grant[], may: May, map: string, key: string): boolean {
  return grants.some((grant) => {
    const range = rangeOf(grant)
    return range?.map === map && (may === 'read' || range.may === 'write') && key.startsWith(range.prefix)
  })
}

/** Whether grants cover a document. */
export function coversDoc(grants: readonly Grant[], may: May, name: string): boolean {
  return covers(grants, may, DOCUMENT_ROWS, name)
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

/** What guests and members call the collections that grants say something about. */
export function mapsOf(grants: readonly Grant[]): string[] {
  return [...new Set(grants.flatMap((grant) => rangeOf(grant)?.map ?? []))]
}

/** Equal for grants that cover the same keys of a map for reading, as far as their texts say. */
export function readingKey(grants: readonly Grant[], map: string): string {
  return JSON.stringify(prefixesOf(grants, 'read', map).toSorted())
}

/** What the keys of a map begin with that grants cover: no key begins with two of these texts. */
export function prefixesOf(grants: readonly Grant[], may: May, map: string): string[] {
  const those = grants.map(rangeOf).filter((range) => range?.map === map && (may === 'read' || range.may === 'write'))
  const prefixes = those.map((range) => range!.prefix)
  const widest = prefixes.filter((prefix) => !prefixes.some((other) => other !== prefix && prefix.startsWith(other)))
  return [...new Set(widest)]
}

/** The error of a request to a partitioned map: the same for what there is not and for what a pass does not cover. */
export function notCovered(map: string): GridError {
  return new GridError('FORBIDDEN', `the pass does not allow this in '${map}'`)
}

/** What those keys of a map begin with that begin with `prefix` and that grants cover for reading, in order: no key begins with two of these texts. */
export function coveredWithin(grants: readonly Grant[], map: string, prefix: string): string[] {
  const covered = prefixesOf(grants, 'read', map).flatMap((each) => {
    if (each.startsWith(prefix)) return [each]
    return prefix.startsWith(each) ? [prefix] : []
  })
  return covered.toSorted()
}

/** The entries that a grant is about, by what guests and members call their collection. */
function rangeOf(grant: Grant): { readonly map: string; readonly prefix: string; readonly may: May } | undefined {
  if ('topic' in grant || 'presence' in grant) return undefined
  if ('doc' in grant) return { map: DOCUMENT_ROWS, prefix: grant.doc, may: grant.may }
  const { may, prefix = '' } = grant
  const map = 'map' in grant ? grant.map : 'set' in grant ? setName(grant.set) : counterName(grant.counter)
  return { map, prefix, may }
}
