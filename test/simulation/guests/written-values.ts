/** Maps whose values have fields, so that they can be asked for. */
const OF_FIELDS: ReadonlySet<string> = new Set(['board', 'orders'])

/** The value with a text that no other write has, as it is written to a map. */
export function writtenValue(map: string, text: string, size: number): unknown {
  return OF_FIELDS.has(map) ? { text, size } : text
}

/** The text of a value. */
export function writtenText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'text' in value) return String(value.text)
  return String(value)
}
