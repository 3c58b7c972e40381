/** Codes of the kinds of collections that guests have: maps of whole values, and maps with fields. */
export const MAP_KINDS: readonly number[] = [1, 4]

/** The kind of a map by its code. */
export function mapKind(code: number): 'map' | 'fields' {
  return code === MAP_KINDS[0] ? 'map' : 'fields'
}
