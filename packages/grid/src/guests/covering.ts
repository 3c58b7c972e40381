import type { Grant, May } from './grants.ts'

/** What guests and members call the collection of the rows of documents, beside the names of maps. No map has such a name. */
export const DOCUMENT_ROWS = '\ue000documents'

/**
 * Whether grants cover an entry. This and `coversTopic` are the only places that decide it. Names and keys are compared code unit by
 * code unit, which for well-formed text is byte by byte: nothing is normalised or folded.
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

/** The names of all maps that grants say something about; `DOCUMENT_ROWS` stands for documents. */
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

/** The rows that a grant is about: those of entries of a map, or of documents. */
function rangeOf(grant: Grant): { readonly map: string; readonly prefix: string; readonly may: May } | undefined {
  if ('doc' in grant) return { map: DOCUMENT_ROWS, prefix: grant.doc, may: grant.may }
  return 'map' in grant ? { map: grant.map, prefix: grant.prefix ?? '', may: grant.may } : undefined
}
