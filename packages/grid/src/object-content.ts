const MAP = 0xa0
const TEXT = 0x60

/** The CBOR of an object, put together from the CBOR of its fields' values; in order of their names, so that equal is equal. */
export function objectContent(fields: readonly (readonly [name: string, value: Uint8Array])[]): Uint8Array {
  const encoder = new TextEncoder()
  const parts: Uint8Array[] = [head(MAP, fields.length)]
  for (const [name, value] of fields.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const text = encoder.encode(name)
    parts.push(head(TEXT, text.length), text, value)
  }
  const content = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0))
  let position = 0
  for (const part of parts) {
    content.set(part, position)
    position += part.length
  }
  return content
}

/** A major type with its count, in the shortest form. */
function head(major: number, count: number): Uint8Array {
  if (count < 24) return Uint8Array.of(major | count)
  if (count < 0x100) return Uint8Array.of(major | 24, count)
  if (count < 0x10000) return Uint8Array.of(major | 25, count >> 8, count & 0xff)
  return Uint8Array.of(major | 26, count >>> 24, (count >> 16) & 0xff, (count >> 8) & 0xff, count & 0xff)
}
